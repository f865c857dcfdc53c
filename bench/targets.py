"""What is claimed of Parley's speed, and whether a report bears it out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

Result = Mapping[str, Any]


@dataclass(frozen=True)
class Target:
    """A figure of a row, and the least or most it may be."""

    row: str
    what: str
    figure: Callable[[Result], float | None]
    bound: Literal["at most", "at least"]
    limit: float
    unit: str = ""

    def held(self, value: float) -> bool:
        return value <= self.limit if self.bound == "at most" else value >= self.limit


@dataclass(frozen=True)
class Finding:
    """A target, and what was measured; None: nothing was."""

    target: Target
    value: float | None

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        return "held" if self.target.held(self.value) else "missed"


def _late(result: Result) -> float:
    return float(result["late_ticks"])


def _delivered(result: Result) -> float:
    return 100 * float(result["delivered"])


def _cpu(result: Result) -> float:
    return float(result["cpu_ms_per_participant_s"]["total"])


def _delay_p50(result: Result) -> float | None:
    value: float | None = result["delay"]["p50_ms"]
    return value


def _delay_p95(result: Result) -> float | None:
    value: float | None = result["delay"]["p95_ms"]
    return value


def _ratio(result: Result) -> float | None:
    value: float | None = result["ratio"]
    return value


def _recovered_s(result: Result) -> float | None:
    """None: it could not be seen; one that did not recover has been watched for longer than is claimed."""
    found = result["recovery"]
    return None if found is None else float(found["after_s"])


LARGE: Final = ("pcmu-all-2000", "opus-3-2000", "opus-all-150", "pcmu-80x2")
CHEAP: Final = LARGE[:2]
CLEAN: Final = ("pcmu-all-100", "opus-3-100")
JITTERED: Final = tuple(f"{row}-jitter50" for row in CLEAN)
HELD_BACK: Final = tuple(f"{row}-burst300" for row in CLEAN)
TIMES_JANUS: Final = {"janus-pcmu-all-200": 6.0, "janus-opus-3-100": 35.0, "janus-opus-all-50": 2.5}
RECORDED: Final = ("recording-pcmu", "recording-opus")
SOUND: Final = (
    *(Target(row, "late ticks", _late, "at most", 0) for row in LARGE),
    *(Target(row, "delivered", _delivered, "at least", 99.9, " %") for row in LARGE),
    *(Target(row, "CPU a participant and second", _cpu, "at most", 0.35, " ms") for row in CHEAP),
    *(Target(row, "added delay, p50", _delay_p50, "at most", 30, " ms") for row in CLEAN),
    *(Target(row, "added delay, p95", _delay_p95, "at most", 40, " ms") for row in CLEAN),
    *(Target(row, "added delay at 50 ms jitter, p50", _delay_p50, "at most", 120, " ms") for row in JITTERED),
    *(Target(row, "recovered from 300 ms of delay after", _recovered_s, "at most", 10, " s") for row in HELD_BACK),
    *(Target(row, "CPU of Janus / CPU of Parley", _ratio, "at least", n) for row, n in TIMES_JANUS.items()),
)
EVENTS: Final = (
    Target("journal", "events logged a second", lambda found: found["at_once"]["events_per_s"], "at least", 2000),
    Target("deliveries", "webhooks delivered a second", lambda found: found["deliveries_per_s"], "at least", 1000),
    Target("hanging", "p99 more by one hanging of ten", lambda found: 100 * found["p99_change"], "at most", 10, " %"),
    Target("told", "event to receiver, p99", lambda found: found["p99_ms"], "at most", 50, " ms"),
)


def _recording(row: str) -> tuple[Target, ...]:
    return (
        # A mixer does nothing but tick, and its CPU time does not grow when another process has its core.
        Target(row, "a tick costs more by", lambda found: 100 * found["tick_change"], "at most", 15, " %"),
        Target(row, "recorder", lambda found: 100 * found["recorded"]["recorder_core"], "at most", 25, " % of a core"),
        Target(row, "tick p99 more by a stall", lambda found: found["stall_p99_change_ms"], "at most", 1, " ms"),
        Target(row, "missing after a stall", lambda found: found["stalled"]["missing_s"], "at most", 0, " s"),
    )


RECORDING: Final = tuple(target for row in RECORDED for target in _recording(row))
TARGETS: Final = (*SOUND, *EVENTS, *RECORDING)


def findings(results: Mapping[str, Result], targets: Sequence[Target] = TARGETS) -> list[Finding]:
    """Each target with what was measured. `results`: by name; a failed one counts as not measured."""
    good = {name: result for name, result in results.items() if "error" not in result}
    return [Finding(target, None if target.row not in good else target.figure(good[target.row])) for target in targets]


def lines(results: Mapping[str, Result]) -> Iterator[str]:
    """What is claimed of what was measured, and whether it held, for the printed table."""
    for found in findings(results):
        if found.value is not None:
            target = found.target
            claim = f"{target.row}: {target.what} {target.bound} {target.limit:g}{target.unit}"
            yield f"{claim}: {found.value:.4g}{target.unit}, {found.verdict}"
