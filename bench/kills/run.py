"""One run: load, kills at random moments, and in the end the account."""

import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2

from bench.kills.account import Account, account
from bench.kills.load import TOKENS, Client
from bench.kills.victim import Victim, VictimError
from bench.receiver import Answer, Receiver, ReceiverThread
from server.conference.callbacks import STATUSES_OF

REFUSED: Final = 0.15
LOST: Final = 0.05
ORPHANS_WITHIN_S: Final = 2.0
STATUSES: Final = frozenset(status for token in TOKENS.split() for status in STATUSES_OF[token])
_REFUSALS: Final = (Answer.BREAK, Answer.LATER, Answer.CLOSE)
_WAITS_S: Final = ",".join(["0.05", "0.1", "0.2"] + ["0.3"] * 37)
"""So many that none is given up: the receiver refuses 3 of 20, and none of them for good."""
_BEFORE_READY: Final = 0.2
"""Share of lives that are ended while they begin."""
_AFTERTHOUGHT_S: Final = 0.02
_LONGEST_LIFE_S: Final = 10.0
_DELIVERED_WITHIN_S: Final = 60.0
_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does; the same seed chooses the same moments and answers."""

    kills: int
    seed: int = 1
    clients: int = 3
    requests: int = 100
    """Webhook requests, answered or not, after which a life ends on average: how long that is, the machine decides."""


@dataclass
class Result:
    """What came of a run."""

    account: Account = field(default_factory=Account)
    kills: int = 0
    killed_while_starting: int = 0
    seconds: float = 0.0
    orphans_gone_s: list[float] = field(default_factory=list)
    """After each kill: until nothing was left of that life but, where there are any, recorders at their last work."""
    left_behind: list[int] = field(default_factory=list)
    """Processes that outlived their control process by more than ORPHANS_WITHIN_S."""
    answers: dict[str, int] = field(default_factory=dict)
    """What the receiver answered, by kind."""
    not_delivered: int = 0
    """Deliveries that were given up."""
    surprises: list[str] = field(default_factory=list)
    """Answers of the API that nothing explains."""

    def faults(self) -> dict[str, Any]:
        """What is wrong; nothing if everything held."""
        others = {
            name: value for name in ("left_behind", "not_delivered", "surprises") if (value := getattr(self, name))
        }
        return self.account.faults() | others


def run(plan: Plan, folder: Path, say: Callable[[str], None] = lambda _: None) -> Result:
    """Run a plan with a server on `folder`, which should be empty."""
    chance = random.Random(f"receiver-{plan.seed}")
    begun = time.perf_counter()
    with ReceiverThread(lambda: _answer(chance)) as there:
        victim = Victim(folder, PARLEY_ALLOW_PRIVATE_URLS="true", PARLEY_WEBHOOK_SCHEDULE=_WAITS_S)
        clients = [
            Client(number, victim.url, there.receiver.url, plan.seed, lambda: victim.lives)
            for number in range(plan.clients)
        ]
        result = Result()
        victim.start()
        try:
            victim.wait_ready()
            for client in clients:
                client.start()
            _kill_again_and_again(plan, victim, there.receiver, result, say)
            for client in clients:
                client.stop()
            victim.wait_ready()
            for client in clients:
                client.join()
            logs, result.not_delivered = _read(victim)
        finally:
            code = victim.stop()
        if code:
            raise VictimError(f"the server ended with {code} when it was told to stop")
        result.left_behind += _still_there(victim)[0]
        arrivals = [json.loads(arrival.body) for arrival in there.receiver.arrivals]
        accepted = [fact for client in clients for fact in client.accepted]
        result.account = account(logs, arrivals, STATUSES, accepted)
        result.answers = {answer.name.lower(): count for answer, count in there.receiver.answered.items()}
    result.surprises = [surprise for client in clients for surprise in client.surprises]
    result.seconds = time.perf_counter() - begun
    return result


def _answer(chance: random.Random) -> Answer:
    at = chance.random()
    if at < REFUSED:
        return chance.choice(_REFUSALS)
    return Answer.LOSE if at < REFUSED + LOST else Answer.TAKE


def _kill_again_and_again(
    plan: Plan, victim: Victim, receiver: Receiver, result: Result, say: Callable[[str], None]
) -> None:
    chance = random.Random(f"kills-{plan.seed}")
    born = time.perf_counter()
    took_s = 0.0
    for number in range(1, plan.kills + 1):
        if number > 1 and chance.random() < _BEFORE_READY:
            time.sleep(max(0.0, born + chance.random() * took_s - time.perf_counter()))
            result.killed_while_starting += not victim.ready()
        else:
            victim.wait_ready()
            took_s = time.perf_counter() - born
            _live_on(receiver, chance.randrange(2 * plan.requests))
            time.sleep(chance.random() * _AFTERTHOUGHT_S)
        victim.kill()
        result.kills += 1
        # The next life begins at once, while mixers of the last one may still be ending.
        victim.start()
        born = time.perf_counter()
        left, gone_s = _still_there(victim, victim.lives - 1)
        result.left_behind += left
        result.orphans_gone_s.append(gone_s)
        requests = receiver.answered.total()
        say(f"kill {number} of {plan.kills}, {requests} requests so far: nothing left after {gone_s * 1000:.0f} ms")


def _live_on(receiver: Receiver, requests: int) -> None:
    """Wait until so many more webhooks were requested."""
    deadline = time.perf_counter() + _LONGEST_LIFE_S
    enough = receiver.answered.total() + requests
    while receiver.answered.total() < enough and time.perf_counter() < deadline:
        time.sleep(0.002)


def _still_there(victim: Victim, life: int | None = None) -> tuple[list[int], float]:
    """Wait for the end of all processes of a life; return those that go on for too long, and how long it took."""
    life = victim.lives if life is None else life
    begun = time.perf_counter()
    while left := victim.left_of(life):
        if time.perf_counter() - begun > ORPHANS_WITHIN_S:
            return left, time.perf_counter() - begun
        time.sleep(0.02)
    return [], time.perf_counter() - begun


def _read(victim: Victim) -> tuple[dict[str, Sequence[Any]], int]:
    """Wait until nothing is left to be delivered; return all logs, and how many deliveries were given up."""
    with httpx2.Client(base_url=victim.url, timeout=30, trust_env=False) as http:

        def get(path: str) -> Any:
            response = http.get(path)
            response.raise_for_status()
            return response.json()

        deadline = time.perf_counter() + _DELIVERED_WITHIN_S
        while get("/v1/conferences?status=in-progress&limit=1")["conferences"]:
            for conference in get("/v1/conferences?status=in-progress")["conferences"]:
                http.post(f"/v1/conferences/{conference['conference_id']}/end")
        while get("/v1/webhook-deliveries?state=pending&limit=1")["deliveries"]:
            if time.perf_counter() > deadline:
                raise VictimError(f"events were still to be delivered after {_DELIVERED_WITHIN_S:.0f} s")
            time.sleep(0.1)
        logs: dict[str, Sequence[Any]] = {}
        last = ""
        while page := get(f"/v1/conferences?limit={_PAGE}{last}")["conferences"]:
            for conference in page:
                logs[conference["conference_id"]] = _log(get, conference["conference_id"])
            last = f"&before={page[-1]['conference_id']}"
        return logs, len(get(f"/v1/webhook-deliveries?state=dead&limit={_PAGE}")["deliveries"])


def _log(get: Callable[[str], Any], conference_id: str) -> list[Any]:
    events: list[Any] = []
    while page := get(f"/v1/conferences/{conference_id}/events?after={len(events)}&limit={_PAGE}")["events"]:
        events += page
    return events
