from typing import Any

import pytest

from server.loadtest.load import MOST_CALLERS, Load


def test_conferences_are_filled_one_after_another() -> None:
    load = Load("opus", 6, 2, conferences=3)
    assert [load.conference_of(caller) for caller in range(6)] == [0, 0, 1, 1, 2, 2]
    assert (load.parties, load.listener, load.probes) == (2, 1, 1)


def test_the_listener_sends_no_bursts() -> None:
    assert Load("pcmu", 3, 3).probes == 2
    assert Load("pcmu", 100, 100).probes == 5
    assert Load("pcmu", 100, 0).probes == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"codec": "mp3"}, "mp3"),
        ({"participants": 1}, "1 callers"),
        ({"participants": MOST_CALLERS + 1}, "callers"),
        ({"participants": 10, "conferences": 3}, "shared out"),
        ({"participants": 4, "conferences": 4}, "two or more"),
        ({"conferences": 0}, "shared out"),
        ({"talkers": 11}, "11 talkers"),
        ({"talkers": -1}, "talkers"),
        ({"loss": 0.95}, "loss"),
        ({"loss": -0.1}, "loss"),
        ({"jitter_ms": 501}, "jitter of 501 ms"),
        ({"hold_ms": -1}, "held for -1 ms"),
        ({"reported_loss": 1.0}, "reported loss of 100 %"),
    ],
)
def test_absurd_loads_are_refused_with_a_reason(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Load(**{"codec": "pcmu", "participants": 10, "talkers": 3, **changes})
