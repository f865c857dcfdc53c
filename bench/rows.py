"""The rows of the table, and how each is measured."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

from bench.batch import address_of
from bench.generator import Load
from bench.load import GeneratorProcess
from bench.machine import Cores, cpu_s, private_bytes
from bench.target import Server
from bench.voices import Codec

SETTLE_S: Final = 3.0
"""Between the last join and the window: jitter buffers and encoders have found their pace."""
STARTS: Final = 20
HELD: Final = 50
COACHES: Final = 3
IDLE_S: Final = 5.0
_JOINS_IN_FLIGHT: Final = 4
_JOINS_AT_ONCE: Final = 50
_GONE_WITHIN_S: Final = 10.0
DISCARD_PORT: Final = 9
"""RFC 863: what is sent there is nobody's; for calls whose media is not looked at."""


@dataclass(frozen=True)
class Row:
    """A conference to measure."""

    codec: Codec
    talking: int | None
    """How many talk; None: all."""
    participants: int
    rules: bool = False
    """Some are held and hear music, and some coach."""

    @property
    def name(self) -> str:
        name = f"{self.codec}-{'all' if self.talking is None else self.talking}-{self.participants}"
        return f"{name}-rules" if self.rules else name

    @property
    def load(self) -> Load:
        return Load(self.codec, self.participants, self.participants if self.talking is None else self.talking)


ROWS: Final = (
    *(Row("pcmu", None, n) for n in (10, 100, 500, 1000)),
    Row("pcmu", None, 1000, rules=True),
    *(Row("opus", 3, n) for n in (10, 100, 500, 1000)),
    *(Row("opus", None, n) for n in (10, 50, 100)),
)
QUICK: Final = tuple(row for row in ROWS if row.participants <= 100)


def measure(server: Server, row: Row, seconds: float, cores: Cores) -> dict[str, Any]:
    """Fill a conference, let it settle, measure it, end it; the row of the table as a dict.

    CPU: ms per participant and second. Tick work and lateness: what the mixer says of its last minute, so a window
    shorter than that has the joins in it too.
    """
    before: dict[str, float] = {}
    after: dict[str, float] = {}

    def read_cpu(into: dict[str, float]) -> None:
        into["at"] = time.perf_counter()
        into["server"] = cpu_s([server.pid])
        into["mixers"] = cpu_s(server.below())

    with GeneratorProcess(row.load, cores.generator) as generator:
        join_from = time.perf_counter()
        conference_id = _join_all(server, row, generator)
        join_s = time.perf_counter() - join_from
        if row.rules:
            _apply_rules(server, conference_id)
        time.sleep(SETTLE_S)
        stats_before = server.stats(conference_id)
        seen = generator.measure(seconds, lambda: read_cpu(before), lambda: read_cpu(after))
        stats = server.stats(conference_id)
    server.end(conference_id)
    wait_until_gone(server)

    participant_s = row.participants * (after["at"] - before["at"])
    cpu = {who: (after[who] - before[who]) * 1000 / participant_s for who in ("server", "mixers")}
    mixer, calls = stats["mixer"], stats["calls"]
    return {
        "row": row.name,
        **asdict(row.load),
        "seconds": after["at"] - before["at"],
        "join_s": join_s,
        "cpu_ms_per_participant_s": {**cpu, "total": sum(cpu.values())},
        "work_ms": mixer["work_ms"],
        "lateness_ms": mixer["lateness_ms"],
        "late_ticks": mixer["late_ticks"] - stats_before["mixer"]["late_ticks"],
        "ticks": mixer["ticks"] - stats_before["mixer"]["ticks"],
        **{key: sum(call[key] for call in calls) for key in ("lost", "late", "concealed")},
        **seen,
    }


def _join_all(server: Server, row: Row, generator: GeneratorProcess) -> str:
    """Join in small groups, so that those who are in talk while others come; the conference's id."""

    def join(i: int) -> tuple[str, tuple[str, int]]:
        return server.join(f"bench-{row.name}", address_of(i), generator.ports[i], row.codec)

    conference_id, target = join(0)  # alone, as it creates the conference
    generator.add([target])
    with ThreadPoolExecutor(_JOINS_IN_FLIGHT) as pool:
        for start in range(1, row.participants, _JOINS_AT_ONCE):
            joined = pool.map(join, range(start, min(start + _JOINS_AT_ONCE, row.participants)))
            generator.add([target for _, target in joined])
    return conference_id


def _apply_rules(server: Server, conference_id: str) -> None:
    """Hold HELD from the middle and let the COACHES after them coach; the probes are the first and the last to come."""
    everyone = server.participants(conference_id)
    middle = everyone[len(everyone) // 2 :]
    for call_id in middle[:HELD]:
        server.change(conference_id, call_id, hold=True)
    coaches = middle[HELD : HELD + COACHES]
    for coach, coachee in zip(coaches, middle[HELD + COACHES :], strict=False):
        server.change(conference_id, coach, coach=coachee)


def wait_until_gone(server: Server) -> None:
    """Until the processes of ended conferences are: what is measured next is not to share its core with them."""
    deadline = time.perf_counter() + _GONE_WITHIN_S
    while len(server.mixers()) > 1 and time.perf_counter() < deadline:
        time.sleep(0.1)


def measure_starts(server: Server) -> dict[str, float | int]:
    """From a join request that creates a conference to its answer, one after another."""
    took_ms = []
    ids = []
    for i in range(STARTS):
        start = time.perf_counter()
        conference_id, _ = server.join(f"bench-start-{i}", address_of(i), DISCARD_PORT, "pcmu")
        took_ms.append((time.perf_counter() - start) * 1000)
        ids.append(conference_id)
    for conference_id in ids:
        server.end(conference_id)
    wait_until_gone(server)
    return {"starts": STARTS, "p50_ms": median(took_ms), "max_ms": max(took_ms)}


def measure_idle(server: Server) -> dict[str, float | int]:
    """CPU of the server with all its processes when nobody calls, and memory of its mixers, which then do nothing."""
    server.call_and_hang_up(address_of(0), DISCARD_PORT)
    time.sleep(1)
    everyone = [server.pid, *server.below()]
    before, start = cpu_s(everyone), time.perf_counter()
    time.sleep(IDLE_S)
    used = (cpu_s(everyone) - before) / (time.perf_counter() - start)
    private = [private_bytes(pid) for pid in server.mixers()]
    return {
        "cpu_percent": 100 * used,
        "idle_mixers": len(private),
        "mixer_private_mib": max(private, default=0) / (1 << 20),
        "server_private_mib": private_bytes(server.pid) / (1 << 20),
    }
