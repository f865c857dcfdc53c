"""What recording a conference with everybody's track costs: the mixer's ticks, the recorder, and what a stall does.

Spreads are of a conference of its own each, unrecorded, recorded, and recorded by a recorder that stands still for a
while: what a mixer tells of its ticks is of its last minute, so of all of such a conference. What a tick costs more is
found within one conference, by turns recorded and paused, as two conferences differ by as much without any recording.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from bench.machine import cpu_s, private_bytes
from bench.rows import SETTLE_S, wait_until_gone
from bench.target import Server, ServerError
from server.loadtest.joining import Calls, join_all
from server.loadtest.load import Load
from server.loadtest.process import GeneratorProcess

STALL_FROM_S: Final = 1
STALL_UNTIL_S: Final = 3
LEAST_S: Final = 5.0
"""A window that a stall and its end fit into."""
TURNS: Final = 40
TURN_S: Final = 0.5

How = Literal["unrecorded", "recorded", "stalled"]
WAYS: Final[tuple[How, ...]] = ("unrecorded", "recorded", "stalled")


def measure(load: Load, server: Server, seconds: float) -> dict[str, Any]:
    """One kind of conference in all three ways."""
    found: dict[str, dict[str, Any]] = {how: _measure(server, max(seconds, LEAST_S), load, how) for how in WAYS}
    _, recorded, stalled = found.values()
    return {
        "participants": load.participants,
        "talking": load.talkers,
        **found,
        "tick_change": recorded["tick_change"],
        "stall_p99_change_ms": stalled["work_ms"]["p99"] - recorded["work_ms"]["p99"],
    }


class _Reading:
    """CPU time of the conference's mixer and of its recorder, over a window."""

    def __init__(self, mixer: int, recorder: int | None) -> None:
        self._pids = [[mixer], [recorder] if recorder is not None else []]
        self._readings: list[list[float]] = []

    def read(self) -> None:
        """When the window opens and when it closes."""
        self._readings.append([time.perf_counter(), *map(cpu_s, self._pids)])

    def cores(self) -> tuple[float, float]:
        """The mixer's and the recorder's part of a core."""
        (from_s, *before), (to_s, *after) = self._readings
        mixer, recorder = (b - a for a, b in zip(before, after, strict=True))
        return mixer / (to_s - from_s), recorder / (to_s - from_s)


def _measure(server: Server, seconds: float, load: Load, how: How) -> dict[str, Any]:
    with GeneratorProcess(load) as generator:
        calls = Calls(server.client, load, f"bench-{how}-{load.codec}", generator.addresses)
        joined = [one for group in join_all(load, generator, calls.join) for one in group]
        conference_id = joined[0].seat.conference_id
        recording_id = None if how == "unrecorded" else server.record(conference_id)
        time.sleep(SETTLE_S)
        recorder = None if recording_id is None else _process(server, f"recorder {recording_id[-6:]}")
        mixer = _process(server, f"mixer {conference_id[-9:]}")
        reading = _Reading(mixer, recorder)
        progress = partial(_stall, recorder) if how == "stalled" and recorder is not None else lambda _: None
        try:
            seen = generator.measure(seconds, reading.read, reading.read, progress)
        finally:
            if recorder is not None:
                with suppress(ProcessLookupError):
                    os.kill(recorder, signal.SIGCONT)
        stats = server.stats(conference_id)["mixer"]
        tick_change = 0.0 if recording_id is None or how == "stalled" else _turns(server, recording_id, mixer)
        recorder_mib = 0.0 if recorder is None else private_bytes(recorder) / (1 << 20)
    server.end(conference_id)
    gaps = [] if recording_id is None else server.published(recording_id)["gaps"]
    wait_until_gone(server)
    mixer_core, recorder_core = reading.cores()
    return {
        "work_ms": stats["work_ms"],
        "lateness_ms": stats["lateness_ms"],
        "late_ticks": stats["late_ticks"],
        "ticks": stats["ticks"],
        "delivered": seen["delivered"],
        "mixer_core": mixer_core,
        "tick_change": tick_change,
        "recorder_core": recorder_core,
        "recorder_mib": recorder_mib,
        "missing_s": sum(gap["duration_s"] for gap in gaps),
    }


def _turns(server: Server, recording_id: str, mixer: int) -> float:
    """How much more CPU time a mixer takes while it records, than while that pauses."""
    took_ns = {True: 0, False: 0}
    for turn in range(2 * TURNS):
        paused = turn % 2 == 0
        server.pause(recording_id, paused)
        before_ns = _ran_ns(mixer)
        time.sleep(TURN_S)
        took_ns[paused] += _ran_ns(mixer) - before_ns
    return took_ns[False] / took_ns[True] - 1


def _ran_ns(pid: int) -> int:
    """CPU time of a process's main thread, finer than the kernel's clock ticks."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def _stall(recorder: int, progress: Mapping[str, int]) -> None:
    """Stop the recorder, as a disk would that takes no more, and let it go on later; told of every second."""
    second = progress["tick"] // 50
    if second == STALL_FROM_S:
        os.kill(recorder, signal.SIGSTOP)
    elif second == STALL_UNTIL_S:
        os.kill(recorder, signal.SIGCONT)


def _process(server: Server, name: str) -> int:
    for pid in server.mixers():
        with suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                return pid
    raise ServerError(f"there is no process {name!r}")


MEASURED: Final[dict[str, Callable[[Server, float], dict[str, Any]]]] = {
    "recording-pcmu": partial(measure, Load("pcmu", 100, 100)),
    "recording-opus": partial(measure, Load("opus", 100, 3)),
}
"""What is measured, by name."""


def describe(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Lines for people, of what was measured."""
    for name in MEASURED:
        if "error" not in results.get(name, {"error": ""}):
            yield from _lines(name, results[name])


def _lines(name: str, found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{name}, {found['talking']} of {found['participants']} talk, all tracks:"
    for how in WAYS:
        one = found[how]
        yield (
            f"  {how:<10}  work {_spread(one['work_ms'])} ms, lateness {_spread(one['lateness_ms'])} ms, "
            f"late {one['late_ticks']} of {one['ticks']}, mixer {100 * one['mixer_core']:.1f} %, "
            f"recorder {100 * one['recorder_core']:.1f} % of a core, {one['recorder_mib']:.1f} MiB"
        )
    yield f"  by turns recorded and paused: a tick costs {100 * found['tick_change']:+.1f} %"


def _spread(times: Mapping[str, float]) -> str:
    return "/".join(f"{times[key]:.2f}" for key in ("p50", "p99", "max"))
