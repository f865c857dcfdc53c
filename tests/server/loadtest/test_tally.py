import numpy as np

from server.loadtest.sockets import Inbox, address_of, open_socket
from server.loadtest.tally import Tally


def received(packets: list[tuple[int, int, int]]) -> Inbox:
    """An inbox of (caller, payload type, sequence)."""
    inbox = Inbox()
    with open_socket() as sock, open_socket() as far:
        for caller, payload_type, sequence in packets:
            datagram = bytes([0x80, payload_type, sequence >> 8, sequence & 0xFF]) + bytes(8) + b"sound"
            far.sendto(datagram, (address_of(caller), sock.getsockname()[1]))
        inbox.take(sock.fileno(), None)
    assert inbox.filled == len(packets)
    return inbox


def test_gaps_in_sequence_numbers_are_packets_that_were_not_delivered() -> None:
    tally = Tally(3, 1, 0)
    tally.count(received([(0, 0, 65_530 + n & 0xFFFF) for n in range(20) if n not in (5, 6)]))
    tally.count(received([(1, 0, n) for n in range(20)]))
    assert (tally.received, tally.unserved) == (38, 1)
    assert tally.expected(20).tolist() == [20, 20, 20]
    assert tally.delivered(20) == (38, 60)


def test_one_who_is_a_little_early_or_late_lost_nothing() -> None:
    tally = Tally(1, 0, 0)
    tally.count(received([(0, 0, n) for n in range(18)]))
    assert tally.delivered(20) == (18, 18)
    assert tally.delivered(100) == (18, 100)  # the stream stopped


def test_only_audio_for_callers_counts() -> None:
    tally = Tally(2, 1, 111)
    tally.count(received([(0, 111, 1), (0, 0, 2), (0, 200 - 128, 3), (7, 111, 4), (1, 111 + 128, 5)]))
    assert tally.received == 2  # with and without the marker


def test_what_the_listener_got_is_kept() -> None:
    tally = Tally(2, 1, 0)
    tally.count(received([(0, 0, 1), (1, 0, 2), (1, 0, 3)]))
    assert [(heard.sequence, heard.payload) for heard in tally.heard] == [(2, b"sound"), (3, b"sound")]


def test_a_window_may_be_longer_than_sequence_numbers_go_round() -> None:
    tally = Tally(1, 0, 0)
    ticks = 3_600 * 50
    tally.count(received([(0, 0, 100)]))
    tally.count(received([(0, 0, (100 + ticks - 1) % 0x1_0000)]))
    assert tally.expected(ticks).tolist() == [ticks]
    assert np.array_equal(tally.delivered(ticks), (2, ticks))
