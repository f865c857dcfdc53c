"""Participants over the API: calling and joining in one request, changing, kicking, listing."""

import pytest

from mixer.protocol import Address, Playout
from tests.support.api import EMPTY, RTP, Api


async def test_calling_and_joining_answers_with_media_and_participant(api: Api) -> None:
    joined = await api.enter("standup", muted=True, label="anna", metadata={"a": 1}, end_on_exit=True)
    participant = joined["participant"]
    assert participant == {
        "call_id": joined["call_id"],
        "conference_id": joined["conference_id"],
        "name": "standup",
        "label": "anna",
        "muted": True,
        "hold": False,
        "coaching": False,
        "coach": None,
        "start_on_enter": True,
        "end_on_exit": True,
        "state": "connecting",
        "joined_at": "2027-01-15T08:00:00.000Z",
        "left_at": None,
        "reason_left": None,
        "speaking": False,
        "metadata": {"a": 1},
    }
    assert joined["media"]["rtp"]["codec"] == "pcmu"
    leg = api.mixer_of(joined["conference_id"]).legs[joined["call_id"]]
    assert (leg["heard"], leg["hears"]) == (False, True)


async def test_known_far_ends_share_one_socket_and_others_have_their_own(api: Api) -> None:
    one, two = await api.enter("standup", 40000), await api.enter("standup", 40002)
    same_again, unknown = await api.enter("standup", 40000), await api.enter("standup", None)
    ports = [joined["media"]["rtp"]["port"] for joined in (one, two, same_again, unknown)]
    assert ports[0] == ports[1] and len(set(ports)) == 3
    sockets = api.mixer_of(one["conference_id"]).sockets.values()
    assert sorted(media.shared for media in sockets) == [False, False, True]
    # Once the first has left, its address may be used on the shared socket again.
    await api.delete(f"/v1/calls/{one['call_id']}")
    assert (await api.enter("standup", 40000))["media"]["rtp"]["port"] == ports[0]


async def test_a_kick_hangs_up_any_call(api: Api) -> None:
    standing = await api.call(40000)
    await api.join(standing, "standup")
    passing = await api.enter("standup", 40002)
    mixer = api.mixer_of(passing["conference_id"])
    await api.delete(f"/v1/conferences/standup/participants/{standing}")
    await api.refused("DELETE", f"/v1/conferences/standup/participants/{standing}", None, 404, "not_found")
    assert mixer.byes == [standing]
    assert (await api.get(f"/v1/calls/{standing}"))["state"] == "ended"
    await api.delete(f"/v1/conferences/standup/participants/{passing['call_id']}")
    conference = await api.get(f"/v1/conferences/{passing['conference_id']}")
    assert conference["reason_ended"] == "last-participant-kicked"
    assert api.footprint == EMPTY


async def test_leaving_hangs_up_who_came_in_one_request(api: Api) -> None:
    stays, leaves = await api.enter("standup", 40000), await api.enter("standup", 40002)
    path = f"/v1/calls/{leaves['call_id']}/leave_conference"
    await api.post(path, {"conference_id": stays["conference_id"]})
    assert (await api.get(f"/v1/calls/{leaves['call_id']}"))["state"] == "ended"
    assert api.mixer_of(stays["conference_id"]).byes == [leaves["call_id"]]


async def test_a_patch_changes_sound_and_events(api: Api) -> None:
    joined = await api.enter("standup")
    path = f"/v1/conferences/standup/participants/{joined['call_id']}"
    leg = api.mixer_of(joined["conference_id"]).legs[joined["call_id"]]
    assert (await api.patch(path, {"muted": True}))["muted"] is True
    assert (leg["heard"], leg["hears"]) == (False, True)
    assert (await api.patch(path, {"hold": True, "hold_url": ""}))["hold"] is True
    assert (leg["heard"], leg["hears"]) == (False, False)
    assert (await api.patch(path, {"hold": False, "muted": False}))["muted"] is False
    assert (leg["heard"], leg["hears"]) == (True, True)
    await api.patch(path, {"gain_db": 20, "end_on_exit": True, "beep_on_exit": False, "wait_url": ""})
    assert leg["gain"] == pytest.approx(10.0)
    assert await api.statuses(joined["conference_id"]) == [
        "participant-join", "conference-start", "participant-mute", "participant-hold",
        "participant-unmute", "participant-unhold", "participant-modify",
    ]  # fmt: skip
    updates = len(api.mixer_of(joined["conference_id"]).updates)
    assert (await api.patch(path, {}))["end_on_exit"] is True
    assert len(api.mixer_of(joined["conference_id"]).updates) == updates


async def test_a_coach_is_heard_by_the_coachee_alone(api: Api) -> None:
    agent = await api.enter("standup", 40000)
    coach = await api.enter("standup", 40002, coach=agent["call_id"])
    assert coach["participant"]["coaching"] is True and coach["participant"]["coach"] == agent["call_id"]
    leg = api.mixer_of(agent["conference_id"]).legs[coach["call_id"]]
    assert (leg["hears"], leg["heard_by"]) == (True, [agent["call_id"]])
    path = f"/v1/conferences/standup/participants/{coach['call_id']}"
    assert (await api.patch(path, {"coaching": False}))["coach"] is None
    assert (leg["heard"], leg["heard_by"]) == (True, None)
    await api.refused("PATCH", path, {"coaching": True}, 409, "coach_required")
    await api.refused("PATCH", path, {"coach": "nobody"}, 409, "coach_not_found")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"coach": "nobody"}, "coach_not_found"),
        ({"label": "anna"}, "label_in_use"),
        ({}, "conference_full"),
    ],
)
async def test_a_refused_join_changes_nothing(api: Api, fields: dict[str, str], code: str) -> None:
    first = await api.enter("standup", 40000, label="anna", max_participants=2)
    if code == "conference_full":
        await api.enter("standup", 40002)
    before, events = api.footprint, await api.statuses(first["conference_id"])
    body = {"media": {"rtp": {**RTP, "port": 40004}}, **fields}
    await api.refused("POST", "/v1/conferences/standup/participants", body, 409, code)
    assert api.footprint == before
    assert await api.statuses(first["conference_id"]) == events


async def test_a_refused_first_join_leaves_no_conference(api: Api) -> None:
    body = {"media": {"rtp": RTP}, "coach": "nobody"}
    await api.refused("POST", "/v1/conferences/standup/participants", body, 409, "coach_not_found")
    assert api.footprint == EMPTY
    assert (await api.get("/v1/conferences"))["conferences"] == []


async def test_those_who_left_are_listed_with_all(api: Api) -> None:
    stays, leaves = await api.enter("standup", 40000), await api.enter("standup", 40002)
    await api.delete(f"/v1/calls/{leaves['call_id']}")
    path = "/v1/conferences/standup/participants"
    assert [p["call_id"] for p in (await api.get(path))["participants"]] == [stays["call_id"]]
    everybody = (await api.get(f"{path}?all=true"))["participants"]
    assert [p["state"] for p in everybody] == ["connecting", "left"]
    assert everybody[1]["reason_left"] == "participant_hung_up"
    await api.post("/v1/conferences/standup/end")
    later = await api.get(f"/v1/conferences/{stays['conference_id']}/participants?all=true")
    assert [p["state"] for p in later["participants"]] == ["left", "left"]


async def test_direction_and_jitter_buffer_reach_the_mixer(api: Api) -> None:
    listener = await api.post(
        "/v1/conferences/standup/participants", {"media": {"rtp": {**RTP, "direction": "recvonly"}}}, 201
    )
    leg = api.mixer_of(listener["conference_id"]).legs[listener["call_id"]]
    assert (leg["receives"], leg["sends"], leg["media_timeout_ms"]) == (False, True, 0)
    assert listener["participant"]["state"] == "active"
    talker = await api.post(
        "/v1/conferences/standup/participants",
        {"media": {"rtp": {**RTP, "port": 40002, "direction": "sendonly", "ssrc": 7}}, "jitter_buffer": "small"},
        201,
    )
    leg = api.mixer_of(listener["conference_id"]).legs[talker["call_id"]]
    assert (leg["receives"], leg["sends"], leg["media_timeout_ms"], leg["ssrc"]) == (True, False, 60_000, 7)
    assert leg["playout"] == Playout(margin_ms=10, max_ms=40)


async def test_a_learnt_address_goes_along_to_the_next_conference(api: Api) -> None:
    call_id = (await api.post("/v1/calls", {"media": {"rtp": {"codec": "opus"}}}, 201))["call_id"]
    assert api.mixers.lobby.legs[call_id]["remote"] is None
    api.mixers.lobby.connect(call_id, Address("127.0.0.1", 45678))
    joined = await api.join(call_id, "standup")
    assert joined["participant"]["state"] == "active"
    assert api.mixer_of(joined["conference_id"]).legs[call_id]["remote"] == Address("127.0.0.1", 45678)
