"""The page of invariants and the checks name each other, and the checks can fail."""

import dataclasses
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

from server.conference.commands import Speech, Update
from server.conference.model import Conference
from tests.server.conference import invariants, log_invariants
from tests.server.conference.scenario import Scenario, started

PAGE = (Path(__file__).parents[3] / "docs" / "invariants.md").read_text()


def checks(module: ModuleType) -> list[str]:
    return [
        name
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_") and name != "check"
    ]


def test_the_page_names_every_check_and_no_other() -> None:
    named = re.findall(r"^\| .* \| `(\w+)` \|$", PAGE, re.MULTILINE)
    assert sorted(named) == sorted(checks(invariants) + checks(log_invariants))


def test_every_check_is_run() -> None:
    sources = [inspect.getsource(module.check) for module in (invariants, log_invariants)]
    sources.append((Path(__file__).parent / "test_histories.py").read_text())
    run = "\n".join(sources)
    assert [name for name in checks(invariants) + checks(log_invariants) if f"{name}(" not in run] == []


def broken(scenario: Scenario, **changes: object) -> Scenario:
    assert scenario.current is not None
    scenario.current = dataclasses.replace(scenario.current, **changes)  # type: ignore[arg-type]
    return scenario


def with_changed(conference: Conference, call_id: str, **changes: object) -> dict[str, object]:
    changed = dataclasses.replace(conference.participants[call_id], **changes)  # type: ignore[arg-type]
    return {**conference.participants, call_id: changed}


def test_a_sound_conference_passes() -> None:
    scenario = started("a", "b")
    scenario.do(Speech("a", speaking=True))
    scenario.announce("x", "b")
    invariants.check(scenario)


def test_a_wrong_size_is_found() -> None:
    with pytest.raises(AssertionError):
        invariants.check(broken(started("a", "b"), size=3))


def test_a_wrong_sequence_is_found() -> None:
    with pytest.raises(AssertionError):
        invariants.check(broken(started("a", "b"), sequence=9))


def test_a_coach_of_nobody_present_is_found() -> None:
    scenario = started("a", "b")
    changed = with_changed(scenario.conference, "a", coaching=True, coach="gone")
    with pytest.raises(AssertionError):
        invariants.check(broken(scenario, participants=changed))


def test_a_muted_speaker_is_found() -> None:
    scenario = started("a", "b")
    scenario.do(Speech("a", speaking=True))
    changed = with_changed(scenario.conference, "a", muted=True)
    with pytest.raises(AssertionError):
        invariants.check(broken(scenario, participants=changed))


def test_a_lost_announcement_is_found() -> None:
    scenario = started("a", "b")
    scenario.announce("x")
    with pytest.raises(AssertionError):
        invariants.check(broken(scenario, announcements=()))


def test_a_change_that_the_log_does_not_know_is_found() -> None:
    scenario = started("a", "b")
    scenario.do(Update("a", wait_url="https://example.org/m.mp3"))
    changed = with_changed(scenario.conference, "a", beep_on_exit=False)
    with pytest.raises(AssertionError):
        invariants.check(broken(scenario, participants=changed))
