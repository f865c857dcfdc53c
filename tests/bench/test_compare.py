from collections.abc import Iterator
from typing import Any

import pytest

from bench.compare import PAIRS, again, at_limit, ratio, steady
from bench.janus import JanusError
from server.loadtest.load import Load


def test_who_did_not_do_the_work_is_not_compared() -> None:
    ours = {"delivered": 1.0, "cpu_ms_per_participant_s": 0.5, "at_limit": False}
    theirs = {"delivered": 0.995, "cpu_ms_per_participant_s": 2.0, "at_limit": False}
    assert ratio(ours, theirs) == pytest.approx(4.0)
    assert ratio(ours, theirs | {"delivered": 0.5}) is None
    assert ratio(ours | {"delivered": 0.5}, theirs) is None


def test_who_had_no_more_than_a_core_is_compared_by_that() -> None:
    ours = {"delivered": 1.0, "cpu_ms_per_participant_s": 0.5, "at_limit": False}
    theirs = {"delivered": 0.6, "cpu_ms_per_participant_s": 10.0, "at_limit": True}
    assert ratio(ours, theirs) == pytest.approx(20.0)
    assert at_limit(0.6, core=0.99) and not at_limit(0.97, core=0.99)


@pytest.mark.parametrize(("kept", "core"), [(0.6, 0.7), (1.2, 0.99), (0.0, 0.1)])
def test_who_keeps_no_pace_for_another_reason_is_not_measured(kept: float, core: float) -> None:
    with pytest.raises(JanusError, match=f"{kept:.2f} packets"):
        at_limit(kept, core)


def test_each_pair_says_how_both_sides_encode() -> None:
    codings = {pair.name: pair.codings() for pair in PAIRS}
    ours = "low delay, complexity 5 with up to 8 streams, else 0, 64 kbit/s"
    assert codings["janus-pcmu-all-200"] == ("G.711", "G.711")
    assert codings["janus-opus-all-50"] == (ours, "VoIP, complexity default (4), libopus' choice")
    assert codings["janus-opus-all-50-alike"] == (ours, "VoIP, complexity 1, 64 kbit/s")
    same = ("low delay, complexity 4, 64 kbit/s", "VoIP, complexity 4, 64 kbit/s")
    assert codings["janus-opus-3-100-same"] == codings["janus-opus-all-50-same"] == same


def test_a_server_that_makes_up_for_lost_time_is_waited_for() -> None:
    received = iter([0, 1500, 1200, 1003, 400])

    def measure(seconds: float) -> dict[str, Any]:
        return {"packets_received": next(received)}

    assert steady(Load("pcmu", 20, 20), measure)
    assert next(received) == 400


def test_a_server_that_stays_silent_is_not_waited_for_for_ever() -> None:
    assert not steady(Load("pcmu", 20, 20), lambda seconds: {"packets_received": 0})


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
