"""Speech: rules 5.1-1 to 5.1-3."""

from typing import Any

import pytest

from server.conference.commands import Command, End, Kick, Leave, Speech, Update
from tests.server.conference.rules.support import waiting
from tests.server.conference.scenario import started


def test_5_1_1_speech_starts_and_stops() -> None:
    scenario = started("a", "b")
    assert scenario.do(Speech("a", speaking=True)) == ["participant-speech-start"]
    assert scenario.participant("a").speaking
    assert scenario.do(Speech("a", speaking=False)) == ["participant-speech-stop"]
    assert not scenario.participant("a").speaking


@pytest.mark.parametrize("update", [{"muted": True}, {"hold": True}, {"hold": True, "muted": True}])
def test_5_1_2_only_who_is_heard_speaks(update: dict[str, Any]) -> None:
    scenario = started("a", "b")
    scenario.do(Update("a", **update))
    assert scenario.do(Speech("a", speaking=True)) == []
    unstarted = waiting("a")
    assert unstarted.do(Speech("a", speaking=True)) == []
    coaching = started("a", "b")
    coaching.join("c", coach="a")
    assert coaching.do(Speech("c", speaking=True)) == ["participant-speech-start"]
    coaching.do(Leave("a"))
    assert coaching.do(Speech("c", speaking=True)) == []


@pytest.mark.parametrize(
    ("command", "statuses"),
    [
        (Speech("a", speaking=True), []),
        (Update("a", muted=True), ["participant-speech-stop", "participant-mute"]),
        (Update("a", hold=True), ["participant-speech-stop", "participant-hold"]),
        (Update("a", hold=True, muted=True), ["participant-speech-stop", "participant-mute", "participant-hold"]),
        (Update("a", gain_db=1.0), ["participant-modify"]),
        (Leave("a"), ["participant-speech-stop", "participant-leave"]),
        (Kick("a"), ["participant-speech-stop", "participant-leave"]),
        (End(), ["participant-speech-stop", "participant-leave", "participant-leave", "conference-end"]),
    ],
    ids=repr,
)
def test_5_1_3_starts_and_stops_alternate(command: Command, statuses: list[str]) -> None:
    scenario = started("a", "b")
    assert scenario.do(Speech("a", speaking=False)) == []
    scenario.do(Speech("a", speaking=True))
    assert scenario.do(command) == statuses
    if "participant-speech-stop" in statuses:
        assert scenario.do(Speech("a", speaking=False)) == []
