"""One load test from the first join to the last hang-up; what is shown meanwhile is the watcher's affair.

Whatever happens, also Ctrl-C, the calls that were made are hung up.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from types import FrameType
from typing import Any, Final, Protocol

from server import clock
from server.caller.client import ParleyClient, local_ip
from server.caller.errors import CallerError
from server.loadtest.figures import join_spread_ms, mixer_figures
from server.loadtest.joining import Calls, join_all
from server.loadtest.load import MOST_CALLERS_APART, Load
from server.loadtest.process import GeneratorError, GeneratorProcess

SETTLE_S: Final = 3.0
"""Between the last join and the window: jitter buffers and encoders have found their pace."""


class Watcher(Protocol):
    """Who is told how the test goes."""

    def joined(self, callers: int) -> None:
        """So many are in."""
        ...

    def settling(self) -> None:
        """All are in; the window opens soon."""
        ...

    def progress(self, tick: int, sent: int, received: int) -> None:
        """Packets since the window opened; called once a second."""
        ...

    def hanging_up(self) -> None:
        """The calls are being ended."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """A test: `load` on the conference `name` of the server at `url`, measured for `seconds`."""

    url: str
    key: str | None
    name: str
    load: Load
    seconds: float


def generator_ip(url: str, load: Load) -> str | None:
    """The address that callers have; None when the server is on this machine, where each has its own.

    Raises:
        CallerError: no way to the server, or more callers than can be played to another machine.
    """
    ip = local_ip(url)
    if ip_address(ip).is_loopback:
        return None
    if load.participants > MOST_CALLERS_APART:
        raise CallerError(
            f"{load.participants} callers: against another machine at most {MOST_CALLERS_APART} can be played, "
            "as each needs a socket of its own."
        )
    return ip


def run(plan: Plan, watcher: Watcher) -> dict[str, Any]:
    """Run a test; return its figures, as they are printed with `--json`.

    Raises:
        CallerError: the server cannot be reached, or refused a join; all calls are hung up by then.
        KeyboardInterrupt: Ctrl-C or SIGTERM; likewise.
    """
    load = plan.load
    with ParleyClient(plan.url, plan.key, timeout_s=30) as client, _terminable():
        try:
            with GeneratorProcess(load, generator_ip(plan.url, load)) as generator:
                calls = Calls(client, load, plan.name, generator.addresses)
                try:
                    return _measured(plan, client, generator, calls, watcher)
                finally:
                    watcher.hanging_up()
                    calls.hang_up()
        except GeneratorError as error:
            raise CallerError(f"{error}.") from error


def _measured(
    plan: Plan, client: ParleyClient, generator: GeneratorProcess, calls: Calls, watcher: Watcher
) -> dict[str, Any]:
    from_s = clock.monotonic()
    joined = []
    for group in join_all(plan.load, generator, calls.join):
        joined += group
        watcher.joined(len(joined))
    join_s = clock.monotonic() - from_s
    watcher.settling()
    threading.Event().wait(SETTLE_S)
    conferences = sorted({one.seat.conference_id for one in joined})
    before = [client.stats(conference_id) for conference_id in conferences]
    seen = generator.measure(plan.seconds, on_progress=lambda progress: watcher.progress(**progress))
    after = [client.stats(conference_id) for conference_id in conferences]
    mixer = mixer_figures(before, after, {one.seat.call_id for one in joined})
    return {
        **asdict(plan.load),
        "seconds": plan.seconds,
        "join_s": join_s,
        "join_ms": join_spread_ms([one.took_s for one in joined]),
        **seen,
        "mixer": asdict(mixer),
    }


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM be as Ctrl-C: who is told to stop hangs up first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
