"""Conferences over the API: created by a join, found by id and name, ended; their events and figures."""

import asyncio

from tests.support.api import EMPTY, Api


async def test_the_first_join_creates_and_starts_a_conference(api: Api) -> None:
    joined = await api.enter("standup")
    conference = await api.get(f"/v1/conferences/{joined['conference_id']}")
    assert conference == {
        "conference_id": joined["conference_id"],
        "name": "standup",
        "status": "in-progress",
        "size": 1,
        "region": None,
        "created_at": "2027-01-15T08:00:00.000Z",
        "started_at": "2027-01-15T08:00:00.000Z",
        "ended_at": None,
        "reason_ended": None,
        "recording_ids": [],
        "last_sequence": 2,
    }
    assert await api.get("/v1/conferences/standup") == conference


async def test_a_conference_waits_for_a_starter_and_mixes_nobody_until_then(api: Api) -> None:
    waiting = await api.enter("standup", 40000, start_on_enter=False)
    assert (await api.get("/v1/conferences/standup"))["status"] == "init"
    legs = api.mixer_of(waiting["conference_id"]).legs
    assert (legs[waiting["call_id"]]["heard"], legs[waiting["call_id"]]["hears"]) == (False, False)
    await api.enter("standup", 40002)
    assert all(leg["heard"] and leg["hears"] for leg in legs.values()) and len(legs) == 2
    assert (await api.get("/v1/conferences/standup"))["status"] == "in-progress"


async def test_min_participants_to_start_is_the_first_joins(api: Api) -> None:
    await api.enter("standup", 40000, min_participants_to_start=2)
    assert (await api.get("/v1/conferences/standup"))["status"] == "init"
    await api.enter("standup", 40002, min_participants_to_start=9)
    assert (await api.get("/v1/conferences/standup"))["status"] == "in-progress"


async def test_two_first_joins_at_once_make_one_conference(api: Api) -> None:
    joins = await asyncio.gather(*(api.enter("standup", 40000 + 2 * n) for n in range(8)))
    assert len({joined["conference_id"] for joined in joins}) == 1
    assert api.footprint == (8, 1, 1, 2)


async def test_a_name_used_again_after_the_end_is_another_conference(api: Api) -> None:
    first = await api.enter("standup")
    ended = await api.post(f"/v1/conferences/{first['conference_id']}/end")
    assert ended["status"] == "completed" and ended["reason_ended"] == "conference-ended-via-api"
    second = await api.enter("standup")
    assert second["conference_id"] != first["conference_id"]
    assert (await api.get("/v1/conferences/standup"))["conference_id"] == second["conference_id"]
    listed = (await api.get("/v1/conferences?name=standup"))["conferences"]
    assert {c["conference_id"] for c in listed} == {first["conference_id"], second["conference_id"]}
    completed = (await api.get("/v1/conferences?status=completed"))["conferences"]
    assert [c["conference_id"] for c in completed] == [first["conference_id"]]
    assert (await api.get("/v1/conferences?name=other"))["conferences"] == []


async def test_ending_hangs_up_who_came_in_one_request_and_keeps_the_others_up(api: Api) -> None:
    standing = await api.call(40000)
    joined = await api.join(standing, "standup")
    passing = await api.enter("standup", 40002)
    mixer = api.mixer_of(joined["conference_id"])
    await api.post("/v1/conferences/standup/end")
    assert not mixer.alive and mixer.byes == [passing["call_id"]]
    assert list(api.mixers.lobby.legs) == [standing]
    assert (await api.get(f"/v1/calls/{passing['call_id']}"))["state"] == "ended"
    assert (await api.get(f"/v1/calls/{standing}"))["state"] == "answered"
    assert api.footprint == (1, 0, 1, 1)
    assert await api.statuses(joined["conference_id"]) == [
        "participant-join", "conference-start", "participant-join",
        "participant-leave", "participant-leave", "conference-end",
    ]  # fmt: skip
    await api.refused("POST", f"/v1/conferences/{joined['conference_id']}/end", None, 409, "conference_ended")


async def test_end_on_exit_ends_it_for_all(api: Api) -> None:
    host = await api.enter("standup", 40000, end_on_exit=True)
    await api.enter("standup", 40002)
    await api.delete(f"/v1/calls/{host['call_id']}")
    ended = await api.get(f"/v1/conferences/{host['conference_id']}")
    assert ended["reason_ended"] == "participant-with-end-conference-on-exit-left"
    assert api.footprint == EMPTY


async def test_events_are_given_from_a_sequence_number_on(api: Api) -> None:
    joined = await api.enter("standup")
    path = f"/v1/conferences/{joined['conference_id']}/events"
    later = await api.get(f"{path}?after=1")
    assert [event["sequence"] for event in later["events"]] == [2] and later["last_sequence"] == 2
    assert [event["sequence"] for event in (await api.get(f"{path}?limit=1"))["events"]] == [1]
    assert (await api.get(f"{path}?after=2"))["events"] == []
    await api.refused("GET", f"{path}?after=-1", None, 422, "invalid_request")


async def test_stats_have_the_promised_shape(api: Api) -> None:
    joined = await api.enter("standup")
    assert await api.get("/v1/conferences/standup/stats") == {
        "mixer": {
            "ticks": 500,
            "late_ticks": 0,
            "lateness_ms": {"p50": 0.1, "p99": 0.2, "max": 0.3},
            "work_ms": {"p50": 1.0, "p99": 2.0, "max": 3.0},
            "cpu_s": 0.75,
        },
        "calls": [
            {
                "call_id": joined["call_id"],
                "packets_in": 100,
                "packets_out": 101,
                "lost": 1,
                "late": 2,
                "duplicates": 3,
                "concealed": 4,
                "jitter_ms": 5.5,
                "buffer_ms": 20.0,
                "added_delay_ms": 25.0,
                "level_dbov": -30.0,
                "accelerated_ms": 40.0,
                "stretched_ms": 2.5,
                "far_end_loss": 0.125,
                "round_trip_ms": None,
                "speaking": False,
            }
        ],
        "active_speaker": None,
    }
    await api.post("/v1/conferences/standup/end")
    await api.refused("GET", f"/v1/conferences/{joined['conference_id']}/stats", None, 409, "conference_ended")


async def test_the_list_is_read_page_by_page_whatever_begins_meanwhile(api: Api) -> None:
    expected = []
    for number in range(6):
        api.clock.pass_s(number % 2)  # some begin at the same moment
        expected.append((await api.enter(f"c{number}", 40000 + 2 * number))["conference_id"])
    for name in ("c0", "c3"):
        await api.post(f"/v1/conferences/{name}/end")
    read: list[str] = []
    page = (await api.get("/v1/conferences?limit=2"))["conferences"]
    while page:
        read += [conference["conference_id"] for conference in page]
        await api.enter(f"new{len(read)}", 40100 + len(read) * 2)
        page = (await api.get(f"/v1/conferences?limit=2&before={read[-1]}"))["conferences"]
    assert sorted(read) == sorted(expected)
    assert [
        c["name"] for c in (await api.get(f"/v1/conferences?status=completed&before={expected[3]}"))["conferences"]
    ] == ["c0"]
    await api.refused("GET", "/v1/conferences?before=nothing", None, 422, "invalid_request")


async def test_who_took_part_can_be_read_after_the_end(api: Api) -> None:
    anna = await api.enter("x", 40000, label="anna", metadata={"n": 1})
    ben = await api.enter("x", 40002)
    path = f"/v1/conferences/{anna['conference_id']}"
    await api.delete(f"{path}/participants/{ben['call_id']}")
    await api.post(f"{path}/end")
    assert (await api.get(f"{path}/participants"))["participants"] == []
    everybody = (await api.get(f"{path}/participants?all=true"))["participants"]
    assert [(p["call_id"], p["state"], p["reason_left"], p["label"], p["metadata"]) for p in everybody] == [
        (anna["call_id"], "left", "conference_ended_via_api", "anna", {"n": 1}),
        (ben["call_id"], "left", "participant_updated_via_api", None, {}),
    ]
    assert (await api.get(path))["size"] == 0


async def test_an_unknown_conference_is_404(api: Api) -> None:
    for method, path in [
        ("GET", "/v1/conferences/x"), ("POST", "/v1/conferences/x/end"), ("GET", "/v1/conferences/x/participants"),
        ("GET", "/v1/conferences/x/events"), ("GET", "/v1/conferences/x/stats"),
        ("DELETE", "/v1/conferences/x/participants/y"),
    ]:  # fmt: skip
        await api.refused(method, path, None, 404, "not_found")
    await api.refused("PATCH", "/v1/conferences/x/participants/y", {"muted": True}, 404, "not_found")


async def test_region_and_wrong_filters(api: Api) -> None:
    joined = await api.enter("standup", region="eu")
    assert (await api.get(f"/v1/conferences/{joined['conference_id']}"))["region"] == "eu"
    await api.refused("GET", "/v1/conferences?status=over", None, 422, "invalid_request")
