"""How many prompts are fetched at once."""

import asyncio

import pytest

from server.prompts.errors import PromptError
from server.prompts.turns import Turns
from tests.server.prompts.virtual import settle


class Crowd:
    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.may_go = asyncio.Event()
        self.inside: list[str] = []

    async def go(self, url: str) -> None:
        async with self._turns.turn(url):
            self.inside.append(url)
            await self.may_go.wait()
            self.inside.remove(url)


async def test_a_slow_host_does_not_hold_up_others() -> None:
    turns = Turns(most=3, most_of_a_host=2)
    crowd = Crowd(turns)
    going = [
        asyncio.ensure_future(crowd.go(url))  # noqa: TID251
        for url in ["https://slow/1", "https://u:p@SLOW/2", "https://slow/3", "https://slow/4", "https://ok/1"]
    ]
    await settle()
    assert len([url for url in crowd.inside if "ok" not in url]) == 2
    assert "https://ok/1" in crowd.inside
    crowd.may_go.set()
    await asyncio.gather(*going)
    assert len(turns) == 0


async def test_there_is_a_bound_for_all_hosts_together() -> None:
    crowd = Crowd(Turns(most=3, most_of_a_host=2))
    going = [asyncio.ensure_future(crowd.go(f"https://host{i}/")) for i in range(5)]  # noqa: TID251
    await settle()
    assert len(crowd.inside) == 3
    crowd.may_go.set()
    await asyncio.gather(*going)


@pytest.mark.parametrize("other", ["https://host/2", "https://elsewhere/"])
async def test_waiting_for_a_turn_ends(other: str) -> None:
    turns = Turns(most=1, most_of_a_host=1, patience_s=0.01)
    async with turns.turn("https://host/1"):
        with pytest.raises(PromptError) as refused:
            async with turns.turn(other):
                pass
    assert refused.value.code == "prompt_timeout"
    assert len(turns) == 0
    async with turns.turn(other):
        pass


async def test_a_turn_is_given_back_whatever_happens() -> None:
    turns = Turns(most=1, most_of_a_host=1)
    with pytest.raises(ZeroDivisionError):
        async with turns.turn("https://host/"):
            raise ZeroDivisionError
    cancelled = asyncio.ensure_future(Crowd(turns).go("https://host/"))  # noqa: TID251
    await settle()
    cancelled.cancel()
    await settle()
    async with turns.turn("https://[::1"):
        pass
    assert len(turns) == 0
