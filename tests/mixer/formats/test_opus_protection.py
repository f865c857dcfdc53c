"""Far ends that lose packets: found by their reports, sent FEC, and hear better for it."""

from collections.abc import Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from mixer.codecs import opus
from mixer.formats.opus_turning import LATEST_TICKS
from mixer.protocol import MixerConfig
from mixer.rtp.rtcp import ReportBlock, build_report
from mixer.tick import TICK_NS, WATCH_TICKS
from tests.support.conference import Caller, VirtualConference, tone
from tests.support.measure.receiver_loss import SECOND, is_protected, listen, report
from tests.support.voices import speech


def voice(name: str, seconds: float) -> NDArray[np.int16]:
    return np.rint(speech(name, seconds, 48_000)).astype(np.int16)


def run_reporting(conference: VirtualConference, callers: Iterable[Caller], seconds: int, loss: float) -> None:
    for _ in range(seconds):
        for caller in callers:
            report(conference, caller, loss)
        conference.run(SECOND)


@pytest.mark.parametrize(("loss", "better", "least"), [(0.05, 0.5, 3.6), (0.10, 0.7, 3.2)])
def test_far_end_that_reports_its_loss_hears_clearly_better(loss: float, better: float, least: float) -> None:
    sound = voice("ben", 12)
    protected = listen(sound, loss, 2, reports=True)
    assert protected > least
    assert protected > listen(sound, loss, 2, reports=False) + better


def test_protection_ends_after_a_minute_without_loss() -> None:
    conference = VirtualConference()
    listener = conference.add("opus")
    run_reporting(conference, [listener], 2, 0.10)
    assert is_protected(listener.got[-1])
    for seconds in range(0, 80, 5):
        assert is_protected(listener.got[-1]) or seconds > 60
        report(conference, listener, 0.0)
        conference.run(2 * WATCH_TICKS)
        conference.now_ns += 4 * TICK_NS * SECOND  # nothing would happen
    assert not is_protected(listener.got[-1])


def test_reports_about_other_streams_change_nothing() -> None:
    conference = VirtualConference()
    conference.add("l16", voice("ben", 4), rate=48_000)
    listener = conference.add("opus")
    for _ in range(4):
        conference.inject(listener, build_report(1, "far-end", (ReportBlock(0x1234, 200, 0, 0, 0),)))
        conference.run(SECOND)
    assert not any(is_protected(packet) for packet in listener.got)


def test_protection_can_be_switched_off() -> None:
    conference = VirtualConference(MixerConfig("test", protect_lossy=False))
    conference.add("l16", voice("ben", 4), rate=48_000)
    listener = conference.add("opus")
    run_reporting(conference, [listener], 4, 0.10)
    assert not any(is_protected(packet) for packet in listener.got)


def test_a_leg_that_gets_the_row_of_a_lossy_one_is_not_protected() -> None:
    conference = VirtualConference()
    conference.add("l16", voice("ben", 6), rate=48_000)
    listener = conference.add("opus")
    run_reporting(conference, [listener], 3, 0.10)
    report(conference, listener, 0.5)
    conference.run(1)
    conference.mixer.remove(listener.call_id, bye=False)
    after = conference.add("opus")
    conference.run(3 * SECOND)
    assert is_protected(listener.got[-1])
    assert not any(is_protected(packet) for packet in after.got)


def test_all_who_hear_the_mix_in_one_profile_share_an_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    conference = VirtualConference()
    conference.add("l16", voice("ben", 6), rate=48_000)
    listeners = [conference.add("opus") for _ in range(6)]
    run_reporting(conference, listeners[:3], 4, 0.10)
    count, encode = 0, opus.Encoder.encode

    def counted(*arguments: object) -> int:
        nonlocal count
        count += 1
        return int(encode(*arguments))  # type: ignore[arg-type]

    monkeypatch.setattr(opus.Encoder, "encode", counted)
    conference.run(20)
    assert count == 2 * 20
    for group in (listeners[:3], listeners[3:]):
        payloads = [[packet[12:] for packet in listener.got[-20:]] for listener in group]
        assert payloads[0] == payloads[1] == payloads[2]
    assert is_protected(listeners[0].got[-1])
    assert not is_protected(listeners[3].got[-1])


@pytest.mark.parametrize("talks", [False, True])
def test_change_of_profile_is_not_heard(talks: bool) -> None:
    """Above 12 kHz, where no voice is, there are no more than -84 dB of full scale; from a cold encoder -53 dB."""
    conference = VirtualConference()
    conference.add("l16", voice("ben", 16), rate=48_000)
    listener = conference.add("opus", voice("carla", 16) if talks else None)
    reference = conference.add("l16", None, rate=48_000)
    encoding = conference.mixer.tables[int(conference.mixer.legs.table[1])].encoding  # type: ignore[attr-defined]
    for number in range(8):
        conference.run(2 * SECOND)
        encoding.protect(0, number % 2 == 0)
    kinds = [is_protected(packet) for packet in listener.got]
    turns = [n for n in range(1, len(kinds)) if kinds[n] != kinds[n - 1]]
    assert 6 <= len(turns) <= 8
    assert len(reference.got) == len(listener.got) == 800
    high = high_tones(listener.heard())
    assert max(high[turn - 1 : turn + 2].max() for turn in turns) < 2


def high_tones(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """(ticks,): root mean square of what each tick has above 12 kHz."""
    window = np.hanning(960)
    spectrum = np.fft.rfft(sound.reshape(-1, 960) * window, axis=1)
    return np.asarray(np.sqrt(2 / 960 * np.sum(np.abs(spectrum[:, 240:]) ** 2, axis=1) / np.sum(window**2)))


def test_where_no_moment_is_soft_the_change_is_made_all_the_same() -> None:
    conference = VirtualConference()
    conference.add("l16", tone(400, 8, 48_000), rate=48_000)
    listener = conference.add("opus")
    talker = conference.add("opus", tone(700, 8, 48_000))
    conference.run(SECOND)
    run_reporting(conference, [listener, talker], 1, 0.2)
    assert not is_protected(listener.got[-1])
    conference.run(LATEST_TICKS)
    assert is_protected(listener.got[-1])
    assert is_protected(talker.got[-1])
