"""How long sound stays late after the network has held everything back for a while; pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from server.loadtest.load import HOLD_EVERY_S, HOLD_FROM_S, Load
from server.loadtest.probe import Echo

NEAR_MS: Final = 20.0
"""Who is no later than this, against what was before, is back."""
WATCHED_S: Final = 15.0
"""After each time."""
TOGETHER: Final = 5
"""Bursts whose median counts: one that the machine made late is not the server's buffers."""
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of the delay, over all times that everything was held."""

    baseline_ms: float
    """Added delay before, median."""
    holds: int
    worst_ms: float
    """Most that TOGETHER bursts took more than before, median: how the first of them is matched, is a guess."""
    after_s: float
    """From the end of a hold until bursts stay within NEAR_MS of what their talkers' took before; the longest."""
    recovered: bool
    """If not, `after_s` is how long it was watched."""


def recovery(echoes: Sequence[Echo], opened_ns: int, seconds: float, load: Load) -> Recovery | None:
    """Find how long it took; None: nothing was heard before, or the window had no hold that could be watched.

    Args:
        echoes: in the order in which they were sent.
        opened_ns: when the window opened, of `seconds`.
    """
    first_ns = opened_ns + int(HOLD_FROM_S * _NS)
    before: dict[int, list[float]] = defaultdict(list)
    for echo in echoes:
        if echo.sent_ns < first_ns:
            before[echo.caller].append(echo.delay_ms)
    baseline = {caller: median(delays_ms) for caller, delays_ms in before.items()}
    holds = int((seconds - HOLD_FROM_S - WATCHED_S) // HOLD_EVERY_S) + 1
    if not baseline or holds < 1:
        return None
    worst_ms, after_s, recovered = 0.0, 0.0, True
    for number in range(holds):
        ended_ns = first_ns + int((number * HOLD_EVERY_S + load.hold_ms / 1000) * _NS)
        later = [
            ((echo.sent_ns - ended_ns) / _NS, echo.delay_ms - baseline[echo.caller])
            for echo in echoes
            if echo.caller in baseline and ended_ns <= echo.sent_ns <= ended_ns + WATCHED_S * _NS
        ]
        medians = _medians(later)
        worst_ms = max([worst_ms, *(more_ms for _, more_ms in medians)])
        back_s = _back(medians)
        recovered &= back_s is not None
        after_s = max(after_s, WATCHED_S if back_s is None else back_s)
    everything = [delay_ms for delays_ms in before.values() for delay_ms in delays_ms]
    return Recovery(median(everything), holds, worst_ms, after_s, recovered)


def _medians(later: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """When (s) each was sent that has enough after it, and what it and those took more than before, ms."""
    starts = range(len(later) - TOGETHER + 1)
    windows = [later[start : start + TOGETHER] for start in starts]
    return [(window[0][0], median(more_ms for _, more_ms in window)) for window in windows]


def _back(medians: Sequence[tuple[float, float]]) -> float | None:
    """When (s) the delay was back for good."""
    away = [number for number, (_, more_ms) in enumerate(medians) if more_ms > NEAR_MS]
    if not medians or away[-1:] == [len(medians) - 1]:
        return None
    return medians[away[-1] + 1][0] if away else 0.0
