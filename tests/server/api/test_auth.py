"""Who may ask: every path needs a key but the open ones, and a project sees its own things only."""

import base64
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.api.app import describe
from server.api.auth import OPEN_PATHS
from tests.support.api import RTP, Api, serving

KEYS = "anna:annas-secret,ben:bens-secret-1"
BODY = {"media": {"rtp": RTP}}


def bearer(credentials: str) -> dict[str, str]:
    return {"headers": {"Authorization": f"Bearer {credentials}"}}  # type: ignore[dict-item]


def basic(credentials: str) -> dict[str, str]:
    encoded = base64.b64encode(credentials.encode()).decode()
    return {"headers": {"Authorization": f"Basic {encoded}"}}  # type: ignore[dict-item]


@pytest.fixture
async def keyed(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, dev=False, api_keys=KEYS, media_ip="127.0.0.1") as running:
        yield running


@pytest.mark.parametrize(
    "options", [bearer("anna:annas-secret"), basic("anna:annas-secret"), bearer("ben:bens-secret-1")]
)
async def test_a_valid_key_is_let_in(keyed: Api, options: dict[str, str]) -> None:
    assert (await keyed.post("/v1/calls", BODY, 201, **options))["state"] == "answered"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer annas-secret"},
        {"Authorization": "Bearer anna:"},
        {"Authorization": "Bearer anna:bens-secret-1"},
        {"Authorization": "Bearer anna:annas-secret2"},
        {"Authorization": "Bearer anna:Annas-secret"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic YW5uYQ=="},
        {"Authorization": "Digest anna:annas-secret"},
        {"Authorization": "anna:annas-secret"},
    ],
    ids=lambda headers: headers.get("Authorization", "none"),
)
async def test_anything_else_is_401(keyed: Api, headers: dict[str, str]) -> None:
    problem = await keyed.refused("POST", "/v1/calls", BODY, 401, "unauthorized", headers=headers)
    assert "secret-1" not in problem["detail"]
    response = await keyed.request("POST", "/v1/calls", BODY, headers=headers)
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert keyed.footprint == (0, 0, 0, 1)


async def test_every_route_but_the_open_ones_needs_a_key(keyed: Api) -> None:
    tried = 0
    for path, methods in describe()["paths"].items():
        for method in methods:
            response = await keyed.request(method.upper(), re.sub(r"\{.*?\}", "x", path))
            assert (response.status_code == 401) == (path not in OPEN_PATHS), path
            tried += 1
    assert tried >= 17
    for path in ("/", "/metrics", "/v1/nothing", "/v1/calls/", "/docs/", "/openapi.json/x"):
        assert (await keyed.request("GET", path)).status_code == 401, path


async def test_open_paths_are_open(keyed: Api) -> None:
    for path in OPEN_PATHS:
        assert (await keyed.request("GET", path)).status_code == 200, path


async def test_another_projects_things_are_unknown(keyed: Api) -> None:
    anna, ben = bearer("anna:annas-secret"), bearer("ben:bens-secret-1")
    joined = await keyed.post("/v1/conferences/standup/participants", BODY, 201, **anna)
    call, conference = f"/v1/calls/{joined['call_id']}", f"/v1/conferences/{joined['conference_id']}"
    for method, path in [
        ("GET", call), ("DELETE", call), ("GET", conference), ("POST", f"{conference}/end"),
        ("GET", f"{conference}/events"), ("GET", f"{conference}/stats"), ("GET", f"{conference}/participants"),
        ("DELETE", f"{conference}/participants/{joined['call_id']}"), ("GET", "/v1/conferences/standup"),
    ]:  # fmt: skip
        await keyed.refused(method, path, None, 404, "not_found", **ben)
    patch = f"{conference}/participants/{joined['call_id']}"
    await keyed.refused("PATCH", patch, {"muted": True}, 404, "not_found", **ben)
    await keyed.refused("POST", f"{call}/join_conference", {"name": "x"}, 404, "not_found", **ben)
    listed = (await keyed.request("GET", "/v1/conferences", **ben)).json()
    assert listed == {"conferences": []}
    assert (await keyed.request("GET", "/v1/calls", **ben)).json() == {"calls": []}
    # The same name is another conference in another project.
    other = await keyed.post(
        "/v1/conferences/standup/participants", {"media": {"rtp": {**RTP, "port": 40002}}}, 201, **ben
    )
    assert other["conference_id"] != joined["conference_id"]
    assert other["participant"]["conference_id"] == other["conference_id"]


async def test_dev_mode_needs_no_key_but_refuses_a_wrong_one(tmp_path: Path) -> None:
    async with serving(tmp_path, api_keys=KEYS) as api:
        assert (await api.get("/v1/calls")) == {"calls": []}
        await api.refused("GET", "/v1/calls", None, 401, "unauthorized", **bearer("anna:wrong-secret"))
