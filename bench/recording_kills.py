"""`python -m bench.recording_kills`: SIGKILL recorders, mixers and servers under recordings, and see what is lost.

Each round is a server with some recorded conferences, of which each loses its recorder or its mixer at a random moment,
and then all of them the server, alone or with every process it has. The next round is the same server, started again.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from server import clock
from tests.support.hooks import Hooks
from tests.support.live_server import LiveServer
from tests.support.processes import wait_until_gone
from tests.support.recorded_talk import Talk, Verdict, Victim, kill_server, left_behind, verdict

RECORDERS: Final = 2
MIXERS: Final = 2
"""Of each, killed in a round."""
LONGEST_S: Final = 6.0
_SETTLED_WITHIN_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Kill:
    """Who dies when, in seconds from the round's beginning."""

    victim: Victim | None
    at_s: float
    ends_s: float
    """When the callers hang up, if there is still something to hang up."""


@dataclass(frozen=True, slots=True)
class Round:
    """What happens to the conferences of a round, and when and how the server dies."""

    kills: tuple[Kill, ...]
    server_at_s: float
    everything: bool
    """The server's children die with it."""


def plan(
    seed: int, everything: bool, *, recorders: int = RECORDERS, mixers: int = MIXERS, longest_s: float = LONGEST_S
) -> Round:
    """Random moments, the same for the same seed. Some recorders die while they publish."""
    dice = random.Random(seed)
    never_s = longest_s + 1
    server_at_s = dice.uniform(longest_s - 1, longest_s)
    victims: dict[Victim, int] = {"recorder": recorders, "mixer": mixers}
    kills = []
    for victim, count in victims.items():
        for _ in range(count):
            at_s = dice.uniform(0.3, longest_s - 1)
            publishes = victim == "recorder" and dice.random() < 0.3
            kills.append(Kill(victim, at_s, at_s - dice.uniform(0, 0.3) if publishes else never_s))
    # Nobody touches this one before the server dies.
    kills.append(Kill(None, 0, never_s))
    return Round(tuple(kills), server_at_s, everything)


def play(server: LiveServer, hooks: Hooks, round_: Round, name: str) -> tuple[list[Verdict], int]:
    """Play one round with a server that runs, start it again, and judge; returns the verdicts and how many died."""
    talks = [Talk(server, hooks, f"{name}-{number}") for number in range(len(round_.kills))]
    try:
        killed = _play(server, talks, round_)
    finally:
        for talk in talks:
            talk.close()
    server.start()
    verdicts = [_judged(talk) for talk in talks]
    _wait_settled(server)
    return verdicts, killed + 1


def _play(server: LiveServer, talks: list[Talk], round_: Round) -> int:
    began_s = clock.monotonic()
    killed = 0
    actions: list[tuple[float, Callable[[], object]]] = []
    for talk, kill in zip(talks, round_.kills, strict=True):
        if kill.victim is not None:
            actions.append((kill.at_s, partial(talk.kill, kill.victim)))
        leaving = threading.Thread(target=talk.leave)
        actions.append((kill.ends_s, leaving.start))
    for at_s, act in sorted(actions, key=lambda action: action[0]):
        if at_s >= round_.server_at_s:
            break
        time.sleep(max(0.0, began_s + at_s - clock.monotonic()))
        killed += act() is True
    time.sleep(max(0.0, began_s + round_.server_at_s - clock.monotonic()))
    below = kill_server(server, round_.everything)
    # A recorder that outlives its server publishes and ends by itself.
    wait_until_gone(below, patience_s=_SETTLED_WITHIN_S)
    return killed


def _judged(talk: Talk) -> Verdict:
    try:
        return verdict(talk)
    except Exception as error:  # whatever it is, the file or what is said of it is at fault
        return Verdict((f"{type(error).__name__}: {error}",), 0, 0, 0, False)


def _wait_settled(server: LiveServer) -> None:
    deadline_s = clock.monotonic() + _SETTLED_WITHIN_S
    while left := left_behind(server):
        assert clock.monotonic() < deadline_s, left
        time.sleep(0.05)


@contextmanager
def running(folder: Path, within: Sequence[str] = ()) -> Iterator[tuple[LiveServer, Hooks]]:
    """A server and a receiver of its callbacks."""
    with Hooks() as hooks:
        server = LiveServer(folder, within=within).start()
        try:
            yield server, hooks
        finally:
            server.stop()


def main() -> int:
    parser = argparse.ArgumentParser("python -m bench.recording_kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=30, help="at least so many (default 30)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default 1)")
    options = parser.parse_args()
    verdicts: list[Verdict] = []
    kills = rounds = 0
    with tempfile.TemporaryDirectory(prefix="parley-kills-") as folder, running(Path(folder)) as (server, hooks):
        while kills < options.kills:
            found, killed = play(server, hooks, plan(options.seed + rounds, rounds % 2 == 1), f"round-{rounds}")
            verdicts += found
            kills, rounds = kills + killed, rounds + 1
            print(f"{kills} kills; lost of heard ms: {[(one.lost_ms, one.heard_ms) for one in found]}", flush=True)
    faults = [fault for one in verdicts for fault in one.faults]
    print("\n".join(faults))
    how = Counter("recovered" if one.recovered else "whole" for one in verdicts)
    print(f"{kills} kills, {len(verdicts)} recordings ({dict(how)}), {len(faults)} faults, ", end="")
    print(f"worst loss {max(one.lost_ms for one in verdicts)} ms")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
