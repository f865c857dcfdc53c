"""What is claimed of Parley's speed, and whether a report bears it out."""

from collections.abc import Callable, Mapping
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


LARGE: Final = ("pcmu-all-2000", "opus-3-2000", "opus-all-150", "pcmu-80x2")
CHEAP: Final = LARGE[:2]
CLEAN: Final = ("pcmu-all-100", "opus-3-100")
TIMES_JANUS: Final = {"janus-pcmu-all-200": 6.0, "janus-opus-3-100": 35.0, "janus-opus-all-50": 2.5}
TARGETS: Final = (
    *(Target(row, "late ticks", _late, "at most", 0) for row in LARGE),
    *(Target(row, "delivered", _delivered, "at least", 99.9, " %") for row in LARGE),
    *(Target(row, "CPU a participant and second", _cpu, "at most", 0.35, " ms") for row in CHEAP),
    *(Target(row, "added delay, p50", _delay_p50, "at most", 30, " ms") for row in CLEAN),
    *(Target(row, "added delay, p95", _delay_p95, "at most", 40, " ms") for row in CLEAN),
    *(Target(row, "CPU of Janus / CPU of Parley", _ratio, "at least", n) for row, n in TIMES_JANUS.items()),
)


def findings(report: Mapping[str, Any]) -> list[Finding]:
    """Each target with what the report has for it."""
    results = [*report["rows"], *(report.get("compared") or {}).get("pairs", [])]
    by_name = {result["row"]: result for result in results if "error" not in result}
    return [
        Finding(target, None if target.row not in by_name else target.figure(by_name[target.row])) for target in TARGETS
    ]
