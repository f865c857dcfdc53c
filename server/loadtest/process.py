"""The other end of a load generator: starts the process, tells it what to do, waits for what it says."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from server.loadtest.load import Load

_ROOT: Final = Path(__file__).resolve().parent.parent.parent
_END_WITHIN_S: Final = 10.0


class GeneratorError(Exception):
    """The load generator ended early, or said something else than it should."""


class GeneratorProcess:
    """A generator for one run; a context manager.

    Args:
        load: whom it plays.
        ip: this machine's address that faces the server; None: the server is on this machine.
        core: which core it runs on; None: any.
    """

    def __init__(self, load: Load, ip: str | None = None, core: int | None = None) -> None:
        told = {"load": asdict(load), "ip": ip, "core": core}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "server.loadtest.generator", json.dumps(told)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for who runs the test, who then hangs up first
        )
        self.addresses: list[tuple[str, int]] = []
        """Where each caller wants its packets; known once the context is entered."""

    def __enter__(self) -> Self:
        try:
            self.addresses = [(ip, port) for ip, port in self._expect("addresses")]
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            self._process.kill()  # it may be in the middle of a window, where it hears nothing
        self.close()

    def close(self) -> None:
        """Let the process end; nothing of it is left."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()  # the end of its input is the end of its work
        try:
            self._process.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def add(self, targets: list[tuple[str, int]]) -> None:
        """The next callers send to these addresses from now on."""
        self._tell({"add": targets})
        self._expect("added")

    def measure(
        self,
        seconds: float,
        on_open: Callable[[], object] = lambda: None,
        on_close: Callable[[], object] = lambda: None,
        on_progress: Callable[[dict[str, int]], object] = lambda progress: None,
    ) -> dict[str, Any]:
        """A `generator.Result` as a dict; callbacks come when the window opens and closes, and every second between.

        Progress: `tick`, `sent` and `received` packets, since the window opened.
        """
        self._tell({"measure": seconds})
        self._expect("measuring")
        on_open()
        message = self._read()
        while "progress" in message:
            on_progress(message["progress"])
            message = self._read()
        self._said("measured", message)
        on_close()
        result = self._expect("result")
        assert isinstance(result, dict)
        return result

    def _tell(self, command: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise GeneratorError("the load generator has ended") from error

    def _expect(self, key: str) -> Any:
        return self._said(key, self._read())

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        message: dict[str, Any] = json.loads(line) if line else {}
        return message

    def _said(self, key: str, message: dict[str, Any]) -> Any:
        if key not in message:
            raise GeneratorError(f"the load generator said {message or 'nothing'!r} instead of {key!r}")
        return message[key]
