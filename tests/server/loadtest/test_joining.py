"""Joining and hanging up, against a client that only remembers."""

import threading
from typing import Any, cast

import pytest

from server.caller.client import Joined, ParleyClient
from server.caller.errors import CallerError, RefusedError
from server.loadtest.joining import Calls, Seat, join_all
from server.loadtest.load import Load


class Remembering:
    """A server that takes `room_for` callers."""

    def __init__(self, room_for: int = 10_000) -> None:
        self.names: list[str] = []
        self.present: set[str] = set()
        self._room_for = room_for
        self._lock = threading.Lock()

    def join(self, name: str, media: dict[str, Any]) -> Joined:
        with self._lock:
            if len(self.present) == self._room_for:
                raise RefusedError("full", 409)
            self.names.append(name)
            port = media["rtp"]["port"]
            self.present.add(f"call-{port}")
        return Joined(f"call-{port}", f"id-of-{name}", {"rtp": {"ip": "127.0.0.1", "port": port + 1000}})

    def hang_up(self, call_id: str) -> None:
        if call_id == "call-3":
            raise CallerError("no answer")
        self.present.remove(call_id)


class Talking:
    def __init__(self) -> None:
        self.targets: list[tuple[str, int]] = []

    def add(self, targets: list[tuple[str, int]]) -> None:
        self.targets += targets


def calls_on(client: Remembering, load: Load) -> Calls:
    addresses = [("127.64.0.1", caller) for caller in range(load.participants)]
    return Calls(cast(ParleyClient, client), load, "load", addresses)


def test_everyone_joins_and_talks_in_order() -> None:
    client, talking, load = Remembering(), Talking(), Load("pcmu", 120, 3)
    groups = list(join_all(load, talking, calls_on(client, load).join))
    assert [len(group) for group in groups] == [1, 50, 50, 19]
    assert talking.targets == [("127.0.0.1", 1000 + caller) for caller in range(120)]
    assert all(one.took_s >= 0 for group in groups for one in group)
    assert set(client.names) == {"load"}


def test_several_conferences_are_numbered() -> None:
    client, load = Remembering(), Load("pcmu", 6, 2, conferences=3)
    seats = [one.seat for group in join_all(load, Talking(), calls_on(client, load).join) for one in group]
    assert [seat.conference_id for seat in seats] == [f"id-of-load-{n}" for n in (1, 1, 2, 2, 3, 3)]


def test_those_who_are_in_are_hung_up_when_one_is_refused() -> None:
    client, talking, load = Remembering(room_for=30), Talking(), Load("pcmu", 60, 3)
    calls = calls_on(client, load)
    with pytest.raises(RefusedError):
        list(join_all(load, talking, calls.join))
    assert len(client.present) == 30
    assert calls.hang_up() == 1
    assert client.present == {"call-3"}  # the one that could not be told
    assert calls.hang_up() == 0


def test_no_join_is_under_way_when_a_test_is_broken_off() -> None:
    client, load = Remembering(), Load("pcmu", 200, 3)
    calls = calls_on(client, load)
    joining = join_all(load, Talking(), calls.join)
    next(joining)
    next(joining)
    cast(Any, joining).close()
    assert len(client.present) == 51
    calls.hang_up()
    assert client.present == {"call-3"}


def test_an_answer_without_an_address_is_refused_and_the_call_hung_up_later() -> None:
    class Vague(Remembering):
        def join(self, name: str, media: dict[str, Any]) -> Joined:
            joined = super().join(name, media)
            return Joined(joined.call_id, joined.conference_id, {})

    client, load = Vague(), Load("pcmu", 2, 1)
    calls = calls_on(client, load)
    with pytest.raises(CallerError, match="makes no sense"):
        calls.join(0)
    calls.hang_up()
    assert client.present == set()


def test_a_seat_says_where_to_send() -> None:
    assert calls_on(Remembering(), Load("pcmu", 2, 1)).join(1) == Seat("id-of-load", "call-1", ("127.0.0.1", 1001))
