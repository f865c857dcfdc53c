"""Calls over the API: answering, reading, hanging up; joining and leaving conferences."""

from pathlib import Path

import pytest

from mixer.protocol import Address
from tests.support.api import EMPTY, RTP, Api, serving

UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def test_a_call_is_up_and_hears_silence(api: Api) -> None:
    body = await api.post("/v1/calls", {"media": {"rtp": RTP}, "label": "anna", "metadata": {"n": [1]}}, 201)
    assert body["state"] == "answered"
    assert body["label"] == "anna" and body["metadata"] == {"n": [1]}
    rtp = body["media"]["rtp"]
    assert rtp == {
        "ip": "127.0.0.1",
        "port": rtp["port"],
        "codec": "pcmu",
        "payload_type": 0,
        "ptime": 20,
        "ssrc": rtp["ssrc"],
    }
    assert 31000 <= rtp["port"] < 31400 and rtp["port"] % 2 == 0
    leg = api.mixers.lobby.legs[body["call_id"]]
    assert (leg["heard"], leg["hears"]) == (False, False)
    assert leg["remote"] == Address("127.0.0.1", 40000)
    assert leg["outgoing"].ssrc == rtp["ssrc"]
    assert await api.get(f"/v1/calls/{body['call_id']}") == body


async def test_outgoing_streams_cannot_be_guessed(api: Api) -> None:
    for port in range(40000, 40016, 2):
        await api.call(port)
    streams = [leg["outgoing"] for leg in api.mixers.lobby.legs.values()]
    assert (
        len({s.ssrc for s in streams}) == len({s.sequence for s in streams}) == len({s.timestamp for s in streams}) == 8
    )


async def test_hanging_up_says_bye_and_frees_the_port(api: Api) -> None:
    call_id = await api.call()
    await api.delete(f"/v1/calls/{call_id}")
    assert api.mixers.lobby.byes == [call_id]
    assert api.mixers.lobby.sockets == {}
    assert api.footprint == EMPTY
    ended = await api.get(f"/v1/calls/{call_id}")
    assert ended["state"] == "ended" and ended["ended_at"] is not None
    await api.refused("DELETE", f"/v1/calls/{call_id}", None, 404, "not_found")


async def test_calls_are_listed_until_they_end_and_longer_with_all(api: Api) -> None:
    first, second = await api.call(40000), await api.call(40002)
    await api.delete(f"/v1/calls/{first}")
    assert [call["call_id"] for call in (await api.get("/v1/calls"))["calls"]] == [second]
    assert [call["call_id"] for call in (await api.get("/v1/calls?all=true"))["calls"]] == [first, second]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"/v1/calls/{UNKNOWN}", None),
        ("DELETE", f"/v1/calls/{UNKNOWN}", None),
        ("POST", f"/v1/calls/{UNKNOWN}/join_conference", {"name": "x"}),
        ("POST", f"/v1/calls/{UNKNOWN}/leave_conference", {"conference_id": "x"}),
    ],
)
async def test_an_unknown_call_is_404(api: Api, method: str, path: str, body: dict[str, str] | None) -> None:
    await api.refused(method, path, body, 404, "not_found")


async def test_a_call_joins_leaves_and_joins_another_conference_on_the_same_socket(api: Api) -> None:
    call_id = await api.call()
    lobby_leg = api.mixers.lobby.legs[call_id]
    joined = await api.join(call_id, "one")
    assert joined["code"] == "200" and joined["name"] == "one" and joined["call_id"] == call_id
    assert joined["participant"]["state"] == "connecting"
    assert call_id not in api.mixers.lobby.legs
    leg = api.mixer_of(joined["conference_id"]).legs[call_id]
    assert (leg["heard"], leg["hears"]) == (True, True)
    assert leg["socket_id"] == lobby_leg["socket_id"]
    assert leg["outgoing"].ssrc == lobby_leg["outgoing"].ssrc
    assert leg["outgoing"].sequence == (lobby_leg["outgoing"].sequence + 50) % 65536

    left = await api.post(f"/v1/calls/{call_id}/leave_conference", {"conference_id": joined["conference_id"]})
    assert left["code"] == "200" and left["call_id"] == call_id
    assert call_id in api.mixers.lobby.legs
    assert (await api.get(f"/v1/calls/{call_id}"))["conference_id"] is None

    again = await api.join(call_id, "two")
    last = api.mixer_of(again["conference_id"]).legs[call_id]
    assert last["socket_id"] == lobby_leg["socket_id"]
    assert last["outgoing"].sequence == (lobby_leg["outgoing"].sequence + 150) % 65536
    assert await api.statuses(joined["conference_id"]) == [
        "participant-join",
        "conference-start",
        "participant-leave",
        "conference-end",
    ]


async def test_leaving_by_the_conferences_name_works(api: Api) -> None:
    call_id = await api.call()
    await api.join(call_id, "one")
    await api.post(f"/v1/calls/{call_id}/leave_conference", {"conference_id": "one"})
    assert api.footprint == (1, 0, 1, 1)


async def test_a_second_join_of_a_call_is_refused_and_changes_nothing(api: Api) -> None:
    call_id = await api.call()
    joined = await api.join(call_id, "one")
    before = api.footprint
    for name in ("one", "two"):
        body = {"name": name}
        await api.refused("POST", f"/v1/calls/{call_id}/join_conference", body, 409, "call_already_in_conference")
    assert api.footprint == before
    assert len(await api.statuses(joined["conference_id"])) == 2


async def test_leaving_a_conference_it_is_not_in_is_refused(api: Api) -> None:
    inside, outside = await api.call(40000), await api.call(40002)
    joined = await api.join(inside, "one")
    path = f"/v1/calls/{outside}/leave_conference"
    await api.refused("POST", path, {"conference_id": joined["conference_id"]}, 409, "not_in_conference")
    await api.refused("POST", path, {"conference_id": "nowhere"}, 404, "not_found")
    assert len(await api.statuses(joined["conference_id"])) == 2


async def test_an_ended_call_cannot_join(api: Api) -> None:
    call_id = await api.call()
    await api.delete(f"/v1/calls/{call_id}")
    await api.refused("POST", f"/v1/calls/{call_id}/join_conference", {"name": "x"}, 409, "call_ended")
    assert api.footprint == EMPTY


async def test_hanging_up_leaves_the_conference_first(api: Api) -> None:
    call_id = await api.call()
    joined = await api.join(call_id, "one")
    await api.delete(f"/v1/calls/{call_id}")
    events = (await api.get(f"/v1/conferences/{joined['conference_id']}/events"))["events"]
    assert events[2]["params"]["reason_left"] == "participant_hung_up"
    assert api.footprint == EMPTY


async def test_the_media_answer_tells_what_was_agreed(api: Api) -> None:
    body = {"media": {"rtp": {"codec": "l16", "sample_rate": 48000, "dtmf_payload_type": 101, "ptime": 60}}}
    rtp = (await api.post("/v1/calls", body, 201))["media"]["rtp"]
    assert (rtp["codec"], rtp["payload_type"], rtp["sample_rate"]) == ("l16", 96, 48000)
    assert (rtp["dtmf_payload_type"], rtp["ptime"]) == (101, 20)


async def test_out_of_ports_is_a_503_that_names_the_setting(tmp_path: Path) -> None:
    async with serving(tmp_path, rtp_ports="31400-31401") as api:
        await api.call()
        problem = await api.refused("POST", "/v1/calls", {"media": {"rtp": RTP}}, 503, "no_media_ports")
        assert "PARLEY_RTP_PORTS" in problem["detail"]
        response = await api.request("POST", "/v1/conferences/x/participants", {"media": {"rtp": RTP}})
        assert response.status_code == 503 and int(response.headers["retry-after"]) > 0
        assert api.footprint == (1, 0, 1, 1)


async def test_a_lobby_that_refuses_leaves_no_call_and_no_port(api: Api) -> None:
    api.mixers.lobby.refuse_legs = True
    await api.refused("POST", "/v1/calls", {"media": {"rtp": RTP}}, 503, "mixer_unavailable")
    assert api.footprint == EMPTY
    assert api.mixers.lobby.sockets == {}


async def test_the_audio_level_extension_is_told_to_the_mixer_and_answered(api: Api) -> None:
    body = {"media": {"rtp": {**RTP, "audio_level_extension_id": 3}}}
    call = await api.post("/v1/calls", body, 201)
    assert call["media"]["rtp"]["audio_level_extension_id"] == 3
    assert api.mixers.lobby.legs[call["call_id"]]["level_extension_id"] == 3
    without = await api.post("/v1/calls", {"media": {"rtp": {**RTP, "port": 40002}}}, 201)
    assert "audio_level_extension_id" not in without["media"]["rtp"]
    assert api.mixers.lobby.legs[without["call_id"]]["level_extension_id"] is None
