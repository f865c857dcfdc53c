"""What the tests of rules share."""

from typing import Any, Final

import pytest

from server.conference.commands import Command
from server.conference.refusals import Refusal
from tests.server.conference.scenario import Scenario

JOIN: Final = ["participant-join"]
JOIN_AND_START: Final = ["participant-join", "conference-start"]
MUSIC: Final = "https://example.org/music.mp3"


def refused(scenario: Scenario, command: Command) -> str:
    before, logged, happened = scenario.current, len(scenario.log), len(scenario.happened)
    with pytest.raises(Refusal) as refusal:
        scenario.do(command)
    assert scenario.current is before
    assert (len(scenario.log), len(scenario.happened)) == (logged, happened)
    return refusal.value.code


def waiting(*call_ids: str, **fields: Any) -> Scenario:
    scenario = Scenario()
    for call_id in call_ids:
        assert scenario.join(call_id, **({"start_on_enter": False} | fields)) == JOIN
    return scenario
