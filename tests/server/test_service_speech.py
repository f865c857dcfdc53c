"""Who speaks, from the mixer's reports to events, PARTICIPANT and figures."""

from typing import Any

from mixer.protocol import Dtmf, Levels, SpeechChanged
from tests.server.test_service import BrokenJournal
from tests.support.api import Api
from tests.support.fake_mixers import FakeMixer

START, STOP = "participant-speech-start", "participant-speech-stop"


async def pair(api: Api) -> tuple[str, str, FakeMixer]:
    first = await api.enter("x", 40000)
    second = await api.enter("x", 40002, beep=False)
    return first["call_id"], second["call_id"], api.mixer_of(first["conference_id"])


async def spoken(api: Api) -> list[tuple[str, str]]:
    events = (await api.get("/v1/conferences/x/events"))["events"]
    about = [(event["params"]["status"], event["params"].get("call_id", "")) for event in events]
    return [entry for entry in about if entry[0] in (START, STOP)]


async def speaking(api: Api) -> list[str]:
    participants = (await api.get("/v1/conferences/x/participants"))["participants"]
    in_stats = (await api.get("/v1/conferences/x/stats"))["calls"]
    shown = [participant["call_id"] for participant in participants if participant["speaking"]]
    assert [call["call_id"] for call in in_stats if call["speaking"]] == shown
    return shown


async def report(api: Api, mixer: FakeMixer, *news: Any) -> None:
    for item in news:
        mixer.report(item)
    await api.settle()


async def test_speech_becomes_events_and_is_shown(api: Api) -> None:
    anna, ben, mixer = await pair(api)
    await report(api, mixer, SpeechChanged(anna, True), SpeechChanged(ben, True), SpeechChanged(anna, False))
    assert await spoken(api) == [(START, anna), (START, ben), (STOP, anna)]
    assert await speaking(api) == [ben]


async def test_who_is_muted_does_not_speak_until_unmuted_while_talking(api: Api) -> None:
    anna, _, mixer = await pair(api)
    path = f"/v1/conferences/x/participants/{anna}"
    await api.patch(path, {"muted": True})
    await report(api, mixer, SpeechChanged(anna, True))
    assert await spoken(api) == [] and await speaking(api) == []
    await api.patch(path, {"muted": False})
    await api.settle()
    assert await spoken(api) == [(START, anna)]
    await api.patch(path, {"hold": True})
    assert await spoken(api) == [(START, anna), (STOP, anna)]
    await report(api, mixer, SpeechChanged(anna, False))
    await api.patch(path, {"hold": False})
    assert len(await spoken(api)) == 2, "it fell silent while held"


async def test_who_talks_while_waiting_speaks_from_the_start_on(api: Api) -> None:
    waiting = await api.enter("x", 40000, start_on_enter=False)
    mixer = api.mixer_of(waiting["conference_id"])
    await report(api, mixer, SpeechChanged(waiting["call_id"], True))
    assert await spoken(api) == []
    await api.enter("x", 40002)
    await api.settle()
    assert await spoken(api) == [(START, waiting["call_id"])]


async def test_who_leaves_speaking_has_stopped_before(api: Api) -> None:
    anna, ben, mixer = await pair(api)
    await report(api, mixer, SpeechChanged(anna, True))
    await api.delete(f"/v1/calls/{anna}")
    await report(api, mixer, SpeechChanged(anna, False), SpeechChanged(anna, True))
    assert (await api.statuses("x"))[-3:] == [START, STOP, "participant-leave"]
    assert await speaking(api) == []
    live = api.service.context.live.find("dev", "x")
    assert live is not None and live.heard.talking == set()
    assert ben in live.told


async def test_reports_that_come_together_are_written_together_and_tell_the_mixer_nothing(api: Api) -> None:
    anna, ben, mixer = await pair(api)
    await api.settle()
    journal = api.service.context.journal
    append, writes = journal.append, []

    async def counted(*arguments: Any) -> None:
        writes.append(arguments)
        await append(*arguments)

    journal.append = counted  # type: ignore[method-assign]
    mixer.log.clear()
    news = [SpeechChanged(call_id, talks) for talks in (True, False) for call_id in (anna, ben)]
    await report(api, mixer, *news, Dtmf(anna, "1", 100))
    assert len(writes) == 1 and len(await spoken(api)) == 4
    assert mixer.log == []


async def test_reports_wait_for_the_journal_in_their_order(api: Api, monkeypatch: Any) -> None:
    monkeypatch.setattr("server.service_retry.RETRY_S", 0.0)
    anna, _, mixer = await pair(api)
    journal = BrokenJournal(api)
    mixer.report(SpeechChanged(anna, True))
    await api.get("/v1/calls")
    mixer.report(Dtmf(anna, "1", 100))
    mixer.report(SpeechChanged(anna, False))
    await api.get("/v1/calls")
    journal.mend()
    await api.settle()
    assert (await api.statuses("x"))[-3:] == [START, "participant-dtmf", STOP]


async def test_the_active_speaker_is_one_who_is_heard(api: Api) -> None:
    anna, ben, mixer = await pair(api)

    async def active() -> Any:
        return (await api.get("/v1/conferences/x/stats"))["active_speaker"]

    assert await active() is None
    await report(api, mixer, SpeechChanged(anna, True), SpeechChanged(ben, True), Levels(anna, {anna: -12, ben: -20}))
    assert await active() == anna
    await api.patch(f"/v1/conferences/x/participants/{anna}", {"muted": True})
    assert await active() == ben
    await api.delete(f"/v1/calls/{ben}")
    assert await active() is None


async def test_news_of_what_is_gone_is_ignored(api: Api) -> None:
    anna, _, mixer = await pair(api)
    await api.post("/v1/conferences/x/end")
    await report(api, mixer, SpeechChanged(anna, True), Levels(anna, {anna: -12}))
    api.mixers.lobby.report(SpeechChanged("nobody", True))
    await api.settle()
    assert len(api.service.context.tasks) == 0
