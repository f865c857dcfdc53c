"""Runs the server: the listening socket, the service behind it, signals, and an orderly end.

SIGTERM drains, then stops; a second one, or SIGINT (Ctrl-C), ends everything at once. What draining and stopping mean
for conferences is `server.service`'s affair; how settings are read is `server.settings`'.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog
import uvicorn

from server import clock
from server.api.app import create_app
from server.errors import ParleyError
from server.journal import Journal, JournalUnavailable
from server.mixers.compiling import compile_loops
from server.mixers.errors import LaunchFailed
from server.mixers.supervisor import Mixers
from server.prompts.clips import ClipStore
from server.prompts.guarded import GuardedFetcher
from server.prompts.library import PromptLibrary
from server.service import Service
from server.settings import Settings, SettingsError
from server.signing_secret import signing_secret
from server.tasks import Tasks
from server.urls.client import GuardedClient
from server.webhooks.schedule import waits_of
from server.webhooks.sender import Sender

log = structlog.get_logger(__name__)

CLOSE_S: Final = 3
"""How long answers under way may take once everything has ended."""
EXIT_FAILED: Final = 1
_FIRST: Final = asyncio.FIRST_COMPLETED
_NO_SUCH_ADDRESS: Final = errno.EADDRNOTAVAIL


class HttpServer(uvicorn.Server):
    """uvicorn without its signal handlers: when the server stops is decided by `run`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave all signals alone."""
        yield


def run(settings: Settings) -> int:
    """Serve until told to stop; return the exit code. Raises `SettingsError` if it cannot start as told."""
    with contextlib.ExitStack() as held:
        held.enter_context(only_user_of(settings.data_dir))
        listener = held.enter_context(listen(settings.host, settings.port))
        for name in settings.without_effect():
            log.warning("setting_without_effect", setting=name, reason="this version has no such feature yet")
        return asyncio.run(serve(settings, listener))


def listen(host: str, port: int) -> socket.socket:
    """Return the listening socket of the API; `SettingsError` names the setting that keeps it from being had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise SettingsError([f"PARLEY_HOST: {host} is no address of this machine: {error}"]) from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        setting = "PARLEY_HOST" if error.errno == _NO_SUCH_ADDRESS else "PARLEY_PORT"
        raise SettingsError([f"{setting}: cannot listen on {host}:{port}: {error.strerror}"]) from error
    listener.setblocking(False)
    return listener


@contextlib.contextmanager
def only_user_of(data_dir: Path) -> Iterator[None]:
    """Hold the data folder: two servers on one journal would end each other's conferences."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise SettingsError([f"PARLEY_DATA_DIR: {data_dir} cannot be written: {error.strerror}"]) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise SettingsError([f"PARLEY_DATA_DIR: {data_dir} is in use by another server"]) from error
    finally:
        os.close(lock)


async def serve(settings: Settings, listener: socket.socket) -> int:
    """Run the API and the service until a signal ends them; return the exit code."""
    secret = signing_secret(settings)
    async with contextlib.aclosing(GuardedClient(settings.url_allowance)) as urls:
        prompts = PromptLibrary(ClipStore(GuardedFetcher(urls)))
        journal = Journal(settings.journal_url)
        waits_s = waits_of(settings.webhook_schedule)
        webhooks = Sender(journal, urls, clock, secret=secret, waits_s=waits_s)
        service = Service(settings, clock, journal, Mixers(), prompts, urls, webhooks)
        return await _serve(service, settings, listener)


async def _serve(service: Service, settings: Settings, listener: socket.socket) -> int:
    config = uvicorn.Config(
        create_app(service),
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=CLOSE_S,
    )
    http = HttpServer(config)
    tasks = Tasks()
    # The exit that is under way then is what a late signal asks for; it must not turn it into a death.
    signals = Signals(afterwards=signal.SIG_IGN)
    with signals.handled():
        serving = tasks.spawn(http.serve(sockets=[listener]), "serve HTTP")
        starting = tasks.spawn(_start(service, listener, settings), "start")
        exit_code = 0
        await asyncio.wait({starting, tasks.spawn(signals.now.wait(), "signal")}, return_when=_FIRST)
        if starting.done() and not starting.result():
            exit_code = EXIT_FAILED
        else:
            await _until_told(service, signals, serving, settings)
        starting.cancel()
        await service.stop()
        http.should_exit = True
        await asyncio.wait({serving})
        await tasks.cancel_all()
    return exit_code


async def _start(service: Service, listener: socket.socket, settings: Settings) -> bool:
    """Start the service; return False, with a line in the log, if it cannot be."""
    try:
        await compile_loops()
        await service.start()
    except (JournalUnavailable, LaunchFailed, ParleyError) as error:
        log.error("cannot_start", reason=str(error))
        return False
    except Exception:
        log.exception("cannot_start")
        return False
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    log.info("ready", url=f"http://{shown}:{port}", docs=f"http://{shown}:{port}/docs", dev=settings.dev)
    return True


async def _until_told(service: Service, signals: "Signals", serving: asyncio.Task[None], settings: Settings) -> None:
    """Return when the service is to be stopped: drained, or told to stop now."""
    tasks = Tasks()
    now = tasks.spawn(signals.now.wait(), "second signal")
    await asyncio.wait({now, serving, tasks.spawn(signals.drain.wait(), "first signal")}, return_when=_FIRST)
    if signals.drain.is_set() and not now.done():
        drained = tasks.spawn(service.drain(settings.drain_deadline_s), "drain")
        await asyncio.wait({now, serving, drained}, return_when=_FIRST)
    await tasks.cancel_all()


class Signals:
    """What the process was told: `drain`, and `now`."""

    def __init__(self, afterwards: signal.Handlers = signal.SIG_DFL) -> None:
        """`afterwards` is what the signals do when they are no longer listened to."""
        self._afterwards = afterwards
        self.drain = asyncio.Event()
        self.now = asyncio.Event()

    @contextlib.contextmanager
    def handled(self) -> Iterator[None]:
        """Listen to SIGTERM and SIGINT within the running loop."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.terminate)
        loop.add_signal_handler(signal.SIGINT, self.interrupt)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGTERM)
            loop.remove_signal_handler(signal.SIGINT)
            if self._afterwards is not signal.SIG_DFL:
                for number in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(number, self._afterwards)

    def terminate(self) -> None:
        """SIGTERM: drain first; the second time, stop now."""
        if self.drain.is_set():
            self.now.set()
        self.drain.set()

    def interrupt(self) -> None:
        """SIGINT: somebody at a terminal wants it to stop."""
        self.drain.set()
        self.now.set()
