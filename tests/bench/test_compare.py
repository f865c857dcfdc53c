from collections.abc import Iterator
from typing import Any

import pytest

from bench.compare import PAIRS, again, ratio, wait_until_steady
from bench.janus import JanusError
from server.loadtest.load import Load


def test_who_did_not_do_the_work_is_not_compared() -> None:
    ours = {"delivered": 1.0, "cpu_ms_per_participant_s": 0.5}
    theirs = {"delivered": 0.995, "cpu_ms_per_participant_s": 2.0}
    assert ratio(ours, theirs) == pytest.approx(4.0)
    assert ratio(ours, theirs | {"delivered": 0.5}) is None
    assert ratio(ours | {"delivered": 0.5}, theirs) is None


def test_each_pair_says_how_both_sides_encode() -> None:
    codings = {pair.name: pair.codings() for pair in PAIRS}
    ours = "low delay, complexity 0, 64 kbit/s"
    assert codings["janus-pcmu-all-200"] == ("G.711", "G.711")
    assert codings["janus-opus-all-50"] == (ours, "VoIP, complexity default (4), libopus' choice")
    assert codings["janus-opus-all-50-alike"] == (ours, "VoIP, complexity 1, 64 kbit/s")
    same = ("low delay, complexity 4, 64 kbit/s", "VoIP, complexity 4, 64 kbit/s")
    assert codings["janus-opus-3-100-same"] == codings["janus-opus-all-50-same"] == same


def test_a_server_that_makes_up_for_lost_time_is_waited_for() -> None:
    received = iter([0, 1500, 1200, 1003, 400])

    def measure(seconds: float) -> dict[str, Any]:
        return {"packets_received": next(received)}

    wait_until_steady(Load("pcmu", 20, 20), measure)
    assert next(received) == 400


def test_a_server_that_stays_silent_is_not_measured() -> None:
    with pytest.raises(JanusError, match=r"0\.00 packets"):
        wait_until_steady(Load("pcmu", 20, 20), lambda seconds: {"packets_received": 0})


def test_a_janus_that_gets_stuck_is_tried_anew_but_not_for_ever() -> None:
    outcomes: Iterator[JanusError | dict[str, Any]] = iter(
        [JanusError("stuck"), JanusError("stuck"), {"delivered": 1.0}, JanusError("stuck")]
    )

    def measure() -> dict[str, Any]:
        outcome = next(outcomes)
        if isinstance(outcome, JanusError):
            raise outcome
        return outcome

    assert again(measure, tries=3) == {"delivered": 1.0}
    with pytest.raises(JanusError, match="stuck"):
        again(measure, tries=1)
