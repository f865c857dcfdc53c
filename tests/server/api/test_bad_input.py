"""Everything malformed gets its own clear refusal, and nothing is changed by it."""

import json
from typing import Any

import pytest

from tests.support.api import EMPTY, RTP, Api

SHARED = pytest.mark.asyncio(loop_scope="module")
ENTER = "/v1/conferences/x/participants"


def rtp(**fields: Any) -> dict[str, Any]:
    return {"media": {"rtp": {**RTP, **fields}}}


INVALID: list[tuple[dict[str, Any], str]] = [
    ({}, "media"),
    ({"media": {}}, "media"),
    ({"media": {"rtp": RTP, "sdp": "v=0"}}, "media"),
    ({"media": {"rtp": {}}}, "media.rtp.codec"),
    (rtp(codec="mp3"), "media.rtp.codec"),
    (rtp(port=0), "media.rtp.port"),
    (rtp(port=65536), "media.rtp.port"),
    (rtp(port="40000"), "media.rtp.port"),
    (rtp(port=True), "media.rtp.port"),
    (rtp(port=None), "media.rtp.port"),
    (rtp(ip=None), "media.rtp.ip"),
    (rtp(ip="::1"), "media.rtp.ip"),
    (rtp(ip="localhost"), "media.rtp.ip"),
    (rtp(ip="0.0.0.0"), "media.rtp.ip"),
    (rtp(ip="0.1.2.3"), "media.rtp.ip"),
    (rtp(ip="224.0.0.1"), "media.rtp.ip"),
    (rtp(ip="255.255.255.255"), "media.rtp.ip"),
    (rtp(ip="240.0.0.1"), "media.rtp.ip"),
    (rtp(ip="0177.0.0.1"), "media.rtp.ip"),
    (rtp(ip="2130706433"), "media.rtp.ip"),
    (rtp(payload_type=128), "media.rtp.payload_type"),
    (rtp(payload_type=-1), "media.rtp.payload_type"),
    (rtp(payload_type=72), "media.rtp.payload_type"),
    (rtp(payload_type=8), "media.rtp.payload_type"),
    (rtp(dtmf_payload_type=0), "media.rtp.dtmf_payload_type"),
    (rtp(dtmf_payload_type=95), "media.rtp.dtmf_payload_type"),
    (rtp(codec="opus", dtmf_payload_type=111), "media.rtp.dtmf_payload_type"),
    (rtp(sample_rate=16000), "media.rtp.sample_rate"),
    (rtp(codec="l16", sample_rate=44100), "media.rtp.sample_rate"),
    (rtp(ptime=0), "media.rtp.ptime"),
    (rtp(ssrc=2**32), "media.rtp.ssrc"),
    (rtp(direction="inactive"), "media.rtp.direction"),
    (rtp(srtp=True), "media.rtp.srtp"),
    ({"media": {"rtp": {"codec": "pcmu", "direction": "recvonly"}}}, "media.rtp.ip"),
    ({**rtp(), "unknown": 1}, "unknown"),
    ({**rtp(), "name": "y"}, "name"),
    ({**rtp(), "muted": "true"}, "muted"),
    ({**rtp(), "muted": 1}, "muted"),
    ({**rtp(), "muted": None}, "muted"),
    ({**rtp(), "beep": "sometimes"}, "beep"),
    ({**rtp(), "beep": 1}, "beep"),
    ({**rtp(), "max_participants": 1}, "max_participants"),
    ({**rtp(), "max_participants": 2.5}, "max_participants"),
    ({**rtp(), "min_participants_to_start": 0}, "min_participants_to_start"),
    ({**rtp(), "record": "yes"}, "record"),
    ({**rtp(), "trim": "both"}, "trim"),
    ({**rtp(), "region": "e u"}, "region"),
    ({**rtp(), "coach": ""}, "coach"),
    ({**rtp(), "jitter_buffer": "huge"}, "jitter_buffer"),
    ({**rtp(), "wait_url": "ftp://x/y"}, "wait_url"),
    ({**rtp(), "wait_url": "http://"}, "wait_url"),
    ({**rtp(), "status_callback": "nowhere"}, "status_callback"),
    ({**rtp(), "status_callback_event": "start stop"}, "status_callback_event"),
    ({**rtp(), "status_callback_event_type": "xml"}, "status_callback_event_type"),
    ({**rtp(), "status_callback_method": "PUT"}, "status_callback_method"),
    ({**rtp(), "recording_status_callback_event": "done"}, "recording_status_callback_event"),
    ({**rtp(), "label": ""}, "label"),
    ({**rtp(), "label": "a/b"}, "label"),
    ({**rtp(), "label": "x" * 129}, "label"),
    ({**rtp(), "metadata": []}, "metadata"),
    ({**rtp(), "metadata": {"big": "x" * 5000}}, "metadata"),
]  # fmt: skip


@SHARED
@pytest.mark.parametrize(("body", "field"), INVALID, ids=lambda value: json.dumps(value)[:60])
async def test_an_invalid_field_is_named(shared: Api, body: dict[str, Any], field: str) -> None:
    problem = await shared.refused("POST", ENTER, body, 422, "invalid_request")
    assert field in problem["detail"]
    assert field in [error["field"] for error in problem["errors"]]
    assert shared.footprint == EMPTY


LATER: list[tuple[dict[str, Any], str]] = [
    ({"media": {"sdp": "v=0"}}, "media.sdp"),
    ({**rtp(), "record": "record-from-start"}, "record"),
    ({**rtp(), "stream": {"url": "wss://x/y"}}, "stream"),
    ({**rtp(), "tracks": True}, "tracks"),
    ({**rtp(), "wait_url": "https://example.org/music.mp3"}, "wait_url"),
    ({**rtp(), "status_callback": "https://example.org/hook"}, "status_callback"),
    ({**rtp(), "recording_status_callback": "https://example.org/hook"}, "recording_status_callback"),
]


@SHARED
@pytest.mark.parametrize(("body", "field"), LATER, ids=lambda value: str(value)[-40:])
async def test_what_this_version_cannot_do_is_refused_not_ignored(
    shared: Api, body: dict[str, Any], field: str
) -> None:
    problem = await shared.refused("POST", ENTER, body, 422, "not_supported_yet")
    assert field in problem["detail"]
    assert shared.footprint == EMPTY


async def test_neutral_values_of_later_features_are_accepted(api: Api) -> None:
    await api.enter(
        "x", record="do-not-record", trim="do-not-trim", tracks=False, wait_url="", beep=True, region="eu",
        jitter_buffer="large", status_callback_method="GET", status_callback_event="start end", stream=None,
        status_callback_event_type="application/json", recording_status_callback_event="failed absent",
    )  # fmt: skip
    await api.enter("x", 40002, beep="onExit")
    await api.enter("x", 40004, beep=False)


async def test_hold_and_wait_audio_is_refused_in_a_patch(api: Api) -> None:
    joined = await api.enter("x")
    path = f"{ENTER}/{joined['call_id']}"
    for field in ("hold_url", "wait_url"):
        await api.refused("PATCH", path, {field: "https://example.org/a.wav"}, 422, "not_supported_yet")
    for body in ({"gain_db": 41}, {"gain_db": -41}, {"gain_db": "1"}, {"muted": None}, {"volume": 1}, {"hold": 0}):
        await api.refused("PATCH", path, body, 422, "invalid_request")
    assert len(await api.statuses(joined["conference_id"])) == 2


@pytest.mark.parametrize("name", ["", " ", "x" * 129, "a\nb", "a\u0000b", "\u0085"])
async def test_bad_names_are_refused(api: Api, name: str) -> None:
    call_id = await api.call()
    problem = await api.refused("POST", f"/v1/calls/{call_id}/join_conference", {"name": name}, 422, "invalid_request")
    assert problem["errors"][0]["field"] == "name"
    assert api.footprint == (1, 0, 1, 1)


@SHARED
@pytest.mark.parametrize("quoted", ["%20", "x" * 129, "a%0Ab", "%00"])
async def test_bad_names_in_a_path_are_refused(shared: Api, quoted: str) -> None:
    path = f"/v1/conferences/{quoted}/participants"
    problem = await shared.refused("POST", path, rtp(), 422, "invalid_request")
    assert problem["errors"][0]["field"] == "name"
    assert shared.footprint == EMPTY


@pytest.mark.parametrize("name", ["x" * 128, "Grüße aus Köln", "a b", "a/b", "日本"])
async def test_good_names_are_joined(api: Api, name: str) -> None:
    call_id = await api.call()
    assert (await api.join(call_id, name))["name"] == name


MALFORMED = [
    b"{", b"", b"nonsense", b'{"a": NaN}', b'{"a": Infinity}', b"\xff\xfe", b'{"a": "\\ud800"}',
    b"[" * 5000, b'{"a": ' + b"9" * 5000 + b"}", b'{"a":' * 40 + b"1" + b"}" * 40,
]  # fmt: skip


@SHARED
@pytest.mark.parametrize("content", MALFORMED, ids=lambda content: repr(content[:20]))
async def test_malformed_json_is_refused(shared: Api, content: bytes) -> None:
    json_type = {"content-type": "application/json"}
    status, code = (400, "malformed_json") if content else (422, "invalid_request")
    await shared.refused("POST", "/v1/calls", None, status, code, content=content, headers=json_type)
    assert shared.footprint == EMPTY


@SHARED
@pytest.mark.parametrize("content", [b"[]", b"1", b'"x"', b"null"])
async def test_a_body_that_is_no_object_is_refused(shared: Api, content: bytes) -> None:
    json_type = {"content-type": "application/json"}
    await shared.refused("POST", "/v1/calls", None, 422, "invalid_request", content=content, headers=json_type)


async def test_a_body_of_another_type_is_refused(api: Api) -> None:
    body = json.dumps(rtp()).encode()
    form = {"content-type": "application/x-www-form-urlencoded"}
    await api.refused("POST", "/v1/calls", None, 415, "unsupported_media_type", content=body, headers=form)
    await api.refused("POST", "/v1/calls", None, 415, "unsupported_media_type", content=body)
    sdp = {"content-type": "application/sdp"}
    await api.refused("POST", ENTER, None, 422, "not_supported_yet", content=b"v=0", headers=sdp)
    with_charset = {"content-type": "application/json; charset=utf-8"}
    response = await api.request("POST", "/v1/calls", content=body, headers=with_charset)
    assert response.status_code == 201


@SHARED
async def test_a_large_body_is_refused(shared: Api) -> None:
    body = b'{"metadata": "' + b"x" * (256 * 1024) + b'"}'
    json_type = {"content-type": "application/json"}
    await shared.refused("POST", "/v1/calls", None, 413, "body_too_large", content=body, headers=json_type)

    async def in_pieces() -> Any:
        for _ in range(300):
            yield b" " * 1024

    await shared.refused("POST", "/v1/calls", None, 413, "body_too_large", content=in_pieces(), headers=json_type)


@SHARED
async def test_unknown_paths_and_methods_are_problems(shared: Api) -> None:
    await shared.refused("GET", "/v1/nothing", None, 404, "not_found")
    await shared.refused("GET", "/", None, 404, "not_found")
    response = await shared.http.put("/v1/calls")
    assert response.status_code == 405 and response.json()["code"] == "method_not_allowed"
    assert set(response.headers["allow"].replace(" ", "").split(",")) & {"GET", "POST"}


async def test_a_mistake_of_ours_leaks_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("the secret is 4711")

    monkeypatch.setattr(api.service, "get_call", broken)
    problem = await api.refused("GET", "/v1/calls/x", None, 500, "internal_error")
    assert "4711" not in json.dumps(problem)


@SHARED
async def test_in_dev_mode_a_far_end_elsewhere_needs_the_media_ip(shared: Api) -> None:
    problem = await shared.refused("POST", ENTER, rtp(ip="203.0.113.5"), 422, "media_ip_needed")
    assert "PARLEY_MEDIA_IP" in problem["detail"]
    assert shared.footprint == EMPTY
