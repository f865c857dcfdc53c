"""Callbacks that joins ask for: who is told of what, in which form, and which requests are refused."""

from typing import Any

import pytest
from twilio.request_validator import RequestValidator

from tests.support.api import EMPTY, SIGNING_SECRET, Api

URL = "https://example.org/hooks"
ALL = "start end join leave mute hold modify speaker announcement"


async def test_without_a_list_of_events_start_and_end_are_told(api: Api) -> None:
    joined = await api.enter("team", status_callback=URL)
    await api.post(f"/v1/conferences/{joined['conference_id']}/end")
    await api.delivered(2)
    assert api.receiver.told() == ["conference-start", "conference-end"]
    assert {(request.method, request.url.partition("?")[0]) for request in api.receiver.requests} == {("POST", URL)}


async def test_what_is_told_is_the_logged_event(api: Api) -> None:
    joined = await api.enter("team", status_callback=URL, status_callback_event=ALL)
    path = f"/v1/conferences/{joined['conference_id']}"
    await api.patch(f"{path}/participants/{joined['call_id']}", {"muted": True})
    await api.delete(f"{path}/participants/{joined['call_id']}")
    await api.delivered(5)
    logged = (await api.get(f"{path}/events"))["events"]
    assert [request.json for request in api.receiver.requests] == logged
    assert [request.headers["webhook-id"] for request in api.receiver.requests] == [event["id"] for event in logged]


async def test_the_first_join_that_names_a_callback_decides(api: Api) -> None:
    await api.enter("team", 40000)
    await api.enter("team", 40002, status_callback=URL, status_callback_event="join")
    await api.enter("team", 40004, status_callback="https://example.org/other", status_callback_event="join")
    await api.delivered(2)
    assert api.receiver.told() == ["participant-join", "participant-join"]
    assert {request.url.partition("?")[0] for request in api.receiver.requests} == {URL}


@pytest.mark.parametrize("kind", ["cxml", "laml", "application/x-www-form-urlencoded"])
async def test_a_form_is_signed_as_receivers_of_forms_expect(api: Api, kind: str) -> None:
    joined = await api.enter("team", status_callback=URL, status_callback_event_type=kind)
    await api.delivered(1)
    (request,) = api.receiver.requests
    assert request.form["StatusCallbackEvent"] == "conference-start"
    assert request.form["ConferenceSid"] == "CF" + joined["conference_id"].replace("-", "")
    signature = request.headers["X-Twilio-Signature"]
    assert RequestValidator(SIGNING_SECRET).validate(request.url, request.form, signature)
    assert not RequestValidator("another-secret").validate(request.url, request.form, signature)


async def test_by_get_the_parameters_are_in_the_query(api: Api) -> None:
    await api.enter(
        "team",
        status_callback=f"{URL}?tenant=7",
        status_callback_method="GET",
        status_callback_event_type="cxml",
    )
    await api.delivered(1)
    (request,) = api.receiver.requests
    assert (request.method, request.content) == ("GET", b"")
    assert request.url.startswith(f"{URL}?tenant=7&")
    assert "StatusCallbackEvent=conference-start" in request.url


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"status_callback": "ftp://example.org/x"}, "url_invalid"),
        ({"status_callback": "not a url"}, "url_invalid"),
        ({"recording_status_callback": "mailto:a@example.org"}, "url_invalid"),
        ({"status_callback": "http://10.0.0.1/hooks"}, "url_forbidden"),
        ({"recording_status_callback": "http://169.254.169.254/latest"}, "url_forbidden"),
        ({"status_callback": f"{URL}#rc=many"}, "invalid_request"),
        ({"status_callback": URL, "status_callback_event": "start stop"}, "invalid_request"),
        ({"status_callback": URL, "status_callback_event_type": "xml"}, "invalid_request"),
    ],
)
async def test_a_callback_that_cannot_be_told_refuses_the_join(
    guarded_api: Api, fields: dict[str, Any], code: str
) -> None:
    body = {"media": {"rtp": {"codec": "pcmu", "ip": "127.0.0.1", "port": 40000}}, **fields}
    problem = await guarded_api.refused("POST", "/v1/conferences/team/participants", body, 422, code)
    assert any(name in problem["detail"] for name in fields)
    assert guarded_api.footprint == EMPTY
    assert (await guarded_api.get("/v1/conferences"))["conferences"] == []


@pytest.mark.parametrize("field", ["status_callback", "recording_status_callback", "wait_url"])
async def test_a_name_that_leads_where_the_server_does_not_go_refuses_the_join(guarded_api: Api, field: str) -> None:
    guarded_api.urls.forbidden = {"inside.example"}
    body = {
        "media": {"rtp": {"codec": "pcmu", "ip": "127.0.0.1", "port": 40000}},
        field: "http://inside.example:8099/x",
    }
    problem = await guarded_api.refused("POST", "/v1/conferences/team/participants", body, 422, "url_forbidden")
    assert problem["errors"][0]["field"] == field
    assert guarded_api.footprint == EMPTY
    assert (await guarded_api.get("/v1/conferences"))["conferences"] == []


async def test_an_empty_url_is_none(api: Api) -> None:
    await api.enter("team", status_callback="", recording_status_callback="")
    await api.settle()
    assert api.receiver.requests == []


async def test_a_failed_attempt_is_repeated_when_its_time_comes(api: Api) -> None:
    api.receiver.statuses = [500, None]
    joined = await api.enter("team", status_callback=URL)
    await api.delivered(1)
    query = f"/v1/webhook-deliveries?conference_id={joined['conference_id']}"
    (delivery,) = (await api.get(query))["deliveries"]
    assert (delivery["state"], delivery["attempts"], delivery["last_status"]) == ("pending", 1, 500)


async def test_a_list_can_be_of_a_conference_by_the_name_it_has_in_progress(api: Api) -> None:
    await api.enter("team", status_callback=URL, record="record-from-start")
    await api.enter("other", 40002, status_callback=URL, record="record-from-start")
    await api.settle()
    for noun, path in (("deliveries", "webhook-deliveries"), ("recordings", "recordings")):
        by_name = (await api.get(f"/v1/{path}?conference_id=team"))[noun]
        assert len(by_name) == 1
        conference_id = by_name[0]["conference_id"]
        assert (await api.get(f"/v1/{path}?conference_id={conference_id}"))[noun] == by_name
        assert (await api.get(f"/v1/{path}?conference_id=nobody"))[noun] == []
