"""Senders that restart, jump, pause and press digits: the sound is back soon, and digits are no sound."""

import struct

import numpy as np
import pytest
from numpy.typing import NDArray

from mixer.protocol import Codec, Dtmf, Playout
from tests.support.conference import RATES, Caller, VirtualConference, amplitude_at, tone

FRAME = 160
BACK_TICKS = 10
"""200 ms."""


def frame_levels(listener: Caller, first_tick: int, frequency: float = 400) -> NDArray[np.float64]:
    """Amplitude of the tone in each 20 ms that the listener was sent from `first_tick` on."""
    size = listener.rate // 50
    sound = listener.heard()[first_tick * size :].reshape(-1, size)
    turn = np.exp(-2j * np.pi * frequency * np.arange(size) / listener.rate)
    return np.asarray(2 * np.abs(sound @ turn) / size)


def back_after(levels: NDArray[np.float64], amplitude: float = 8000) -> int:
    """Ticks until the tone stays at its level."""
    wrong = np.flatnonzero(np.abs(levels - amplitude) > 0.15 * amplitude)
    return int(wrong[-1]) + 1 if len(wrong) else 0


def talking(codec: Codec = "pcmu", seconds: float = 6, **options: object) -> tuple[VirtualConference, Caller, Caller]:
    conference = VirtualConference()
    talker = conference.add(codec, tone(400, seconds, RATES[codec], 8000), **options)  # type: ignore[arg-type]
    listener = conference.add("l16", rate=16000)
    conference.run(60)
    return conference, talker, listener


JUMPS = {
    "SSRC": lambda caller: setattr(caller, "ssrc", caller.ssrc + 77),
    "SSRC, sequence and timestamp": lambda caller: caller.__dict__.update(ssrc=5, sequence=9, timestamp=123_456),
    "sequence": lambda caller: setattr(caller, "sequence", (caller.sequence + 20_000) % 65_536),
    "sequence back to 0": lambda caller: setattr(caller, "sequence", 0),
    "timestamp 10 s on": lambda caller: setattr(caller, "timestamp", (caller.timestamp + 500 * caller.step) % 2**32),
    "timestamp 10 s back": lambda caller: setattr(caller, "timestamp", (caller.timestamp - 500 * caller.step) % 2**32),
    "timestamp half way": lambda caller: setattr(caller, "timestamp", (caller.timestamp + 2**31) % 2**32),
    "timestamp 200 ms on": lambda caller: setattr(caller, "timestamp", (caller.timestamp + 10 * caller.step) % 2**32),
    "timestamp 200 ms back": lambda caller: setattr(caller, "timestamp", (caller.timestamp - 10 * caller.step) % 2**32),
    "timestamp 60 ms back": lambda caller: setattr(caller, "timestamp", (caller.timestamp - 3 * caller.step) % 2**32),
    "timestamp by 37 units": lambda caller: setattr(caller, "timestamp", (caller.timestamp + 37) % 2**32),
}


@pytest.mark.parametrize("codec", ["pcmu", "g722", "opus"])
@pytest.mark.parametrize("jump", JUMPS)
def test_sound_is_back_within_200_ms_of_a_jump(codec: Codec, jump: str) -> None:
    conference, talker, listener = talking(codec)
    JUMPS[jump](talker)
    conference.run(60)
    assert back_after(frame_levels(listener, 60)) <= BACK_TICKS + 2  # and the 40 ms they wait


@pytest.mark.parametrize("codec", ["pcmu", "opus"])
@pytest.mark.parametrize("ticks", [3, 10, 40, 400])
@pytest.mark.parametrize("clock_runs", [True, False])
def test_sound_is_back_after_a_pause_whether_the_clock_ran_on_or_not(
    codec: Codec, ticks: int, clock_runs: bool
) -> None:
    conference, talker, listener = talking(codec, 20)
    stamp = talker.timestamp
    talker.sending = False
    conference.run(ticks)
    talker.sending = True
    if not clock_runs:
        talker.timestamp = stamp
    conference.run(60)
    assert back_after(frame_levels(listener, 60 + ticks)) <= BACK_TICKS + 2


def test_waiting_sound_of_before_a_jump_is_not_played_after_it() -> None:
    """With 200 ms waiting, a jump must not mix what waits with what comes."""
    conference = VirtualConference()
    talker = conference.add("pcmu", tone(400, 6, 8000, 8000), playout=Playout(200, 300))
    listener = conference.add("l16", rate=16000)
    conference.run(60)
    talker.timestamp = (talker.timestamp + 1000 * 160) % 2**32
    talker.pcm = tone(1000, 6, 8000, 8000)
    conference.run(60)
    new, old = frame_levels(listener, 60, 1000), frame_levels(listener, 60, 400)
    first_new = int(np.argmax(new > 6000))
    assert old[first_new + 1 :].max() < 1000
    assert back_after(new) <= first_new + 2
    assert first_new <= 4 + 10 + 2  # followed after four packets, each waiting 200 ms


def test_three_new_streams_a_second_are_followed_and_no_more() -> None:
    conference, talker, listener = talking(seconds=10)
    conference.run(41)  # to the beginning of a second
    for change in range(1, 6):
        talker.ssrc = 1000 + change
        conference.run(4)
    flapped = conference.mixer.intake.dropped["ssrc_flapping"]
    assert flapped == 2 * 4
    assert conference.mixer.legs.in_ssrc[0] == 1003
    conference.run(50)
    assert conference.mixer.legs.in_ssrc[0] == 1005
    assert frame_levels(listener, 150)[-10:].min() > 7000


def test_agreed_ssrc_is_the_only_one() -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu", tone(400, 3, 8000), ssrc=4242)
    listener = conference.add("pcmu")
    conference.run(25)
    assert not listener.heard().any()
    assert conference.mixer.intake.dropped["wrong_ssrc"] >= 24
    talker.ssrc = 4242
    conference.run(25)
    assert np.abs(listener.heard()[-160:]).max() > 2000


# ---- digits


def dtmf_packets(
    caller: Caller, digit: int, ticks: int, *, every_ticks: int = 1, ends: int = 3
) -> list[tuple[int, bytes]]:
    """(tick, datagram) of one digit that lasts so long, in place of the audio packets of these ticks."""
    start, packets = caller.timestamp, []
    units = caller.step
    for tick in range(ticks):
        caller.timestamp = (caller.timestamp + caller.step) % 2**32
        last = tick == ticks - 1
        if tick % every_ticks and not last:
            continue
        for _ in range(ends if last else 1):
            payload = struct.pack("!BBH", digit, 0x8A if last else 0x0A, min(65_535, (tick + 1) * units))
            header = struct.pack("!BBHII", 0x80, 101 | (0x80 if tick == 0 else 0), caller.sequence, start, caller.ssrc)
            caller.sequence = (caller.sequence + 1) % 65_536
            packets.append((tick, header + payload))
    return packets


@pytest.mark.parametrize("codec", ["pcmu", "g722", "opus"])
@pytest.mark.parametrize("every_ticks", [1, 2, 3])
def test_digit_is_told_once_and_is_silence_in_the_audio(codec: Codec, every_ticks: int) -> None:
    conference, talker, listener = talking(codec, dtmf=101)
    sound = talker.pcm
    talker.pcm = None
    packets = dtmf_packets(talker, 5, 12, every_ticks=every_ticks)
    for tick in range(12):
        for _, datagram in [packet for packet in packets if packet[0] == tick]:
            conference.inject(talker, datagram)
        conference.run(1)
    talker.pcm, talker.ticks = sound, 0
    conference.run(60)
    assert [report for report in conference.reports if isinstance(report, Dtmf)] == [Dtmf(talker.call_id, "5", 240)]
    levels = frame_levels(listener, 60)
    assert levels[5:12].max() < 200  # what waited has been heard by then; nothing is made up for the digit
    assert back_after(levels) <= 12 + 6
    (line,) = [line for line in conference.mixer.stats() if line.call_id == talker.call_id]
    assert line.concealed == 0
    assert line.lost == 0


def test_digit_whose_end_is_lost_is_told_all_the_same() -> None:
    conference, talker, _ = talking(dtmf=101)
    talker.pcm = None
    for _, datagram in dtmf_packets(talker, 11, 6, ends=0):
        conference.inject(talker, datagram)
    conference.run(1)
    assert not any(isinstance(report, Dtmf) for report in conference.reports)
    conference.run(20)
    assert [report for report in conference.reports if isinstance(report, Dtmf)] == [Dtmf(talker.call_id, "#", 100)]


def test_digit_that_is_held_while_the_stream_restarts_is_told_once() -> None:
    conference, talker, _ = talking(dtmf=101)
    for _, datagram in dtmf_packets(talker, 1, 4, ends=0):
        conference.inject(talker, datagram)
    conference.run(1)
    talker.ssrc += 1
    conference.run(30)
    assert [report.digit for report in conference.reports if isinstance(report, Dtmf)] == ["1"]


def test_digits_of_hundreds_who_press_at_once_are_each_theirs() -> None:
    conference = VirtualConference()
    callers = [conference.add("pcmu", dtmf=101) for _ in range(200)]
    for number, caller in enumerate(callers):
        for _, datagram in dtmf_packets(caller, number % 16, 1, ends=3):
            conference.inject(caller, datagram)
    conference.run(1)
    told = [(report.call_id, report.digit) for report in conference.reports if isinstance(report, Dtmf)]
    assert told == [(caller.call_id, "0123456789*#ABCD"[number % 16]) for number, caller in enumerate(callers)]
    assert conference.mixer.intake.dropped["dtmf_flood"] == 0


def test_events_of_a_leg_without_digits_are_dropped_and_counted() -> None:
    conference, talker, _ = talking()
    for _, datagram in dtmf_packets(talker, 1, 4):
        conference.inject(talker, datagram)
    conference.run(1)
    assert conference.mixer.intake.dropped["payload_type"] == 6
    assert not any(isinstance(report, Dtmf) for report in conference.reports)


def test_comfort_noise_is_silence_and_life() -> None:
    conference, talker, listener = talking(media_timeout_ms=10_000)
    talker.pcm = None
    for _ in range(20):
        conference.inject(talker, talker.header(13) + b"\x40")
        conference.run(1)
    assert conference.mixer.intake.dropped["comfort_noise"] == 20
    assert not listener.heard()[-1600:].any()


def test_listener_hears_a_clean_tone_beside_a_restarting_caller() -> None:
    conference = VirtualConference()
    conference.add("pcmu", tone(400, 4, 8000, 8000))
    flapping = conference.add("pcmu", tone(1000, 4, 8000, 8000), hears=False)
    listener = conference.add("l16", rate=8000)
    for number in range(40):
        flapping.ssrc = number
        flapping.timestamp = number * 999_999_999 % 2**32
        conference.run(4)
    assert amplitude_at(listener.heard()[8000:], 400, 8000) == pytest.approx(8000, rel=0.05)
