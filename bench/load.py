"""The runner's end of a load generator: starts the process, tells it what to do, waits for what it says."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from bench.generator import Load

_ROOT: Final = Path(__file__).resolve().parent.parent


class GeneratorError(Exception):
    """The load generator ended early, or said something else than it should."""


class GeneratorProcess:
    """A generator for one run; a context manager."""

    def __init__(self, load: Load, core: int | None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.generator", json.dumps(asdict(load) | {"cpu": core})],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ports: list[int] = []
        """Our port, by participant; known once the context is entered."""

    def __enter__(self) -> Self:
        try:
            self.ports = self._expect("ports")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let the process end; nothing of it is left."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()  # the end of its input is the end of its work
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def add(self, targets: list[tuple[str, int]]) -> None:
        """The next participants send to these addresses from now on."""
        self._tell({"add": targets})
        self._expect("added")

    def measure(self, seconds: float, on_open: Callable[[], None], on_close: Callable[[], None]) -> dict[str, Any]:
        """A `generator.Result` as a dict; the callbacks come when the window opens and closes."""
        self._tell({"measure": seconds})
        self._expect("measuring")
        on_open()
        self._expect("measured")
        on_close()
        result = self._expect("result")
        assert isinstance(result, dict)
        return result

    def _tell(self, command: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def _expect(self, key: str) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        message = json.loads(line) if line else {}
        if key not in message:
            raise GeneratorError(f"the load generator said {line.strip() or 'nothing'!r} instead of {key!r}")
        return message[key]
