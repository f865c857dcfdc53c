"""A listener who loses packets of what it is sent, and says so or not: the protected profile beside the plain one."""

import numpy as np
from numpy.typing import NDArray

from mixer.rtp.rtcp import ReportBlock, build_report
from tests.support.conference import Caller, VirtualConference
from tests.support.measure.opus_path import RATE, decoded
from tests.support.quality import pesq

SECOND = 50
_SETTLED_S = 4
"""By then the server has believed the reports."""


def is_protected(packet: bytes) -> bool:
    """The packet is hybrid or SILK: only these can hold FEC (RFC 6716 section 2.1.7)."""
    return packet[12] >> 3 < 16


def report(conference: VirtualConference, caller: Caller, loss: float) -> None:
    """The caller sends a receiver report about what it is sent."""
    ssrc = int(conference.mixer.legs.out_ssrc[conference.mixer.legs.row_of[caller.call_id]])
    block = ReportBlock(ssrc, round(loss * 256), 0, 0, 0)
    conference.inject(caller, build_report(caller.ssrc, "far-end", (block,)))


def listen(sound: NDArray[np.int16], loss: float, seeds: int, reports: bool) -> float:
    """PESQ-WB, the mean of so many seeds, of what a far end hears that loses this share of what it is sent.

    `sound`: (samples,) at 48 kHz, of which the first seconds are not judged.
    """
    conference = VirtualConference()
    conference.add("l16", sound, rate=48_000)
    reference, listener = conference.add("l16", rate=RATE), conference.add("opus")
    for _ in range(len(sound) // 48_000):
        if reports:
            report(conference, listener, loss)
        conference.run(SECOND)
    packets = listener.got[_SETTLED_S * SECOND :]
    assert all(is_protected(packet) == reports for packet in packets)
    clean, scores = reference.heard()[_SETTLED_S * RATE :], []
    for seed in range(1, seeds + 1):
        lost = np.random.default_rng(seed).random(len(listener.got)) < loss
        heard = decoded([packet[12:] for packet in listener.got], lost.tolist())
        scores.append(pesq(RATE, clean, heard[_SETTLED_S * RATE :], "wb"))
    return float(np.mean(scores))
