"""Two hundred callers who wait with music while another conference mixes: what either costs the other in ticks."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from bench.rows import DISCARD_PORT, wait_until_gone
from bench.target import Server
from server.loadtest.joining import JOINS_IN_FLIGHT
from server.loadtest.sockets import address_of

WAITING: Final = 200
MIXING: Final = 10
SETTLE_S: Final = 5.0


def measure_waiting(server: Server, seconds: float) -> dict[str, Any]:
    """Ticks and late ticks of a conference full of Opus callers on music, and of a conference beside it."""

    def wait(i: int) -> str:
        return server.join("bench-waiting", address_of(i), DISCARD_PORT, "opus", start_on_enter=False)[0]

    waiting = wait(0)
    with ThreadPoolExecutor(JOINS_IN_FLIGHT) as pool:
        list(pool.map(wait, range(1, WAITING)))
    for i in range(MIXING):
        beside, _ = server.join("bench-beside", address_of(WAITING + i), DISCARD_PORT, "pcmu")
    time.sleep(SETTLE_S)
    conferences = {"waiting": waiting, "beside": beside}
    before = {who: server.stats(conference_id)["mixer"] for who, conference_id in conferences.items()}
    time.sleep(seconds)
    after = {who: server.stats(conference_id)["mixer"] for who, conference_id in conferences.items()}
    for conference_id in conferences.values():
        server.end(conference_id)
    wait_until_gone(server)
    return {
        who: {key: after[who][key] - before[who][key] for key in ("ticks", "late_ticks")}
        | {"work_ms": after[who]["work_ms"]}
        for who in conferences
    }


def describe(result: dict[str, Any]) -> str:
    """One line for the printed table."""
    said = []
    for who, figures in result.items():
        ticks, late, p50 = figures["ticks"], figures["late_ticks"], figures["work_ms"]["p50"]
        said.append(f"{who}: {late} of {ticks} ticks late, work p50 {p50:.2f} ms")
    return f"{WAITING} waiting on music, {MIXING} mixing beside them: {'; '.join(said)}"
