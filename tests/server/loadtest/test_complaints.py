"""Callers tell of the stream that they are sent, as the mixer reads it."""

import socket

import numpy as np

from mixer.rtp.rtcp import ReceiverReport, parse
from server.loadtest.generator import Generator
from server.loadtest.load import Load

CALLERS = 13
SENT_SSRC = 0xABCD_0000


def play(load: Load, ticks: int) -> list[tuple[str, ReceiverReport]]:
    """Let a generator run against a socket that answers each with a stream of its own; the reports that come."""
    generator = Generator(load)
    reports = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        generator.add([server.getsockname()] * load.participants)
        try:
            for _ in range(ticks):
                generator.run(1)
                for datagram, source in iter(lambda: _received(server), None):
                    if datagram[1] == 201:
                        (report,) = parse(datagram)
                        assert isinstance(report, ReceiverReport)
                        reports.append((source[0], report))
                    else:
                        ssrc = SENT_SSRC + datagram[11]  # which the caller's own ends in
                        server.sendto(datagram[:8] + ssrc.to_bytes(4, "big") + datagram[12:], source)
        finally:
            generator.close()
    return reports


def _received(server: socket.socket) -> tuple[bytes, tuple[str, int]] | None:
    try:
        return server.recvfrom(4096)
    except BlockingIOError:
        return None


def test_each_caller_reports_once_a_second_of_what_it_is_sent() -> None:
    reports = play(Load("pcmu", CALLERS, CALLERS, reported_loss=0.1), ticks=100)
    assert {address for address, _ in reports} == {f"127.64.0.{number}" for number in range(1, CALLERS + 1)}
    for _, report in reports:
        (block,) = report.blocks
        assert block.ssrc == SENT_SSRC + report.ssrc % 256
        assert block.fraction_lost == round(25.5)
    told = np.bincount([report.ssrc % 256 for _, report in reports], minlength=CALLERS)
    assert set(told.tolist()) <= {1, 2}


def test_who_has_nothing_to_report_says_nothing() -> None:
    assert play(Load("pcmu", CALLERS, CALLERS), ticks=60) == []
