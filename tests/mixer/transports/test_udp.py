"""Real datagrams on 127.0.0.1, a few of each kind."""

import contextlib
import ctypes
import socket
from collections.abc import Iterator

import numpy as np
import pytest

from mixer import clock
from mixer.transports.base import DATAGRAM_BYTES, Batch, Outgoing
from mixer.transports.libc import address_key, address_of
from mixer.transports.udp import UdpTransport

SO_TIMESTAMPNS = 35


def bound() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.settimeout(2)
    return made


def key(sock: socket.socket) -> int:
    return address_key(*sock.getsockname())


@pytest.fixture
def transport() -> Iterator[UdpTransport]:
    made = UdpTransport()
    yield made
    made.close()


def lend(transport: UdpTransport, shared: bool, peer: socket.socket | None = None) -> tuple[int, tuple[str, int]]:
    mine = bound()
    mine.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    if peer is not None:
        mine.connect(peer.getsockname())
    address = mine.getsockname()
    return transport.lend(0, mine.detach(), shared), address


def received(transport: UdpTransport, count: int, capacity: int = 64) -> tuple[Batch, int]:
    """Loopback is immediate: what was sent before is there."""
    batch = Batch(capacity)
    now_ns = clock.monotonic_ns()
    transport.receive(batch, now_ns, 4)
    assert batch.n == count
    return batch, now_ns


@pytest.mark.parametrize("ip", ["127.0.0.1", "0.0.0.1", "255.254.253.252"])
@pytest.mark.parametrize("port", [1, 4000, 65_535])
def test_address_and_key_are_inverse(ip: str, port: int) -> None:
    assert address_of(address_key(ip, port)) == (ip, port)


@pytest.mark.parametrize("shared", [True, False])
def test_datagrams_come_with_source_socket_length_and_the_kernels_time(transport: UdpTransport, shared: bool) -> None:
    index, address = lend(transport, shared)
    with bound() as one, bound() as other:
        before_ns = clock.monotonic_ns()
        one.sendto(b"first", address)
        other.sendto(b"", address)
        one.sendto(b"x" * DATAGRAM_BYTES, address)
        after_ns = clock.monotonic_ns()
        batch, now_ns = received(transport, 3)
        assert batch.source[:3].tolist() == [key(one), key(other), key(one)]
        assert batch.socket[:3].tolist() == [index] * 3
        assert batch.length[:3].tolist() == [5, 0, DATAGRAM_BYTES]
        assert batch.data[0, :5].tobytes() == b"first"
        slack_ns = 2_000_000
        assert (batch.arrival_ns[:3] >= before_ns - slack_ns).all()
        assert (batch.arrival_ns[:3] <= min(now_ns, after_ns + slack_ns)).all()


@pytest.mark.parametrize("shared", [True, False])
def test_datagram_too_long_is_told_as_too_long(transport: UdpTransport, shared: bool) -> None:
    _, address = lend(transport, shared)
    with bound() as peer:
        peer.sendto(bytes(DATAGRAM_BYTES + 1), address)
        peer.sendto(b"next", address)
        batch, _ = received(transport, 2)
        assert batch.length[:2].tolist() == [DATAGRAM_BYTES + 1, 4]


def test_full_batch_leaves_the_rest_for_the_next(transport: UdpTransport) -> None:
    addresses = [lend(transport, True)[1], lend(transport, False)[1]]
    with bound() as peer:
        for number in range(10):
            for address in addresses:
                peer.sendto(bytes([number]), address)
        got = [received(transport, 8, capacity=8)[0].n, received(transport, 8, capacity=8)[0].n]
        assert sum(got) + received(transport, 4, capacity=8)[0].n == 20


def test_one_flooding_call_does_not_keep_out_another(transport: UdpTransport) -> None:
    _, flooded = lend(transport, False)
    quiet_index, quiet = lend(transport, False)
    with bound() as peer:
        for _ in range(200):
            peer.sendto(b"flood", flooded)
        peer.sendto(b"call", quiet)
        batch, _ = received(transport, 17, capacity=400)
        assert quiet_index in batch.socket[: batch.n]


def packets(
    transport: UdpTransport, rows: list[tuple[int, socket.socket]]
) -> tuple[Outgoing, list[ctypes.Array[ctypes.c_char]]]:
    """An Outgoing of a packet per row, header `row` twelve times, payload its number."""
    out, keep = Outgoing(len(rows)), []
    for row, (_, peer) in enumerate(rows):
        payload = ctypes.create_string_buffer(b"payload %d" % row)
        keep.append(payload)
        out.header[row] = row
        out.payload_address[row] = ctypes.addressof(payload)
        out.payload_bytes[row] = len(payload.value)
        out.destination[row] = key(peer)
    transport.route(out, np.arange(len(rows)), np.array([index for index, _ in rows]))
    return out, keep


def test_each_row_goes_to_its_own_far_end_from_its_own_socket(transport: UdpTransport) -> None:
    peers = [bound() for _ in range(5)]
    first, first_address = lend(transport, True)
    alone, alone_address = lend(transport, False, peers[2])
    second, second_address = lend(transport, True)
    rows = [(second, peers[0]), (first, peers[1]), (alone, peers[2]), (first, peers[3]), (second, peers[4])]
    _, keep = packets(transport, rows)
    assert transport.send() == 5
    origin = {first: first_address, alone: alone_address, second: second_address}
    for row, (index, peer) in enumerate(rows):
        assert peer.recvfrom(100) == (bytes([row]) * 12 + b"payload %d" % row, origin[index])
    assert keep
    for peer in peers:
        peer.close()


def test_far_end_that_is_not_there_yet_costs_only_what_it_is_sent(transport: UdpTransport) -> None:
    peers = [bound(), bound()]
    gone, address = lend(transport, False, peers[0])
    there, _ = lend(transport, False, peers[1])
    gone_address = peers[0].getsockname()
    peers[0].close()
    _, keep = packets(transport, [(there, peers[1])])
    for _ in range(4):
        transport.send_to(gone, 0, b"nobody is there")
        received(transport, 0)
        assert transport.send() == 1
        assert peers[1].recv(100)
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as back:
        back.bind(gone_address)
        back.settimeout(2)
        back.sendto(b"hello", address)
        batch, _ = received(transport, 1)
        assert batch.data[0, :5].tobytes() == b"hello"
        transport.send_to(gone, 0, b"now")
        assert back.recv(100) == b"now"
    assert keep
    peers[1].close()


def test_locked_socket_takes_nothing_from_others(transport: UdpTransport) -> None:
    index, address = lend(transport, False)
    with bound() as peer, bound() as stranger:
        transport.lock(index, peer.getsockname())
        for _ in range(10):
            stranger.sendto(b"attack", address)
        peer.sendto(b"call", address)
        batch, _ = received(transport, 1)
        assert batch.source[0] == key(peer)
        assert transport.send_to(index, 0, b"answer")
        assert peer.recv(100) == b"answer"


def test_released_index_is_used_again_and_its_socket_closed(transport: UdpTransport) -> None:
    indices = [lend(transport, shared)[0] for shared in (True, False, True)]
    assert indices == [0, 1, 2]
    transport.release(1)
    index, address = lend(transport, True)
    assert index == 1
    with bound() as peer:
        peer.sendto(b"new", address)
        batch, _ = received(transport, 1)
        assert batch.socket[0] == 1


def test_only_udp_sockets_are_taken_and_others_stay_the_callers(transport: UdpTransport) -> None:
    one, other = socket.socketpair()
    with one, other, socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
        for wrong in (one, tcp):
            with pytest.raises(ValueError, match="UDP"):
                transport.lend(0, wrong.fileno(), True)
        one.send(b"still open")
        assert other.recv(100) == b"still open"
    assert lend(transport, True)[0] == 0  # no index was used up


def fill(address: tuple[str, int], count: int) -> None:
    with bound() as peer:
        for _ in range(count):
            peer.sendto(bytes(1000), address)


def tiny() -> socket.socket:
    made = bound()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the kernel makes it the least it has
    return made


@pytest.mark.parametrize("shared", [True, False])
def test_what_finds_the_buffer_full_is_counted_even_if_nothing_follows(transport: UdpTransport, shared: bool) -> None:
    roomy, address = tiny(), lend(transport, shared)[1]
    fill(address, 3)
    assert transport.overflow() == 0
    full = roomy.getsockname()
    index = transport.lend(1, roomy.detach(), shared)
    fill(full, 40)
    lost = transport.overflow()
    batch = Batch(64)
    transport.receive(batch, clock.monotonic_ns(), 4)
    assert lost == 3 + 40 - batch.n
    assert 0 < lost < 40
    assert transport.overflow() == lost
    fill(full, 40)
    transport.release(index)
    assert transport.overflow() > lost  # what was lost until the end counts, though the socket is gone


def test_what_a_socket_lost_before_it_was_lent_is_not_counted(transport: UdpTransport) -> None:
    sock = tiny()
    fill(sock.getsockname(), 40)
    transport.lend(1, sock.detach(), False)
    assert transport.overflow() == 0
