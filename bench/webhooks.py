"""Events on their way: how many are logged and delivered a second, how soon, and what one bad endpoint costs others."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from typing import Any, Final

from bench.machine import Cores, divide_cores
from bench.outbox import Job, run
from bench.rows import DISCARD_PORT, wait_until_gone
from bench.sink import Sink
from bench.target import Server
from server.loadtest.sockets import address_of

CONFERENCES: Final = 64
WAITING: Final = 150
"""Events of each conference that wait to be delivered."""
ENDPOINTS: Final = 10
EACH: Final = 8
"""Conferences of each endpoint."""
PACE: Final = 300.0
"""Events a second of all endpoints: far from what a core can do, so that waits are somebody's fault."""
ROUNDS: Final = 4
LONGEST_S: Final = 20.0
"""Of a turn: by then all are as many as are needed for the last of a hundred."""
TALKS: Final = 8
CHANGES_A_SECOND: Final = 40.0


@dataclass(frozen=True, slots=True)
class Times:
    """How long something took, in ms."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    count: int

    @classmethod
    def of(cls, took_ms: Sequence[float]) -> "Times":
        return cls(median(took_ms), quantiles(took_ms, n=100)[98], max(took_ms), len(took_ms))


def measure_journal(_: Server, seconds: float) -> dict[str, Any]:
    """Events logged in a second: of one conference after the other, of many at once, and with who is to be told."""
    core, seconds = divide_cores().server, min(seconds, LONGEST_S)
    nowhere = ("http://127.0.0.1:9/",)
    return {
        "conferences": CONFERENCES,
        "alone": run(Job("commit", 1, seconds=seconds, core=core)),
        "at_once": run(Job("commit", CONFERENCES, seconds=seconds, core=core)),
        "with_deliveries": run(Job("commit", CONFERENCES, nowhere, seconds=seconds, core=core)),
    }


def measure_deliveries(_: Server, _seconds: float) -> dict[str, Any]:
    """Webhooks delivered in a second by one core to a receiver on another."""
    cores = divide_cores()
    with Sink(1, cores.generator) as sink:
        sent = run(Job("deliver", CONFERENCES, tuple(sink.urls), events=WAITING, core=cores.server))
        arrived = len(sink.collect())
    return sent | {"conferences": CONFERENCES, "arrived": arrived}


def measure_hanging(_: Server, seconds: float) -> dict[str, Any]:
    """What nine endpoints notice of a tenth that accepts requests and never answers: by turns with and without."""
    cores = divide_cores()
    seconds = min(seconds, LONGEST_S)
    took_ms: dict[str, list[float]] = {"healthy": [], "hanging": []}
    for _round in range(ROUNDS):
        for tenth, found in took_ms.items():
            found += _paced(cores, seconds, hangs=tenth == "hanging")
    healthy, hanging = Times.of(took_ms["healthy"]), Times.of(took_ms["hanging"])
    return {
        "endpoints": ENDPOINTS,
        "events_per_s": PACE,
        "healthy": asdict(healthy),
        "hanging": asdict(hanging),
        "p99_change": hanging.p99_ms / healthy.p99_ms - 1,
    }


def _paced(cores: Cores, seconds: float, *, hangs: bool) -> list[float]:
    """From event to arrival at each of the endpoints but the last."""
    with Sink(ENDPOINTS, cores.generator) as sink:
        if hangs:
            sink.hang(ENDPOINTS - 1)
        paced = run(Job("pace", EACH, tuple(sink.urls), seconds=seconds, rate=PACE, core=cores.server))
        counted = [told for told in sink.collect() if told.happened_at >= paced["counted_from"]]
        return [told.took_ms for told in counted if told.endpoint != ENDPOINTS - 1]


def measure_told(server: Server, seconds: float) -> dict[str, Any]:
    """From what happens in the real server's conferences, with their sound mixed beside it, to a receiver's arrival."""
    with Sink(1, divide_cores().generator) as sink:
        talks = [_talk(server, number, sink.urls[0]) for number in range(TALKS)]
        time.sleep(1.0)
        sink.collect()
        begun, changes = time.perf_counter(), int(CHANGES_A_SECOND * seconds)
        with ThreadPoolExecutor(4) as pool:
            for number in range(changes):
                time.sleep(max(0.0, begun + number / CHANGES_A_SECOND - time.perf_counter()))
                conference_id, call_id = talks[number % TALKS]
                muted = number // TALKS % 2 == 0
                pool.submit(server.change, conference_id, call_id, muted=muted)
        time.sleep(1.0)
        arrived = [told.took_ms for told in sink.collect()]
        for conference_id, _ in talks:
            server.end(conference_id)
        wait_until_gone(server)
    return {"events_per_s": CHANGES_A_SECOND, "changes": changes, **asdict(Times.of(arrived))}


def _talk(server: Server, number: int, url: str) -> tuple[str, str]:
    options = {"status_callback": url, "status_callback_event": "start end join leave mute"}
    name = f"bench-told-{number}"
    for seat in range(2):
        conference_id, _ = server.join(name, address_of(2 * number + seat), DISCARD_PORT, "pcmu", **options)
    return conference_id, server.participants(conference_id)[0]


MEASURED: Final[Mapping[str, Callable[[Server, float], dict[str, Any]]]] = {
    "journal": measure_journal,
    "deliveries": measure_deliveries,
    "hanging": measure_hanging,
    "told": measure_told,
}
"""By name in reports."""


def describe(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Lines for people, of what was measured."""
    for name in MEASURED:
        if "error" not in results.get(name, {"error": ""}):
            yield _line(name, results[name])


def _line(name: str, result: Mapping[str, Any]) -> str:
    match name:
        case "journal":
            rates = [f"{result[how]['events_per_s']:.0f}" for how in ("alone", "at_once", "with_deliveries")]
            return (
                f"events logged a second: {rates[0]} one after the other, {rates[1]} of {result['conferences']} "
                f"conferences at once, {rates[2]} with who is to be told"
            )
        case "deliveries":
            share = f"{100 * result['core']:.0f} % of a core"
            return f"webhooks delivered a second: {result['deliveries_per_s']:.0f} with {share}"
        case "hanging":
            spreads = [_spread(result[how]) for how in ("healthy", "hanging")]
            return (
                f"event to receiver of nine endpoints: {spreads[0]}; {spreads[1]} while a tenth hangs: "
                f"p99 {100 * result['p99_change']:+.1f} %"
            )
        case _:
            return f"event to receiver, real server: {_spread(result)} of {result['count']}"


def _spread(times: Mapping[str, float]) -> str:
    return f"p50 {times['p50_ms']:.1f}, p99 {times['p99_ms']:.1f}, max {times['max_ms']:.1f} ms"
