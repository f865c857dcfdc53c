"""Deadlines are checked by what `wait_until` returns and by the clock having passed them, not by how soon."""

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mixer import clock

MS = 1_000_000


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    a, b = socket.socketpair()
    with a, b:
        yield a, b


def test_waits_until_the_deadline_when_nothing_comes(ends: tuple[socket.socket, socket.socket]) -> None:
    deadline_ns = clock.monotonic_ns() + 3 * MS
    assert clock.wait_until(deadline_ns, ends[0].fileno()) is False
    assert clock.monotonic_ns() >= deadline_ns


def test_a_deadline_of_less_than_a_millisecond_is_not_skipped(ends: tuple[socket.socket, socket.socket]) -> None:
    for _ in range(20):
        deadline_ns = clock.monotonic_ns() + 200_000
        assert clock.wait_until(deadline_ns, ends[0].fileno()) is False
        assert clock.monotonic_ns() >= deadline_ns


def test_wakes_for_what_is_readable(ends: tuple[socket.socket, socket.socket]) -> None:
    ends[1].send(b"x")
    assert clock.wait_until(clock.monotonic_ns() + 60_000 * MS, ends[0].fileno()) is True
    assert clock.wait_until(None, ends[0].fileno()) is True


def test_wakes_when_the_peer_has_closed(ends: tuple[socket.socket, socket.socket]) -> None:
    ends[1].close()
    assert clock.wait_until(None, ends[0].fileno()) is True


def test_a_past_deadline_still_looks_at_the_descriptor(ends: tuple[socket.socket, socket.socket]) -> None:
    past_ns = clock.monotonic_ns() - MS
    assert clock.wait_until(past_ns, ends[0].fileno()) is False
    ends[1].send(b"x")
    assert clock.wait_until(past_ns, ends[0].fileno()) is True


def test_a_signal_does_not_end_the_wait(ends: tuple[socket.socket, socket.socket]) -> None:
    seen = []
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(True))
    try:
        deadline_ns = clock.monotonic_ns() + 40 * MS
        signal.setitimer(signal.ITIMER_REAL, 0.005)
        assert clock.wait_until(deadline_ns, ends[0].fileno()) is False
        assert clock.monotonic_ns() >= deadline_ns
    finally:
        signal.signal(signal.SIGALRM, before)
    assert seen


def test_a_closed_descriptor_is_an_error_not_a_spin() -> None:
    fd = os.open("/dev/null", os.O_RDONLY)
    os.close(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        clock.wait_until(clock.monotonic_ns() + MS, fd)


def test_clocks_are_the_kernels() -> None:
    before_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    assert before_ns <= clock.monotonic_ns() <= time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    before_ns = time.clock_gettime_ns(time.CLOCK_REALTIME)
    assert before_ns <= clock.realtime_ns() <= time.clock_gettime_ns(time.CLOCK_REALTIME)


def test_timer_slack_is_what_the_kernel_was_told() -> None:
    slack = Path("/proc/self/timerslack_ns")
    before = int(re.sub(r"\D", "", slack.read_text()))
    try:
        clock.set_timer_slack_ns(1)
        assert slack.read_text().strip() == "1"
    finally:
        clock.set_timer_slack_ns(before)
