"""The rows of the table, and how each is measured."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any, Final

from bench.machine import Cores, cpu_s, private_bytes
from bench.target import Server
from server.loadtest.figures import mixer_figures
from server.loadtest.joining import Calls, join_all
from server.loadtest.load import HOLD_FROM_S, Load
from server.loadtest.process import GeneratorProcess
from server.loadtest.recovery import WATCHED_S
from server.loadtest.sockets import address_of

SETTLE_S: Final = 3.0
"""Between the last join and the window: jitter buffers and encoders have found their pace."""
STARTS: Final = 20
HELD: Final = 50
COACHES: Final = 3
IDLE_S: Final = 5.0
QUICK_PARTICIPANTS: Final = 100
_GONE_WITHIN_S: Final = 30.0
_READS_IN_FLIGHT: Final = 4
DISCARD_PORT: Final = 9
"""RFC 863: what is sent there is nobody's; for calls whose media is not looked at."""


@dataclass(frozen=True)
class Row:
    """A conference to measure, or several alike."""

    codec: str
    talking: int | None
    """How many talk; None: all."""
    participants: int
    """Of each conference."""
    conferences: int = 1
    rules: bool = False
    """Some are held and hear music, and some coach."""
    jitter_ms: float = 0.0
    """What each packet may take longer on its way to the server."""
    hold_ms: float = 0.0
    """For so long nothing arrives, at times, and then all of it at once."""
    reported_loss: float = 0.0
    """Share of what they are sent that all say is lost."""
    settings: tuple[tuple[str, str], ...] = ()
    """Of the server, other than the defaults."""
    note: str = ""
    """What the row's name ends in, if the rest does not tell it from others."""

    @property
    def name(self) -> str:
        name = f"{self.codec}-{'all' if self.talking is None else self.talking}-{self.participants}"
        if self.conferences > 1:
            name = f"{self.codec}-{self.conferences}x{self.participants}"
        return f"{name}{'-rules' if self.rules else ''}{self.note}"

    @property
    def load(self) -> Load:
        talking = self.participants if self.talking is None else self.talking
        return Load(
            self.codec,
            self.participants * self.conferences,
            talking,
            self.conferences,
            jitter_ms=self.jitter_ms,
            hold_ms=self.hold_ms,
            reported_loss=self.reported_loss,
        )

    @property
    def least_s(self) -> float:
        """The shortest window that shows what the row is for."""
        return HOLD_FROM_S + WATCHED_S if self.hold_ms else 0.0


@dataclass(frozen=True)
class Switch:
    """What mixers do beyond plain mixing, by the setting that turns it off: a row with everything on, and one without.

    All but protection save work.
    """

    setting: str
    off: str
    on_row: Row
    note: str

    @property
    def off_row(self) -> Row:
        """The same row without it."""
        return replace(self.on_row, settings=((self.setting, self.off),), note=self.on_row.note + self.note)


JITTER_MS: Final = 50.0
BURST_MS: Final = 300.0
CLEAN: Final = (Row("pcmu", None, 100), Row("opus", 3, 100))
JITTERED: Final = tuple(replace(row, jitter_ms=JITTER_MS, note="-jitter50") for row in CLEAN)
LOSSY: Final = Row("opus", 3, 100, reported_loss=0.1, note="-lossy")
HELD_BACK: Final = tuple(replace(row, hold_ms=BURST_MS, note="-burst300") for row in CLEAN)
SWITCHES: Final = (
    Switch("PARLEY_MIXER_SHARE_ENCODES", "false", Row("opus", 3, 100), "-unshared"),
    Switch("PARLEY_MIXER_SKIP_SILENT", "false", Row("opus", 3, 100), "-unskipped"),
    Switch("PARLEY_MIXER_LOUDEST", "0", Row("opus", None, 100), "-everybody"),
    Switch("PARLEY_MIXER_LOUDEST", "0", Row("opus", None, 150), "-everybody"),
    Switch("PARLEY_MIXER_PROTECT_LOSSY", "false", LOSSY, "-unprotected"),
)
ROWS: Final = (
    *(Row("pcmu", None, n) for n in (10, 100, 500, 1000, 2000)),
    Row("pcmu", None, 1000, rules=True),
    *(Row("opus", 3, n) for n in (10, 100, 500, 1000, 2000)),
    *(Row("opus", None, n) for n in (10, 50, 100, 150)),
    Row("pcmu", None, 2, conferences=10),
    Row("pcmu", None, 2, conferences=80),
    *JITTERED,
    *HELD_BACK,
    LOSSY,
    *(switch.off_row for switch in SWITCHES),
)
QUICK: Final = tuple(
    row for row in ROWS if row.participants * row.conferences <= QUICK_PARTICIPANTS and not (row.note or row.settings)
)


class CpuReadings:
    """CPU time of the server and of its other processes, over a window."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._readings: list[tuple[float, float, float]] = []

    def read(self) -> None:
        """Note the times, when the window opens and when it closes."""
        self._readings.append((time.perf_counter(), cpu_s([self._server.pid]), cpu_s(self._server.below())))

    def per_participant(self, participants: int) -> tuple[float, dict[str, float]]:
        """Seconds of the window; ms per participant and second."""
        (from_s, *before), (to_s, *after) = self._readings
        participant_s = participants * (to_s - from_s)
        server, mixers = ((b - a) * 1000 / participant_s for a, b in zip(before, after, strict=True))
        return to_s - from_s, {"server": server, "mixers": mixers, "total": server + mixers}


def measure(server: Server, row: Row, seconds: float, cores: Cores) -> dict[str, Any]:
    """Fill the conferences, let them settle, measure them, end them; the row of the table as a dict.

    CPU: ms per participant and second. Tick work and lateness: what mixers say of their last minute, so a window
    shorter than that has the joins in it too.
    """
    server.use(dict(row.settings))
    load, seconds = row.load, max(seconds, row.least_s)
    cpu = CpuReadings(server)
    with GeneratorProcess(load, core=cores.generator) as generator:
        calls = Calls(server.client, load, f"bench-{row.name}", generator.addresses)
        join_from = time.perf_counter()
        joined = [one for group in join_all(load, generator, calls.join) for one in group]
        join_s = time.perf_counter() - join_from
        conferences = list(dict.fromkeys(one.seat.conference_id for one in joined))
        if row.rules:
            _apply_rules(server, conferences[0])
        time.sleep(SETTLE_S)
        before = _stats(server, conferences)
        seen = generator.measure(seconds, cpu.read, cpu.read)
        figures = asdict(mixer_figures(before, _stats(server, conferences)))
    for conference_id in conferences:
        server.end(conference_id)
    wait_until_gone(server)
    window_s, per_participant = cpu.per_participant(load.participants)
    return {
        "row": row.name,
        "settings": dict(row.settings),
        **asdict(load),
        "seconds": window_s,
        "join_s": join_s,
        "cpu_ms_per_participant_s": per_participant,
        **figures,
        **seen,
    }


def _stats(server: Server, conferences: list[str]) -> list[dict[str, Any]]:
    with ThreadPoolExecutor(_READS_IN_FLIGHT) as pool:
        return list(pool.map(server.stats, conferences))


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
