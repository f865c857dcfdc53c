"""Packets by the batch, on real sockets of this machine."""

import socket

import numpy as np

from server.loadtest.sockets import Inbox, Outbox, address_of, open_socket, udp_drops


def test_datagrams_without_room_are_counted() -> None:
    with open_socket() as sock:
        sock.setsockopt(1, 8, 0)  # SO_RCVBUF, as small as the kernel lets it be
        port = sock.getsockname()[1]
        assert udp_drops({port}) == 0
        for _ in range(100):
            sock.sendto(bytes(1000), ("127.0.0.1", port))
        assert udp_drops({port}) > 50


def test_a_shared_socket_sends_from_each_callers_address_only_the_rows_that_are_meant() -> None:
    with open_socket() as sock, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind(("127.0.0.1", 0))
        far.settimeout(2)
        outbox = Outbox([sock], np.array([3, 7, 300]), shared=True)
        payload = np.arange(4, dtype=np.uint8)
        outbox.payload_address[:] = payload.ctypes.data
        outbox.payload_bytes[:] = 4
        for row in range(3):
            outbox.aim(row, *far.getsockname())
        assert outbox.send(np.array([0, 2])) == 0
        got = [far.recvfrom(100) for _ in range(2)]
    assert [source[0] for _, source in got] == [address_of(3), address_of(300)] == ["127.64.0.4", "127.64.1.45"]
    assert [data[12:] for data, _ in got] == [bytes(payload)] * 2


def test_what_the_kernel_refuses_is_counted() -> None:
    with open_socket() as sock:
        outbox = Outbox([sock], np.array([0, 1]), shared=True)
        outbox.payload_address[:] = outbox.header.ctypes.data
        outbox.payload_bytes[:] = 4
        outbox.aim(0, "127.0.0.1", 0)  # no such port
        outbox.aim(1, "127.0.0.1", sock.getsockname()[1])
        assert outbox.send(np.array([0, 1])) == 1


def test_packets_of_many_sockets_are_taken_into_one_batch() -> None:
    inbox = Inbox()
    with open_socket("127.0.0.1") as own, open_socket() as shared, open_socket() as far:
        far.sendto(b"one", own.getsockname())
        far.sendto(b"second", (address_of(5), shared.getsockname()[1]))
        inbox.take(own.fileno(), 9)
        inbox.take(shared.fileno(), None)
        inbox.take(own.fileno(), 9)
        assert inbox.filled == 2
        assert inbox.callers().tolist() == [9, 5]
        assert inbox.lengths().tolist() == [3, 6]
        assert inbox.data[1, :6].tobytes() == b"second"
        assert inbox.arrival_ns(1) >= inbox.arrival_ns(0) > 1_500_000_000 * 10**9
    inbox.clear()
    assert (inbox.filled, inbox.full) == (0, False)
