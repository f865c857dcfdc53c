"""Bad links: what is lost is made up, what is late is waited for, and the wait is no longer than it must be."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mixer.codecs.g711 import MULAW_ENCODE
from mixer.dsp.resample import Resampler
from mixer.protocol import Codec
from tests.mixer.dsp.speech import speech
from tests.support.conference import RATES, Caller, VirtualConference, tone
from tests.support.measure.drift import AMPLITUDE, DriftingTone
from tests.support.network import Conditions
from tests.support.opus_sender import OpusSender
from tests.support.voices import speech as talking


def playout_of(conference: VirtualConference, caller: Caller) -> tuple[float, int, int]:
    """(wait_ms, late, concealed) of a caller."""
    (line,) = [line for line in conference.mixer.stats() if line.call_id == caller.call_id]
    return line.buffer_ms, line.late, line.concealed


# ---- loss


@pytest.mark.parametrize("codec", ["pcmu", "g722", "l16", "opus"])
def test_lost_packet_is_made_up_and_a_long_hole_falls_silent(codec: Codec) -> None:
    conference = VirtualConference()
    talker = conference.add(codec, tone(400, 3, RATES[codec], 8000))
    listener = conference.add("l16", rate=8000)
    conference.run(50)
    for lost_ticks in (1, 2, 25):
        talker.link.conditions = Conditions(loss=1)
        conference.run(lost_ticks)
        talker.link.conditions = Conditions()
        conference.run(20)
    sound = listener.heard()
    energy = np.sqrt(np.mean(sound[: len(sound) // 160 * 160].reshape(-1, 160) ** 2, axis=1))[40:]
    usual = 8000 / np.sqrt(2)
    after_hole = energy[:20], energy[20:40], energy[40:]
    assert after_hole[0].min() > 0.6 * usual  # one frame lost
    assert after_hole[1].min() > 0.3 * usual  # two lost: fading
    assert np.count_nonzero(after_hole[2] < 0.01 * usual) >= 15  # 25 lost: nothing is made up for half a second
    assert energy[-8:].min() > 0.9 * usual
    assert energy.max() < 1.2 * usual
    _, _, concealed = playout_of(conference, talker)
    assert 1 + 2 + 3 <= concealed <= 1 + 2 + 5


def wideband(seconds: float) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """The same speech at 16 and at 48 kHz."""
    voice = np.rint(speech(seconds, 16_000)).astype(np.int16)
    resampler, frames = Resampler(16_000, 48_000), []
    for at in range(0, len(voice), 320):
        frame = np.zeros(960, np.float32)
        resampler.process(voice[at : at + 320].astype(np.float32), frame)
        frames.append(frame)
    return voice, np.rint(np.concatenate(frames)).astype(np.int16)


@pytest.mark.parametrize("phase_ms", [3.0, 8.0, 17.0])
def test_fec_of_the_sender_is_used_wherever_in_the_tick_its_packets_come(phase_ms: float) -> None:
    pesq = pytest.importorskip("pesq").pesq
    voice, sound = wideband(8)

    def quality(loss: float, fec_percent: int) -> float:
        conference = VirtualConference()
        conference.add(
            "opus",
            sound,
            conditions=Conditions(loss=loss, delay_ms=0),
            opus_sender=OpusSender(bitrate=32_000, loss_percent=fec_percent),
            phase_ms=phase_ms,
        )
        listener = conference.add("l16", rate=16000)
        conference.run(405)
        return float(pesq(16_000, voice.astype(np.float32), listener.heard(), "wb"))

    clean, concealed, recovered = quality(0, 0), quality(0.05, 0), quality(0.05, 10)
    assert clean > 4.2
    assert 2.3 < concealed < 3.4
    assert recovered > 3.7
    assert quality(0.10, 15) > 3.2


def test_fec_costs_a_tick_of_wait_only_while_packets_are_lost() -> None:
    conference = VirtualConference()
    _, sound = wideband(4)
    talker = conference.add(
        "opus", np.tile(sound, 13), opus_sender=OpusSender(bitrate=32_000, loss_percent=10), phase_ms=5.0
    )
    conference.run(100)
    assert playout_of(conference, talker)[0] < 30
    talker.link.conditions = Conditions(loss=0.05)
    conference.run(200)
    assert 30 < playout_of(conference, talker)[0] < 50
    talker.link.conditions = Conditions()
    conference.run(1800)
    assert playout_of(conference, talker)[0] < 30


# ---- jitter


@pytest.mark.parametrize("codec", ["pcmu", "opus"])
@pytest.mark.parametrize("jitter_ms", [20, 50, 100, 200])
def test_jitter_is_waited_for_and_the_wait_ends_after_it(codec: Codec, jitter_ms: float) -> None:
    conference = VirtualConference()
    pcm = np.rint(speech(32, 8000)).astype(np.int16).repeat(RATES[codec] // 8000)
    talker = conference.add(codec, pcm, conditions=Conditions(jitter_ms=jitter_ms))
    conference.run(150)
    _, late_before, _ = playout_of(conference, talker)
    waits = []
    for _ in range(10):
        conference.run(50)
        waits.append(playout_of(conference, talker)[0])
    _, late, _ = playout_of(conference, talker)
    assert (late - late_before) / 500 <= 0.01
    # Packets wait half the jitter on average where the latest just comes in time; the sum of both is the delay.
    assert max(waits) <= jitter_ms / 2 + 40 + 20
    talker.link.conditions = Conditions()
    conference.run(500)
    assert playout_of(conference, talker)[0] <= 30
    assert playout_of(conference, talker)[1] - late <= 2


def delay_samples(said: NDArray[np.int16], heard: NDArray[np.float32], at: int) -> int:
    """How much later `said[at:at+2000]` is heard, by correlation."""
    part = said[at : at + 2000].astype(np.float64)
    window = heard[at : at + 2000 + 4800].astype(np.float64)
    size = 1 << 14
    product = np.fft.irfft(np.fft.rfft(window, size) * np.conj(np.fft.rfft(part, size)), size)[: len(window) - 1999]
    return int(np.argmax(product))


@pytest.mark.parametrize("jitter_ms", [0, 50, 100])
def test_mouth_to_ear_delay_is_jitter_and_forty_ms_at_most(jitter_ms: float) -> None:
    conference = VirtualConference()
    noise = np.random.default_rng(7).normal(0, 3000, 8 * 8000).clip(-20_000, 20_000).astype(np.int16)
    conference.add("l16", noise, rate=8000, conditions=Conditions(jitter_ms=jitter_ms, delay_ms=0), phase_ms=0)
    listener = conference.add("l16", rate=8000)
    conference.run(400)
    heard = listener.heard()
    # Sample k is heard from the packet sent at the end of tick k // 160; a packet sent at once would come 20 ms later.
    delays = [delay_samples(noise, heard, at) / 8 + 20 for at in range(24_000, 56_000, 4000)]
    assert max(delays) <= jitter_ms + 40
    assert min(delays) >= 20


def test_repeated_packets_change_nothing_even_if_they_come_late() -> None:
    for conditions in (Conditions(duplicate=0.1), Conditions(duplicate=0.1, duplicate_ms=90)):
        conference = VirtualConference()
        talker = conference.add("pcmu", tone(400, 10, 8000), conditions=conditions)
        still = VirtualConference()
        same = still.add("pcmu", tone(400, 10, 8000))
        listener, other = conference.add("pcmu"), still.add("pcmu")
        conference.run(500)
        still.run(500)
        assert playout_of(conference, talker)[0] == playout_of(still, same)[0]
        assert [packet[12:] for packet in listener.got] == [packet[12:] for packet in other.got]
        (line,) = [line for line in conference.mixer.stats() if line.call_id == talker.call_id]
        assert 30 < line.duplicates < 70
        assert line.late == 0


@pytest.mark.parametrize("codec", ["pcmu", "opus"])
def test_reordering_five_deep_loses_nothing_once_the_wait_has_grown(codec: Codec) -> None:
    conference = VirtualConference()
    pcm = tone(400, 22, RATES[codec], 8000)
    talker = conference.add(codec, pcm, conditions=Conditions(reorder=0.1, reorder_ms=101))
    conference.run(200)
    _, late, concealed = playout_of(conference, talker)
    assert late < 12
    conference.run(800)
    _, late_after, concealed_after = playout_of(conference, talker)
    assert (late_after, concealed_after) == (late, concealed)


# ---- bursts


@pytest.mark.parametrize("codec", ["pcmu", "g722", "opus"])
def test_burst_of_three_hundred_ms_is_heard_and_caught_up_with_in_ten_seconds_of_speech(codec: Codec) -> None:
    conference = VirtualConference()
    rate = RATES[codec]
    voice = np.tile(np.rint(talking("ben", 4.0, 16000)).astype(np.int16), 4)
    pcm = voice[::2] if rate == 8000 else voice.repeat(rate // 16000)
    talker = conference.add(codec, pcm, phase_ms=5)
    conference.run(150)
    before_ms, late, _ = playout_of(conference, talker)
    talker.link.hold(conference.now_ns, conference.now_ns + 300_000_000)
    conference.run(20)
    assert playout_of(conference, talker)[0] > 100
    conference.run(480)
    after_ms, late_after, concealed = playout_of(conference, talker)
    assert after_ms <= before_ms + 20
    assert late_after - late <= 2  # the rest of what was held up was heard
    assert concealed <= 6


# ---- delay without jitter


@pytest.mark.parametrize("jitter_ms", [0.0, 2.0])
def test_added_delay_on_a_clean_link_is_half_a_tick_and_the_margin(jitter_ms: float) -> None:
    conference = VirtualConference()
    for phase_ms in np.random.default_rng(1).uniform(0, 20, 100):
        conference.add("pcmu", tone(400, 12, 8000), phase_ms=phase_ms, conditions=Conditions(jitter_ms=jitter_ms))
    conference.run(500)
    added = [line.added_delay_ms for line in conference.mixer.stats()]
    assert np.percentile(added, 50) <= 30
    assert np.percentile(added, 95) <= 40
    assert sum(line.late + line.concealed for line in conference.mixer.stats()) == 0


# ---- parts of a frame


@pytest.mark.parametrize("lost", [0, 1])
def test_half_a_frame_that_is_lost_is_made_up(lost: int) -> None:
    """Packets of 10 ms, of which one is lost now and then: the first or the second half of a tick."""
    conference = VirtualConference()
    talker = conference.add("pcmu", phase_ms=5)
    listener = conference.add("l16", rate=8000)
    sound = MULAW_ENCODE[tone(400, 5, 8000, 8000).view(np.uint16)].tobytes()
    for number in range(400):
        header = talker.header()
        talker.timestamp = (talker.timestamp - 80) & 0xFFFFFFFF
        if number < 60 or number % 26 != 6 + lost:
            payload = sound[number * 80 : number * 80 + 80]
            talker.scheduled.append((conference.now_ns + (number + 1) * 10_000_000, header + payload))
    conference.run(195)
    heard = listener.heard()[8000:]
    energy = np.sqrt(np.mean(heard.reshape(-1, 80) ** 2, axis=1))
    assert energy.min() > 0.9 * 8000 / np.sqrt(2)
    assert np.abs(np.diff(heard)).max() < 1.5 * 8000 * 2 * np.pi * 400 / 8000
    _, late, concealed = playout_of(conference, talker)
    assert late == 0
    assert concealed == sum(number % 26 == 6 + lost for number in range(60, 385))


def test_late_packet_is_played_if_nothing_of_what_follows_was() -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu", tone(400, 5, 8000, 8000), phase_ms=5)
    conference.add("pcmu")
    conference.run(50)
    talker.link.hold(conference.now_ns, conference.now_ns + 60_000_000)
    conference.run(50)
    _, late, concealed = playout_of(conference, talker)
    assert late == 0
    assert 1 <= concealed <= 3
    assert playout_of(conference, talker)[0] > 50


# ---- drift


@pytest.mark.parametrize(("codec", "ppm"), [("pcmu", -200), ("pcmu", 200), ("g722", -200), ("opus", -200)])
def test_tone_of_a_drifting_clock_is_continuous_in_phase_and_delay(codec: Codec, ppm: int) -> None:
    """A minute and a half, 18 ms of drift. See `tests.mixer.receive.test_playout` for longer ones, without sound."""
    drifted = DriftingTone(codec, ppm, phase_ms=12 if ppm > 0 else 17).run(88)
    assert max(drifted.waits_ms) - min(drifted.waits_ms) <= 28
    assert max(drifted.waits_ms) <= 33
    assert (drifted.late, drifted.concealed) == (0, 0)
    assert drifted.worst_step < 0.03 * AMPLITUDE  # neither a gap nor a step in phase
    assert 15 <= drifted.moved_ms * np.sign(ppm) <= 25
