"""Receivers in a process of their own, so that what they cost is not counted to who sends to them.

`python -m bench.sink COUNT` serves COUNT endpoints. It prints their ports and then an answer to each line it reads, in
JSON: `"collect"` is answered with what arrived since the last time, `{"hang": N}` makes endpoint N take no event any
more. It ends with its input.
"""

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from bench.machine import pin
from bench.pinned import ROOT
from bench.receiver import Answer, Receiver


@dataclass(frozen=True, slots=True)
class Told:
    """An event that arrived at an endpoint."""

    endpoint: int
    event_id: str
    happened_at: float
    """Unix seconds."""
    took_ms: float
    """From then to its arrival."""


class Sink:
    """The process, for as long as the context."""

    def __init__(self, endpoints: int = 1, core: int | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.sink", json.dumps([endpoints, core])],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.urls: list[str] = []

    def __enter__(self) -> Self:
        self.urls = self._answer()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def hang(self, endpoint: int) -> None:
        """Let an endpoint accept connections and requests, and never answer."""
        self._ask({"hang": endpoint})

    def collect(self) -> list[Told]:
        """What arrived since the last time."""
        return [Told(*told) for told in self._ask("collect")]

    def _ask(self, what: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


async def serve(endpoints: int) -> None:
    """Serve until the input ends."""
    receivers = [Receiver() for _ in range(endpoints)]
    for receiver in receivers:
        await receiver.start()
    _print([receiver.url for receiver in receivers])
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        if asked == "collect":
            _print([arrival for number in range(endpoints) for arrival in _collected(number, receivers[number])])
        else:
            receivers[asked["hang"]].choose = lambda: Answer.HANG
            _print("hangs")
    for receiver in receivers:
        await receiver.stop()


def _collected(endpoint: int, receiver: Receiver) -> list[tuple[int, str, float, float]]:
    arrivals, receiver.arrivals = receiver.arrivals, []
    events = [(arrival.at, json.loads(arrival.body)) for arrival in arrivals]
    return [(endpoint, event["id"], event["timestamp"], 1000 * (at - event["timestamp"])) for at, event in events]


def _print(answer: Any) -> None:
    print(json.dumps(answer), flush=True)


def main() -> None:
    endpoints, core = json.loads(sys.argv[1])
    pin(core)
    asyncio.run(serve(endpoints))


if __name__ == "__main__":
    main()
