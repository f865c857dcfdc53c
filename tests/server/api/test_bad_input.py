"""Everything malformed gets its own clear refusal, and nothing is changed by it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import EMPTY, RTP, Api, serving

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
    ({**rtp(), "wait_url": 1}, "wait_url"),
    (rtp(audio_level_extension_id=0), "media.rtp.audio_level_extension_id"),
    (rtp(audio_level_extension_id=15), "media.rtp.audio_level_extension_id"),
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
    ({**rtp(), "stream": {"url": "wss://x/y"}}, "stream"),
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


URLS: list[tuple[str, str]] = [
    ("ftp://example.org/a.wav", "url_invalid"),
    ("file:///etc/passwd", "url_invalid"),
    ("/a.wav", "url_invalid"),
    ("http://", "url_invalid"),
    ("http://example.org/a b.wav", "url_invalid"),
    ("https://example.org/" + "a" * 3000, "url_invalid"),
    ("http://127.0.0.1/a.wav", "url_forbidden"),
    ("http://[::1]/a.wav", "url_forbidden"),
    ("http://localhost:8080/v1/calls", "url_forbidden"),
    ("http://10.1.2.3/a.wav", "url_forbidden"),
    ("http://169.254.169.254/latest/meta-data", "url_forbidden"),
    ("http://example.org:25/a.wav", "url_forbidden"),
]


@pytest.mark.parametrize(("url", "code"), URLS)
async def test_a_url_that_leads_nowhere_good_is_refused_at_once_and_changes_nothing(
    tmp_path: Path, url: str, code: str
) -> None:
    async with serving(tmp_path, allow_private_urls="false") as api:
        await api.refused("POST", ENTER, {**rtp(), "wait_url": url}, 422, code)
        call_id = await api.call(40002)
        problem = await api.refused(
            "POST", f"/v1/calls/{call_id}/join_conference", {"name": "x", "wait_url": url}, 422, code
        )
        assert problem["errors"][0]["field"] == "wait_url" and problem["detail"].startswith("wait_url: ")
        assert api.footprint == (1, 0, 1, 1)
        joined = await api.enter("x")
        path = f"{ENTER}/{joined['call_id']}"
        for field in ("hold_url", "wait_url"):
            problem = await api.refused("PATCH", path, {field: url, "muted": True}, 422, code)
            assert problem["errors"][0]["field"] == field
        await api.refused("POST", "/v1/conferences/x/announcements", {"url": url}, 422, code)
        await api.settle()
        assert len(await api.statuses(joined["conference_id"])) == 2
        assert api.prompts.asked == []


@pytest.mark.parametrize("allowed", [True, "127.0.0.0/8"])
async def test_private_urls_are_taken_where_they_are_allowed(tmp_path: Path, allowed: object) -> None:
    async with serving(tmp_path, allow_private_urls=allowed) as api:
        await api.enter("x", wait_url="http://127.0.0.1:9000/a.wav", start_on_enter=False)
        if allowed is not True:
            await api.refused("POST", ENTER, {**rtp(port=40002), "wait_url": "http://10.0.0.1/"}, 422, "url_forbidden")


async def test_what_is_wrong_in_a_patch_changes_nothing(api: Api) -> None:
    joined = await api.enter("x")
    path = f"{ENTER}/{joined['call_id']}"
    for body in (
        {"gain_db": 41}, {"gain_db": -41}, {"gain_db": "1"}, {"muted": None}, {"volume": 1}, {"hold": 0},
        {"hold_url": False}, {"beep_on_exit": "onExit"}, {"hold": True, "gain_db": 100},
    ):  # fmt: skip
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
