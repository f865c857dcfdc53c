"""What a load test found, in figures; pure.

The server's side is the difference of two answers of `GET /v1/conferences/{id}/stats`, before and after the window,
over all conferences; its spreads of a tick's work and lateness are those of the server's own last minute.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

Stats = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Spread:
    """p50, p99 and largest of some times, ms."""

    p50: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class MixerFigures:
    """How the mixers did in the window. Of several mixers: the median p50, the worst p99 and max, sums of the rest."""

    ticks: int
    late_ticks: int
    work_ms: Spread
    lateness_ms: Spread
    lost: int
    """Packets of our callers that did not arrive."""
    late: int
    """Packets of our callers that came too late to be heard."""
    concealed: int
    """Ticks that were made up for them."""


def mixer_figures(
    before: Sequence[Stats], after: Sequence[Stats], call_ids: AbstractSet[str] | None = None
) -> MixerFigures:
    """Sum up the conferences' stats. `call_ids`: whose packets count; None: everybody's."""

    def grown(key: str) -> int:
        return sum(int(b["mixer"][key]) - int(a["mixer"][key]) for a, b in zip(before, after, strict=True))

    def of_calls(stats: Iterable[Stats], key: str) -> int:
        calls = (call for one in stats for call in one["calls"])
        return sum(int(call[key]) for call in calls if call_ids is None or call["call_id"] in call_ids)

    lost, late, concealed = (of_calls(after, key) - of_calls(before, key) for key in ("lost", "late", "concealed"))
    return MixerFigures(
        ticks=grown("ticks"),
        late_ticks=grown("late_ticks"),
        work_ms=_worst([one["mixer"]["work_ms"] for one in after]),
        lateness_ms=_worst([one["mixer"]["lateness_ms"] for one in after]),
        lost=lost,
        late=late,
        concealed=concealed,
    )


def _worst(spreads: Sequence[Mapping[str, float]]) -> Spread:
    return Spread(
        p50=median(one["p50"] for one in spreads),
        p99=max(one["p99"] for one in spreads),
        max=max(one["max"] for one in spreads),
    )


def join_spread_ms(took_s: Sequence[float]) -> dict[str, float]:
    """How long joins took: p50, p95, max in ms."""
    ordered = [1000 * took for took in took_s]
    p95 = quantiles(ordered, n=20, method="inclusive")[-1] if len(ordered) > 1 else ordered[0]
    return {"p50": median(ordered), "p95": p95, "max": max(ordered)}
