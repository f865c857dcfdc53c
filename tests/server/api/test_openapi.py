"""The OpenAPI is complete, and its examples work."""

from typing import Any

from server.api import examples
from server.api.app import describe
from server.errors import ERRORS
from tests.support.api import Api

SCHEMA = describe()
OPERATIONS = [
    (path, method, operation) for path, methods in SCHEMA["paths"].items() for method, operation in methods.items()
]


def test_every_route_has_summary_description_and_tag() -> None:
    assert len(OPERATIONS) >= 17
    tags = {tag["name"] for tag in SCHEMA["tags"]}
    for path, method, operation in OPERATIONS:
        assert operation["summary"] and operation["description"], (method, path)
        assert set(operation["tags"]) <= tags


def test_every_request_body_has_an_example() -> None:
    bodies = [operation["requestBody"] for _, _, operation in OPERATIONS if "requestBody" in operation]
    assert len(bodies) == 9
    for body in bodies:
        content = body["content"]["application/json"]
        assert "examples" in content or "examples" in content["schema"]


def test_every_error_code_of_a_route_is_an_example_of_its_status() -> None:
    seen: set[str] = set()
    for _, _, operation in OPERATIONS:
        for status, response in operation["responses"].items():
            for code in response.get("content", {}).get("application/problem+json", {}).get("examples", {}):
                assert ERRORS[code].status == int(status)
                seen.add(code)
    assert set(ERRORS) - seen == {"internal_error", "method_not_allowed"}


def test_all_references_lead_somewhere_and_posts_take_a_key() -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [found for item in value.values() for found in references(item)]
        return [found for item in value for found in references(item)] if isinstance(value, list) else []

    for reference in references(SCHEMA):
        assert reference.rpartition("/")[2] in SCHEMA["components"]["schemas"]
    for _, method, operation in OPERATIONS:
        names = [parameter["name"] for parameter in operation.get("parameters", [])]
        assert ("Idempotency-Key" in names) == (method == "post")


async def test_the_examples_work(api: Api) -> None:
    call = await api.post("/v1/calls", examples.CREATE_CALL, 201)
    joined = await api.post(f"/v1/calls/{call['call_id']}/join_conference", examples.JOIN)
    await api.post("/v1/conferences/standup/participants", examples.CALL_AND_JOIN, 201)
    await api.patch(f"/v1/conferences/standup/participants/{call['call_id']}", examples.PATCH)
    await api.post("/v1/conferences/standup/announcements", examples.ANNOUNCE, 201)
    event = (await api.get(f"/v1/conferences/{joined['conference_id']}/events"))["events"][0]
    assert event.keys() == examples.EVENT.keys()
    assert examples.EVENT["params"].keys() <= event["params"].keys()
    await api.post(f"/v1/calls/{call['call_id']}/leave_conference", examples.LEAVE)


async def test_docs_and_schema_are_served(api: Api) -> None:
    assert (await api.get("/openapi.json"))["paths"].keys() == SCHEMA["paths"].keys()
    page = await api.request("GET", "/docs")
    assert page.status_code == 200 and "openapi.json" in page.text
