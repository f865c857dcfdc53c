from typing import Any

import pytest

from server.caller.session import Counts
from server.demo.analysis import Cell, Hearing
from server.demo.checks import (
    cell_holds,
    check_delay,
    check_events,
    check_exit,
    check_hearing,
    check_packets,
    check_ticks,
)

NAMES = ["anna", "ben"]
CALL_IDS = {"anna": "a", "ben": "b"}


def hearing(**changes: Cell) -> Hearing:
    cells = {
        "anna_anna": Cell(-50, 0),
        "anna_ben": Cell(0.2, 0.03),
        "ben_anna": Cell(-1.5, 0.05),
        "ben_ben": Cell(-60, 0),
    }
    return {(key.split("_")[0], key.split("_")[1]): cell for key, cell in (cells | changes).items()}


def test_all_cells_right() -> None:
    line = check_hearing(hearing(), NAMES)
    assert (line.held, line.text) == (True, "4 of 4 cells right")


@pytest.mark.parametrize(
    ("listener", "talker", "gain_db", "holds"),
    [
        ("anna", "ben", 0.0, True),
        ("anna", "ben", 2.9, True),
        ("anna", "ben", -2.9, True),
        ("anna", "ben", 3.5, False),
        ("anna", "ben", -3.5, False),
        ("anna", "ben", -80.0, False),
        ("anna", "anna", -31.0, True),
        ("anna", "anna", -29.0, False),
        ("anna", "anna", 0.0, False),
    ],
)
def test_each_cell_has_its_limits(listener: str, talker: str, gain_db: float, holds: bool) -> None:
    assert cell_holds(listener, talker, Cell(gain_db, 0.0)) is holds


def test_a_cell_that_is_missing_does_not_hold() -> None:
    table = hearing()
    del table["ben", "ben"]
    assert not check_hearing(table, NAMES).held


def test_delay_counts_the_filling_of_a_packet() -> None:
    line = check_delay(hearing())
    assert (line.held, line.text) == (True, "50 to 70 ms (limit 150)")
    assert not check_delay(hearing(ben_anna=Cell(0, 0.14))).held
    assert not check_delay({}).held


def stats(late: int = 0, ticks: int = 500, lost: tuple[int, int] = (0, 0)) -> dict[str, Any]:
    lateness = {"p50": 0.05, "p99": 0.4, "max": 1.0}
    mixer = {"ticks": ticks, "late_ticks": late, "lateness_ms": lateness, "work_ms": lateness, "cpu_s": 0.1}
    calls = [{"call_id": call_id, "lost": number} for call_id, number in zip("ab", lost, strict=True)]
    return {"mixer": mixer, "calls": calls}


def test_ticks() -> None:
    line = check_ticks(stats())
    assert (line.held, line.text) == (True, "0 of 500 late; wake-up lateness p50 0.05, p99 0.40 ms")
    assert check_ticks(stats(late=5)).held
    assert not check_ticks(stats(late=6)).held
    assert not check_ticks(stats(ticks=0)).held


def counts(received: int = 400, lost: int = 0) -> Counts:
    return Counts(sent=400, received=received, lost=lost, late=0, duplicates=0, strangers=0, unknown=0)


def test_packets() -> None:
    good = {"anna": counts(), "ben": counts()}
    line = check_packets(good, stats())
    assert (line.held, line.text) == (True, "800 sent, 0 lost; 800 received, 0 lost")
    assert not check_packets(good | {"ben": counts(lost=20)}, stats()).held
    assert not check_packets(good, stats(lost=(20, 0))).held
    assert not check_packets(good | {"ben": counts(received=0)}, stats()).held
    assert not check_packets({}, stats()).held


def event(sequence: int, status: str, call_id: str = "") -> dict[str, Any]:
    return {"sequence": sequence, "params": {"status": status, "call_id": call_id}}


STORY = [
    ("participant-join", "a"),
    ("conference-start", ""),
    ("participant-join", "b"),
    ("participant-leave", "a"),
    ("participant-leave", "b"),
    ("conference-end", "b"),
]


def test_the_whole_story_holds() -> None:
    line = check_events([event(n, *step) for n, step in enumerate(STORY, 1)], CALL_IDS)
    assert (line.held, line.text) == (True, "6 logged, 1 to 6 without a gap, the end last")


@pytest.mark.parametrize("missing", range(6))
def test_a_story_that_lacks_anything_does_not(missing: int) -> None:
    steps = [step for n, step in enumerate(STORY) if n != missing]
    assert not check_events([event(n, *step) for n, step in enumerate(steps, 1)], CALL_IDS).held


def test_gaps_repetitions_and_order_are_faults() -> None:
    story = [event(n, *step) for n, step in enumerate(STORY, 1)]
    gap = [*story[:3], *(event(step["sequence"] + 1, **step["params"]) for step in story[3:])]
    twice = [*story[:-1], event(6, "participant-leave", "a"), event(7, "conference-end")]
    end_early = [*story[:4], event(5, "conference-end"), event(6, "participant-leave", "b")]
    assert "sequence numbers" in check_events(gap, CALL_IDS).text
    assert "3 leaves" in check_events(twice, CALL_IDS).text
    assert "the last is participant-leave" in check_events(end_early, CALL_IDS).text
    assert not check_events([], CALL_IDS).held


def test_only_exit_code_0_is_an_orderly_stop() -> None:
    assert check_exit(0).held
    assert check_exit(1).text == "SIGTERM, exit code 1"
    assert not check_exit(-15).held
    assert not check_exit(None).held
