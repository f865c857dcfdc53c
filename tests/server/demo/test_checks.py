from hashlib import sha256
from typing import Any

import pytest

from server.caller.session import Counts
from server.demo.analysis import Cell, Hearing
from server.demo.checks import (
    RECORDING,
    cell_holds,
    check_delay,
    check_events,
    check_exit,
    check_hearing,
    check_packets,
    check_recording,
    check_ticks,
    check_webhooks,
)
from server.demo.receiver import Told
from server.demo.talk import Recorded

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
    return {"id": f"e-{sequence}", "sequence": sequence, "params": {"status": status, "call_id": call_id}}


STORY = [
    ("participant-join", "a"),
    ("conference-start", ""),
    ("participant-join", "b"),
    ("participant-leave", "a"),
    ("participant-leave", "b"),
    ("conference-end", "b"),
    ("record-stop", ""),
]


def test_the_whole_story_holds() -> None:
    line = check_events([event(n, *step) for n, step in enumerate(STORY, 1)], CALL_IDS)
    assert (line.held, line.text) == (True, "7 logged, 1 to 7 without a gap, the end last")


@pytest.mark.parametrize("missing", range(7))
def test_a_story_that_lacks_anything_does_not(missing: int) -> None:
    steps = [step for n, step in enumerate(STORY) if n != missing]
    assert not check_events([event(n, *step) for n, step in enumerate(steps, 1)], CALL_IDS).held


def test_gaps_repetitions_and_order_are_faults() -> None:
    story = [event(n, *step) for n, step in enumerate(STORY, 1)]
    gap = [*story[:3], *(event(step["sequence"] + 1, **step["params"]) for step in story[3:])]
    last = [event(7, "conference-end"), event(8, "record-stop")]
    twice = [*story[:-2], event(6, "participant-leave", "a"), *last]
    end_early = [*story[:4], event(5, "conference-end"), event(6, "participant-leave", "b"), event(7, "record-stop")]
    assert "sequence numbers" in check_events(gap, CALL_IDS).text
    assert "3 leaves" in check_events(twice, CALL_IDS).text
    assert "the last are participant-leave and record-stop" in check_events(end_early, CALL_IDS).text
    assert not check_events([], CALL_IDS).held


def test_only_exit_code_0_is_an_orderly_stop() -> None:
    assert check_exit(0).held
    assert check_exit(1).text == "SIGTERM, exit code 1"
    assert not check_exit(-15).held
    assert not check_exit(None).held


def told(*events: dict[str, Any], forged: int = 0) -> Told:
    return Told("http://127.0.0.1:1/", list(events), forged)


def test_webhooks_are_whole_in_order_and_genuine() -> None:
    story = [event(n, *step) for n, step in enumerate(STORY, 1)]
    assert check_webhooks(story, told(*story)).text == "7 of 7 delivered, in order, every signature verified"
    assert check_webhooks(story, told(*story[:3], *story[2:])).held, "once more does no harm"
    assert "1 missing" in check_webhooks(story, told(*story[1:])).text
    assert "out of order" in check_webhooks(story, told(story[1], story[0], *story[2:])).text
    assert "1 with a wrong signature" in check_webhooks(story, told(*story, forged=1)).text
    assert "not as they were logged" in check_webhooks(story, told(*story[:-1], story[-1] | {"size": 9})).text


TRACK = b"a track"
AUDIO = b"an audio file"


def recorded(**changes: Any) -> Recorded:
    recording = {
        "status": "completed",
        "duration_s": 8.5,
        "sha256": sha256(AUDIO).hexdigest(),
        "tracks": [{"call_id": call_id, "sha256": sha256(TRACK).hexdigest()} for call_id in CALL_IDS.values()],
    }
    return Recorded(recording | changes, 0.5, AUDIO, dict.fromkeys(CALL_IDS.values(), TRACK))


def in_it(gain_db: float = 0.0) -> Hearing:
    return {(RECORDING, who): Cell(gain_db, 0.05) for who in CALL_IDS}


def test_a_recording_holds_all_voices() -> None:
    assert check_recording(in_it(), recorded(), CALL_IDS).held
    assert "anna is not in it right" in check_recording(in_it(-12.0), recorded(), CALL_IDS).text
    assert "its hash is wrong" in check_recording(in_it(), recorded(sha256="0"), CALL_IDS).text
    assert "0 tracks" in check_recording(in_it(), recorded(tracks=[]), CALL_IDS).text
    absent = Recorded({"status": "absent"})
    assert check_recording({}, absent, CALL_IDS).text == "there is none; its status is absent"
