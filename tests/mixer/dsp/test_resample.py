"""The resampler between all pairs of rates, by tones."""

import numpy as np
import pytest

from mixer.dsp.resample import SAMPLE_RATES, Resampler

PAIRS = [(a, b) for a in SAMPLE_RATES for b in SAMPLE_RATES if a != b]
EVERY_PAIR = pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)


def resample(signal: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    resampler = Resampler(from_hz, to_hz)
    frames = signal.astype(np.float32).reshape(-1, from_hz // 50)
    out = np.zeros((len(frames), to_hz // 50), np.float32)
    for frame, row in zip(frames, out, strict=True):
        resampler.process(frame, row)
    return out.reshape(-1)


def tone(hz: float, rate: int, delay_samples: float = 0.0) -> np.ndarray:
    return 10_000 * np.sin(2 * np.pi * hz * (np.arange(rate) - delay_samples) / rate)


def db(power: float, of: float) -> float:
    return float(10 * np.log10(power / of))


@EVERY_PAIR
@pytest.mark.parametrize("part", [0.01, 0.1, 0.25, 0.35, 0.4, 0.425])
def test_the_passband_is_flat_and_the_delay_is_as_said(from_hz, to_hz, part):
    hz = round(part * min(from_hz, to_hz))
    delay = Resampler(from_hz, to_hz).delay_samples
    settled = slice(to_hz // 10, None)
    heard = resample(tone(hz, from_hz), from_hz, to_hz)[settled]
    expected = tone(hz, to_hz, delay)[settled]
    assert abs(db((heard**2).mean(), (expected**2).mean())) < 0.1
    # What is left beside the delayed tone are its images and aliases: none above -60 dB.
    assert db(((heard - expected) ** 2).mean(), (expected**2).mean()) < -60


@pytest.mark.parametrize(("from_hz", "to_hz"), [pair for pair in PAIRS if pair[0] > pair[1]])
def test_what_the_lower_rate_can_not_hold_is_gone(from_hz, to_hz):
    for part in (0.557, 0.6, 0.75, 0.9, 0.99, 1.01, 1.3):
        if (hz := round(part * to_hz)) < from_hz / 2:
            heard = resample(tone(hz, from_hz), from_hz, to_hz)[to_hz // 10 :]
            assert db((heard**2).mean(), 10_000**2 / 2) < -60, hz


@EVERY_PAIR
def test_it_does_not_matter_where_a_stream_is_cut_into_frames(from_hz, to_hz):
    sound = np.random.default_rng(1).normal(0, 5000, from_hz)
    heard = resample(sound, from_hz, to_hz)
    for later_ms in (1, 7, 13):
        shifted = np.concatenate([np.zeros(later_ms * from_hz // 1000), sound])[: len(sound)]
        again = resample(shifted, from_hz, to_hz)[later_ms * to_hz // 1000 :]
        assert again == pytest.approx(heard[: len(again)], abs=0.05)


@EVERY_PAIR
def test_silence_is_silence_and_sound_ends(from_hz, to_hz):
    resampler = Resampler(from_hz, to_hz)
    out = np.full(to_hz // 50, np.nan, np.float32)
    silence = np.zeros(from_hz // 50, np.float32)
    resampler.process(silence, out)
    assert not out.any()
    resampler.process(silence + 1000, out)
    resampler.process(silence, out)
    assert out.any()
    resampler.process(silence, out)
    assert not out.any()


@EVERY_PAIR
def test_a_constant_stays_that_constant(from_hz, to_hz):
    heard = resample(np.full(from_hz, 12345.0), from_hz, to_hz)[to_hz // 10 :]
    assert heard == pytest.approx(12345, abs=0.05)


@EVERY_PAIR
def test_the_delay_is_at_most_3_ms(from_hz, to_hz):
    delay = Resampler(from_hz, to_hz).delay_samples
    assert isinstance(delay, int) and 0 < delay <= 0.003 * to_hz
    click = np.zeros(from_hz // 50 * 3)
    click[from_hz // 50] = 1000
    assert int(np.argmax(resample(click, from_hz, to_hz))) == to_hz // 50 + delay


def test_streams_are_independent_and_reset_forgets():
    first, second = Resampler(8000, 48000), Resampler(8000, 48000)
    frame, out, other = np.full(160, 500, np.float32), np.zeros(960, np.float32), np.zeros(960, np.float32)
    first.process(frame, out)
    first.process(frame, out)
    second.process(frame, other)
    assert not np.array_equal(out, other)
    first.reset()
    first.process(frame, out)
    assert np.array_equal(out, other)


@pytest.mark.parametrize("rate", SAMPLE_RATES)
def test_equal_rates_are_a_copy(rate):
    frame = np.random.default_rng(1).normal(0, 5000, rate // 50).astype(np.float32)
    out, resampler = np.zeros_like(frame), Resampler(rate, rate)
    resampler.process(frame, out)
    assert np.array_equal(out, frame) and resampler.delay_samples == 0


@pytest.mark.parametrize(("from_hz", "to_hz"), [(44100, 48000), (8000, 12000), (0, 8000)])
def test_other_rates_are_refused(from_hz, to_hz):
    with pytest.raises(ValueError, match="can't resample"):
        Resampler(from_hz, to_hz)
