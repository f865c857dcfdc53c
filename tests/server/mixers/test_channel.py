import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from server.mixers.channel import MAX_SEND_BYTES, MESSAGES_A_WAKE_UP, Channel, close_all, pair
from tests.support.processes import open_fds

pytestmark = pytest.mark.usefixtures("earlier_garbage_gone")


class Listener:
    """What a channel said."""

    def __init__(self, sock: socket.socket) -> None:
        self.messages: list[bytes] = []
        self.fds: list[int] = []
        self.closed = 0
        self.closes_at_once = False
        self.channel = Channel(sock, self.on_message, self.on_close)

    def on_message(self, message: bytes, fds: list[int]) -> None:
        self.messages.append(message)
        self.fds += fds
        if self.closes_at_once:
            self.channel.close()

    def on_close(self) -> None:
        self.closed += 1

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0)


Ends = tuple[Listener, socket.socket]


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    before = open_fds()
    ours, theirs = pair()
    theirs.setblocking(False)
    listener = Listener(ours)
    with theirs:
        yield listener, theirs
        listener.channel.close()
    assert open_fds() == before


async def test_messages_and_descriptors_go_both_ways(ends: Ends) -> None:
    listener, peer = ends
    reading, writing = os.pipe()
    listener.channel.send(b"to the peer", [writing])
    message, fds, _, _ = socket.recv_fds(peer, 100, 4)
    os.write(fds[0], b"x")
    assert (message, os.read(reading, 10)) == (b"to the peer", b"x")
    socket.send_fds(peer, [b"from the peer"], fds)
    close_all([*fds, writing])
    await listener.until(lambda: bool(listener.messages))
    os.write(listener.fds[0], b"y")
    assert (listener.messages, os.read(reading, 10)) == ([b"from the peer"], b"y")
    assert not os.get_inheritable(listener.fds[0])
    close_all([*listener.fds, reading])


async def test_a_slow_peer_gets_everything_in_order_and_with_its_descriptors(ends: Ends) -> None:
    listener, peer = ends
    reading, writing = os.pipe()
    padding = b"." * 10_000
    count = 2_000
    for number in range(count):
        listener.channel.send(b"%d " % number + padding)
    listener.channel.send(b"last", [writing])
    os.close(writing)  # the queue has its own copy
    received: list[bytes] = []
    fds: list[int] = []
    async with asyncio.timeout(20):
        while not fds:
            try:
                message, fds, _, _ = socket.recv_fds(peer, 1 << 20, 4)
                received.append(message.removesuffix(padding))
            except BlockingIOError:
                await asyncio.sleep(0)
    assert received == [*(b"%d " % number for number in range(count)), b"last"]
    os.write(fds[0], b"x")
    assert os.read(reading, 10) == b"x"
    close_all([*fds, reading])


async def test_closing_drops_what_waits_and_its_descriptors(ends: Ends) -> None:
    listener, _ = ends
    null = os.open("/dev/null", os.O_RDONLY)
    for _ in range(2_000):
        listener.channel.send(b"." * 10_000, [null])
    os.close(null)
    listener.channel.close()
    listener.channel.close()
    listener.channel.send(b"void")
    await asyncio.sleep(0)
    assert listener.closed == 0


async def test_the_end_comes_once_after_the_last_message(ends: Ends) -> None:
    listener, peer = ends
    listener.channel.send(b"never read by the peer")
    for number in range(3 * MESSAGES_A_WAKE_UP):
        peer.send(b"%d" % number)
    peer.close()
    await listener.until(lambda: listener.closed > 0)
    await asyncio.sleep(0)
    assert listener.messages == [b"%d" % number for number in range(3 * MESSAGES_A_WAKE_UP)]
    assert (listener.closed, listener.channel.closed) == (1, True)


async def test_sending_to_a_dead_peer_is_void_and_loses_none_of_its_words(ends: Ends) -> None:
    listener, peer = ends
    peer.send(b"last words")
    peer.close()
    listener.channel.send(b"too late")
    await listener.until(lambda: listener.closed > 0)
    assert listener.messages == [b"last words"]


async def test_what_waited_for_a_peer_that_died_is_dropped(ends: Ends) -> None:
    listener, peer = ends
    null = os.open("/dev/null", os.O_RDONLY)
    for _ in range(2_000):
        listener.channel.send(b"." * 10_000, [null])
    os.close(null)
    peer.close()
    await listener.until(lambda: listener.closed > 0)


async def test_one_wake_up_takes_a_bounded_number_of_messages(ends: Ends) -> None:
    listener, peer = ends
    for number in range(2 * MESSAGES_A_WAKE_UP):
        peer.send(b"%d" % number)
    await listener.until(lambda: bool(listener.messages))
    assert len(listener.messages) == MESSAGES_A_WAKE_UP
    listener.channel.read_pending()
    assert len(listener.messages) == 2 * MESSAGES_A_WAKE_UP


async def test_a_message_too_long_for_any_buffer_is_a_bug_of_ours(ends: Ends) -> None:
    with pytest.raises(ValueError, match="too long"):
        ends[0].channel.send(b"." * (MAX_SEND_BYTES + 1))


async def test_a_listener_that_closes_hears_no_more(ends: Ends) -> None:
    listener, peer = ends
    listener.closes_at_once = True
    peer.send(b"one")
    peer.send(b"two")
    await listener.until(lambda: bool(listener.messages))
    await asyncio.sleep(0)
    assert (listener.messages, listener.closed) == ([b"one"], 0)
