"""Parley and Janus side by side: the same load, on the same core, one after the other, in the same run."""

import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from bench import rows
from bench.janus import Coding, Janus, JanusError, Room, version
from bench.machine import Cores, cpu_s
from bench.rows import SETTLE_S, Row
from bench.target import Server
from mixer.protocol import MixerConfig
from server.loadtest.joining import join_all
from server.loadtest.load import Load
from server.loadtest.process import GeneratorProcess
from server.loadtest.voices import TICKS_PER_S

_DEFAULTS: Final[dict[str, Any]] = {field.name: field.default for field in fields(MixerConfig)}
PARLEY_BITRATE: Final = int(_DEFAULTS["opus_bitrate"])
LEAST_COMPLEXITY: Final = 1
"""Janus takes no 0."""
STEADY_TRIES: Final = 30
STEADY_WITHIN: Final = 0.05
"""Two packets more or less in a second are how it happens to fall."""
TRIES: Final = 3
FULL_CORE: Final = 0.95
DELIVERED: Final = 0.99
PACKET_MS: Final = 20.0
"""What is said waits so long for its packet to be full: mouth to ear is that and the added delay."""


JANUS_COMPLEXITY: Final = 4
"""What Janus takes by itself."""
BY_ITSELF: Final = Coding()
LEAST: Final = Coding(LEAST_COMPLEXITY, PARLEY_BITRATE)
SAME: Final = Coding(JANUS_COMPLEXITY, PARLEY_BITRATE)
SAME_SETTINGS: Final = (("PARLEY_MIXER_OPUS_COMPLEXITY", str(JANUS_COMPLEXITY)),)


def _coding(complexity: str) -> str:
    return f"low delay, complexity {complexity}, {PARLEY_BITRATE // 1000} kbit/s"


@dataclass(frozen=True)
class Pair:
    """One conference, on both sides. `coding`: Janus' Opus."""

    row: Row
    coding: Coding = BY_ITSELF
    note: str = ""

    @property
    def name(self) -> str:
        return f"janus-{self.row.name}{self.note}"

    def codings(self) -> tuple[str, str]:
        """What each side encodes: Parley, Janus."""
        if self.row.codec != "opus":
            return ("G.711", "G.711")
        by_itself = "5 with up to 8 streams, else 0"
        complexity = dict(self.row.settings).get("PARLEY_MIXER_OPUS_COMPLEXITY", by_itself)
        return _coding(complexity), self.coding.describe()


PAIRS: Final = (
    Pair(Row("pcmu", None, 200)),
    Pair(Row("opus", 3, 100)),
    Pair(Row("opus", None, 50)),
    Pair(Row("opus", None, 50), LEAST, "-alike"),
    Pair(Row("opus", 3, 100, settings=SAME_SETTINGS), SAME, "-same"),
    Pair(Row("opus", None, 50, settings=SAME_SETTINGS), SAME, "-same"),
)


def measure(server: Server, pair: Pair, seconds: float, cores: Cores) -> dict[str, Any]:
    """One pair. Each has a Janus of its own, so that what one leaves behind is not measured with the next."""
    ours, theirs = pair.codings()
    parley = _side(rows.measure(server, pair.row, seconds, cores))
    other = _side(again(lambda: _new_janus(pair, seconds, cores)))
    return {
        "version": version(),
        "parley": parley | {"coding": ours},
        "janus": other | {"coding": theirs},
        "ratio": ratio(parley, other),
    }


def again(measure: Callable[[], dict[str, Any]], tries: int = TRIES) -> dict[str, Any]:
    """Measure Janus, anew if it gets stuck or falls behind: now and then it does so by races of its own."""
    for _ in range(tries - 1):
        with suppress(JanusError):
            return measure()
    return measure()


def _new_janus(pair: Pair, seconds: float, cores: Cores) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder, Janus(Path(folder), cores.server) as janus:
        return measure_janus(janus, pair, seconds, cores)


def ratio(parley: dict[str, Any], other: dict[str, Any]) -> float | None:
    """Their CPU over ours; None if either did not do the work, but for another that had no more than its core."""
    if parley["delivered"] < DELIVERED or (other["delivered"] < DELIVERED and not other["at_limit"]):
        return None
    return float(other["cpu_ms_per_participant_s"] / max(parley["cpu_ms_per_participant_s"], 1e-6))


def _side(measured: dict[str, Any]) -> dict[str, Any]:
    """What both sides are compared by."""
    cpu = measured["cpu_ms_per_participant_s"]["total"]
    p50 = measured["delay"]["p50_ms"]
    return {
        "cpu_ms_per_participant_s": cpu,
        "core": cpu * measured["participants"] / 1000,
        "delivered": measured["delivered"],
        "delay": measured["delay"],
        "mouth_to_ear_p50_ms": None if p50 is None else p50 + PACKET_MS,
        "generator_cpu": measured["generator_cpu"],
        "at_limit": measured.get("at_limit", False),
    }


def pace(seen: dict[str, Any], load: Load, seconds: float) -> float:
    """Packets a participant got each tick: 1, unless the server makes up for time it has lost, or is stuck."""
    return float(seen["packets_received"] / (load.participants * round(seconds * TICKS_PER_S)))


def steady(load: Load, measure: Callable[[float], dict[str, Any]]) -> bool:
    """Wait for a packet a tick; False: it does not come to that.

    A Janus that fell behind while everyone joined mixes faster than real time afterwards, at a higher price.
    """
    return any(abs(pace(measure(1.0), load, 1.0) - 1) <= STEADY_WITHIN for _ in range(STEADY_TRIES))


def at_limit(kept: float, core: float) -> bool:
    """Whether it fell behind for want of a larger core. `kept`: its pace.

    Raises:
        JanusError: it was behind or ahead, and not for that.
    """
    if abs(kept - 1) <= STEADY_WITHIN:
        return False
    if kept < 1 and core >= FULL_CORE:
        return True
    raise JanusError(f"Janus sent {kept:.2f} packets a tick instead of one, with {100 * core:.0f} % of a core")


def measure_janus(janus: Janus, pair: Pair, seconds: float, cores: Cores) -> dict[str, Any]:
    """What `rows.measure` does, with a room of Janus; `at_limit`: it needed more than its core."""
    load = pair.row.load
    readings: list[tuple[float, float]] = []

    def read() -> None:
        readings.append((time.perf_counter(), cpu_s([janus.pid])))

    with GeneratorProcess(load, core=cores.generator) as generator:
        room = Room(janus, load.codec, pair.coding, generator.addresses)
        try:
            for _ in join_all(load, generator, room.join, in_flight=1):
                pass
            time.sleep(SETTLE_S)
            steady(load, generator.measure)
            seen = generator.measure(seconds, read, read)
        finally:
            room.close()
    (from_s, before_s), (to_s, after_s) = readings
    core = (after_s - before_s) / (to_s - from_s)
    return {
        "participants": load.participants,
        "cpu_ms_per_participant_s": {"total": 1000 * core / load.participants},
        "at_limit": at_limit(pace(seen, load, seconds), core),
        **seen,
    }
