import subprocess
import sys
from pathlib import Path

from server.conference.diagram import page
from server.conference.model import ConferenceState, ParticipantState
from tests.server.conference.examples import KINDS

ROOT = Path(__file__).parents[3]


def test_the_page_in_the_docs_is_the_one_the_tables_make() -> None:
    assert (ROOT / "docs" / "states.md").read_text() == page()


def test_the_module_prints_the_page() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "server.conference.diagram"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert printed.stdout == page()


def test_the_page_shows_every_state_and_event() -> None:
    drawn = page()
    assert all(f" {state.value}" in drawn for state in (*ConferenceState, *ParticipantState))
    assert all(f"`{state.status}`" in drawn for state in ConferenceState)
    assert all(f"| {kind.__name__} |" in drawn for kind in KINDS)
    assert "waiting --> active: ConferenceStarted" in drawn
    assert "connecting --> active: ParticipantConnected (conference active)" in drawn
