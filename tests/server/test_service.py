"""The service when things go wrong: mixers that die or refuse, journals that fail, restarts; and what mixers report."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mixer.protocol import Address, Dtmf, LegBye, LegConnected, LegLost, LegTimedOut
from server.journal import JournalUnavailable
from tests.support.api import EMPTY, RTP, Api, serving
from tests.support.fake_mixers import FakeMixer

BODY = {"media": {"rtp": RTP}}


async def test_a_dead_mixer_ends_its_conference_and_spares_calls_that_live_on_their_own(api: Api) -> None:
    standing = await api.call(40000)
    joined = await api.join(standing, "x")
    passing = await api.enter("x", 40002)
    other = await api.enter("other", 40004)
    mixer = api.mixer_of(joined["conference_id"])
    leg = mixer.legs[standing]
    api.clock.pass_s(10)
    mixer.die()
    await api.settle()
    ended = await api.get(f"/v1/conferences/{joined['conference_id']}")
    assert (ended["status"], ended["reason_ended"]) == ("completed", "mixer-died")
    assert (await api.get(f"/v1/calls/{passing['call_id']}"))["state"] == "ended"
    assert (await api.get("/v1/conferences/other"))["conference_id"] == other["conference_id"]
    assert api.footprint == (2, 1, 2, 2)
    # The stream goes on: same SSRC, numbers ahead of all that the dead mixer can have sent in ten seconds.
    lobby_leg = api.mixers.lobby.legs[standing]
    assert lobby_leg["socket_id"] == leg["socket_id"]
    assert lobby_leg["outgoing"].ssrc == leg["outgoing"].ssrc
    jump = (lobby_leg["outgoing"].sequence - leg["outgoing"].sequence) % 65536
    assert 500 < jump < 1000
    assert (await api.join(standing, "x"))["conference_id"] != joined["conference_id"]


async def test_a_dead_lobby_is_replaced_and_its_calls_are_put_back(api: Api) -> None:
    calls = [await api.call(port) for port in (40000, 40002, 40004)]
    before = {call_id: dict(leg) for call_id, leg in api.mixers.lobby.legs.items()}
    api.clock.pass_s(1)
    api.mixers.lobby.die()
    await api.settle()
    legs = api.mixers.lobby.legs
    assert sorted(legs) == sorted(calls)
    for call_id in calls:
        assert legs[call_id]["socket_id"] == before[call_id]["socket_id"]
        assert legs[call_id]["outgoing"].sequence != before[call_id]["outgoing"].sequence
    assert (await api.request("GET", "/readyz")).status_code == 200


async def test_a_call_that_comes_back_while_the_lobby_is_dead_gets_into_the_next_one(api: Api) -> None:
    call_id = await api.call()
    joined = await api.join(call_id, "x")
    api.mixers.lobby.die()
    await api.post(f"/v1/calls/{call_id}/leave_conference", {"conference_id": joined["conference_id"]})
    await api.settle()
    assert call_id in api.mixers.lobby.legs
    await api.delete(f"/v1/calls/{call_id}")
    assert api.footprint == EMPTY


@pytest.mark.parametrize("one_request", [True, False])
async def test_a_mixer_that_cannot_be_launched_is_a_503_and_nothing_happened(api: Api, one_request: bool) -> None:
    call_id = await api.call()
    before = api.footprint
    api.mixers.fail_launches = True
    path = "/v1/conferences/x/participants" if one_request else f"/v1/calls/{call_id}/join_conference"
    await api.refused("POST", path, BODY if one_request else {"name": "x"}, 503, "mixer_unavailable")
    assert api.footprint == before
    assert call_id in api.mixers.lobby.legs
    assert (await api.get("/v1/conferences"))["conferences"] == []


@pytest.mark.parametrize("fault", ["refuse_legs", "die_on_add"])
@pytest.mark.parametrize("one_request", [True, False])
async def test_a_leg_that_cannot_be_had_undoes_the_join_by_events(api: Api, fault: str, one_request: bool) -> None:
    def prepare(mixer: FakeMixer) -> None:
        setattr(mixer, fault, mixer.name != "lobby")

    call_id = await api.call()
    before = api.footprint
    api.mixers.prepare = prepare
    path = "/v1/conferences/x/participants" if one_request else f"/v1/calls/{call_id}/join_conference"
    await api.refused("POST", path, BODY if one_request else {"name": "x"}, 503, "mixer_unavailable")
    await api.settle()
    assert api.footprint == before
    assert call_id in api.mixers.lobby.legs
    (conference,) = (await api.get("/v1/conferences"))["conferences"]
    statuses = await api.statuses(conference["conference_id"])
    assert statuses == ["participant-join", "conference-start", "participant-leave", "conference-end"]


class BrokenJournal:
    """Makes appends fail until it is mended."""

    def __init__(self, api: Api) -> None:
        self._journal = api.service.context.journal
        self._append = self._journal.append
        self._journal.append = self._fail  # type: ignore[method-assign]

    def mend(self) -> None:
        self._journal.append = self._append  # type: ignore[method-assign]

    async def _fail(self, *_args: Any) -> None:
        raise JournalUnavailable("the disk is full")


async def test_without_a_journal_nothing_changes(api: Api) -> None:
    joined = await api.enter("x", 40000)
    call_id = await api.call(40002)
    before = api.footprint
    journal = BrokenJournal(api)
    for path, body in [
        ("/v1/conferences/x/participants", {"media": {"rtp": {**RTP, "port": 40004}}}),
        ("/v1/conferences/new/participants", {"media": {"rtp": {**RTP, "port": 40004}}}),
        (f"/v1/calls/{call_id}/join_conference", {"name": "new"}),
        ("/v1/conferences/x/end", None),
    ]:
        await api.refused("POST", path, body, 503, "journal_unavailable")
    participant = f"/v1/conferences/x/participants/{joined['call_id']}"
    await api.refused("PATCH", participant, {"muted": True}, 503, "journal_unavailable")
    await api.refused("DELETE", f"/v1/calls/{joined['call_id']}", None, 503, "journal_unavailable")
    assert api.footprint == before
    assert api.mixer_of(joined["conference_id"]).legs[joined["call_id"]]["heard"] is True
    journal.mend()
    assert (await api.patch(participant, {"muted": True}))["muted"] is True
    assert len(await api.statuses(joined["conference_id"])) == 3


async def test_what_a_crash_left_open_is_ended_at_the_next_start(tmp_path: Path) -> None:
    async with serving(tmp_path) as crashed:
        joined = await crashed.enter("x")
        await crashed.be_killed()
    async with serving(tmp_path) as api:
        conference = await api.get(f"/v1/conferences/{joined['conference_id']}")
        assert (conference["status"], conference["reason_ended"]) == ("completed", "server-restarted")
        assert (await api.statuses(joined["conference_id"]))[-2:] == ["participant-leave", "conference-end"]
        assert (await api.enter("x"))["conference_id"] != joined["conference_id"]


async def test_reports_become_events(api: Api) -> None:
    joined = await api.enter("x")
    call_id = joined["call_id"]
    mixer = api.mixer_of(joined["conference_id"])
    mixer.report(LegConnected(call_id, Address("127.0.0.1", 40000)))
    for digit in "12#":
        mixer.report(Dtmf(call_id, digit, 100))
    mixer.report(LegLost(call_id))
    await api.settle()
    events = (await api.get("/v1/conferences/x/events?after=2"))["events"]
    assert [event["params"].get("digit") for event in events] == ["1", "2", "#", None]
    assert events[-1]["params"]["status"] == "participant-lost"
    participants = (await api.get("/v1/conferences/x/participants"))["participants"]
    assert participants[0]["state"] == "active"


class Pause:
    """Stands for the pause before something is written again; lasts until told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._began, self.over = asyncio.Event(), asyncio.Event()
        monkeypatch.setattr("server.service_news.pause", self._pause)

    async def _pause(self) -> None:
        self._began.set()
        await self.over.wait()

    async def begins(self) -> None:
        await asyncio.wait_for(self._began.wait(), 10)


async def test_what_is_reported_while_nothing_can_be_written_is_logged_as_of_when_it_was(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined = await api.enter("x")
    mixer, journal, pause = api.mixer_of(joined["conference_id"]), BrokenJournal(api), Pause(monkeypatch)
    began = api.clock.now()
    for digit in "12":
        api.clock.pass_s(2)
        mixer.report(Dtmf(joined["call_id"], digit, 100))
    await pause.begins()
    api.clock.pass_s(5)
    journal.mend()
    pause.over.set()
    await api.settle()
    events = (await api.get("/v1/conferences/x/events?after=2"))["events"]
    assert [(event["params"]["digit"], event["timestamp"] - began) for event in events] == [("1", 2), ("2", 4)]


async def test_what_is_logged_late_is_not_logged_as_before_what_is_logged_already(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined = await api.enter("x")
    mixer, journal, pause = api.mixer_of(joined["conference_id"]), BrokenJournal(api), Pause(monkeypatch)
    began = api.clock.now()
    mixer.report(Dtmf(joined["call_id"], "1", 100))
    await pause.begins()
    api.clock.pass_s(3)
    journal.mend()
    await api.patch(f"/v1/conferences/x/participants/{joined['call_id']}", {"muted": True})
    pause.over.set()
    await api.settle()
    events = (await api.get("/v1/conferences/x/events?after=2"))["events"]
    assert [(event["params"]["status"], event["timestamp"] - began) for event in events] == [
        ("participant-mute", 3),
        ("participant-dtmf", 3),
    ]


@pytest.mark.parametrize(
    ("news", "reason"),
    [(LegBye, "participant_hung_up"), (LegTimedOut, "media_timeout")],
)
async def test_a_far_end_that_is_gone_is_hung_up(api: Api, news: type[LegBye] | type[LegTimedOut], reason: str) -> None:
    in_lobby = await api.call(40000)
    api.mixers.lobby.report(news(in_lobby))
    joined = await api.enter("x", 40002)
    api.mixer_of(joined["conference_id"]).report(news(joined["call_id"]))
    await api.settle()
    assert api.footprint == EMPTY
    assert (await api.get(f"/v1/calls/{in_lobby}"))["reason_ended"] == reason
    everybody = await api.get(f"/v1/conferences/{joined['conference_id']}/participants?all=true")
    assert everybody["participants"][0]["reason_left"] == reason


async def test_a_hang_up_that_cannot_be_written_is_tried_until_it_is(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.service_retry.RETRY_S", 0.0)
    joined = await api.enter("x")
    journal = BrokenJournal(api)
    api.mixer_of(joined["conference_id"]).report(LegBye(joined["call_id"]))
    await api.get("/v1/calls")
    assert api.footprint == (1, 1, 1, 2)
    journal.mend()
    await api.settle()
    assert api.footprint == EMPTY


async def test_late_reports_of_a_call_that_moved_on_change_nothing(api: Api) -> None:
    call_id = await api.call()
    lobby = api.mixers.lobby
    joined = await api.join(call_id, "x")
    lobby.report(LegBye(call_id))
    lobby.report(LegTimedOut("no such call"))
    await api.settle()
    assert (await api.get(f"/v1/calls/{call_id}"))["conference_id"] == joined["conference_id"]


async def test_many_joins_and_leaves_leave_nothing_behind(api: Api) -> None:
    call_id = await api.call()
    for _ in range(50):
        joined = await api.join(call_id, "x")
        await api.enter("x", 40002)
        await api.post(f"/v1/calls/{call_id}/leave_conference", {"conference_id": joined["conference_id"]})
        await api.post("/v1/conferences/x/end")
    assert api.footprint == (1, 0, 1, 1)
    assert api.service.context.live._locks == {}
    await api.delete(f"/v1/calls/{call_id}")
    assert api.footprint == EMPTY
    assert api.service.context.calls._locks == {}


async def test_the_servers_cap_holds_whatever_joins_ask_for(tmp_path: Path) -> None:
    async with serving(tmp_path, max_participants=2) as api:
        await api.enter("x", 40000, max_participants=50)
        await api.enter("x", 40002)
        body = {"media": {"rtp": {**RTP, "port": 40004}}}
        await api.refused("POST", "/v1/conferences/x/participants", body, 409, "conference_full")


async def test_min_participants_to_start_of_the_server_is_the_default(tmp_path: Path) -> None:
    async with serving(tmp_path, min_participants_to_start=2, region="eu") as api:
        await api.enter("x", 40000)
        waiting = await api.get("/v1/conferences/x")
        assert (waiting["status"], waiting["region"]) == ("init", "eu")
        await api.enter("y", 40000, min_participants_to_start=1, region="us")
        assert (await api.get("/v1/conferences/y"))["region"] == "us"
        assert (await api.get("/v1/conferences/y"))["status"] == "in-progress"
