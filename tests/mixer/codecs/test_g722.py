"""G.722: sound survives, every length of payload is taken, nothing that arrives raises."""

import numpy as np
import pytest

from mixer.codecs import g722

RATE = g722.SAMPLE_RATE


def tone(hz: float, seconds: float = 1.0) -> np.ndarray:
    return np.round(8000 * np.sin(2 * np.pi * hz * np.arange(int(RATE * seconds)) / RATE)).astype(np.int16)


def encode(samples: np.ndarray) -> np.ndarray:
    encoder, payloads = g722.Encoder(), np.zeros((len(samples) // 320, 160), np.uint8)
    for frame, payload in zip(samples.reshape(-1, 320), payloads, strict=True):
        encoder.encode(frame, payload)
    return payloads


def decode(payloads: np.ndarray) -> np.ndarray:
    decoder, frames = g722.Decoder(), np.zeros((len(payloads), 320), np.float32)
    for payload, frame in zip(payloads, frames, strict=True):
        assert decoder.decode(payload, frame) == 320
    return frames


@pytest.mark.parametrize(("hz", "least_snr_db"), [(440, 30), (3000, 25), (6000, 12)])
def test_a_tone_survives_both_ways(hz, least_snr_db):
    heard = decode(encode(tone(hz))).reshape(-1)[RATE // 5 :]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard)))) ** 2
    at = round(hz * len(heard) / RATE)
    signal = spectrum[at - 3 : at + 4].sum()
    assert 10 * np.log10(signal / (spectrum.sum() - signal)) > least_snr_db
    assert heard.std() == pytest.approx(8000 / np.sqrt(2), rel=0.06)


def test_silence_stays_nearly_silent():
    assert np.abs(decode(encode(np.zeros(RATE, np.int16)))[5:]).max() < 20


def test_the_coder_delays_by_22_samples():
    click = np.zeros(RATE, np.int16)
    click[3200:3216] = 8000
    heard = decode(encode(click)).reshape(-1)
    assert abs(int(np.argmax(np.convolve(heard, np.ones(16), "valid"))) - 3200 - 22) <= 1


def test_frames_cut_another_way_are_the_same_stream():
    payloads = encode(tone(700))
    whole = decode(payloads).reshape(-1)
    decoder, out, heard = g722.Decoder(), np.zeros(960, np.float32), []
    wire, at = payloads.tobytes(), 0
    for length in [80, 480, 1, 7, 160, 240, 160, 31] * 6:
        assert decoder.decode(memoryview(wire)[at : at + length], out) == 2 * length
        heard.append(out[: 2 * length].copy())
        at += length
    assert np.array_equal(np.concatenate(heard), whole[: 2 * at])


def test_legs_do_not_share_state():
    payloads = encode(tone(500))
    alone = decode(payloads)
    first, second = g722.Decoder(), g722.Decoder()
    out, other = np.zeros(320, np.float32), np.zeros(320, np.float32)
    for payload, expected in zip(payloads, alone, strict=True):
        first.decode(payload, out)
        second.decode(payload[::-1].copy(), other)
        assert np.array_equal(out, expected)


def test_garbage_of_any_length_is_decoded():
    random = np.random.default_rng(3)
    decoder, out = g722.Decoder(), np.zeros(3000, np.float32)
    for length in random.integers(0, 1500, 300):
        assert decoder.decode(random.bytes(int(length)), out) == 2 * length
        assert np.isfinite(out).all() and np.abs(out).max() <= 32768


def test_an_empty_payload_does_not_end_the_stream():
    decoder, out = g722.Decoder(), np.zeros(320, np.float32)
    assert decoder.decode(b"", out) == 0
    assert decoder.decode(bytes(160), out) == 320


def test_what_does_not_fit_is_dropped():
    guarded = np.full(321, 77.0, np.float32)
    assert g722.Decoder().decode(bytes(480), guarded[:320]) == 320
    assert guarded[320] == 77.0


def test_an_encoder_takes_20_ms_only_and_goes_on_after_a_mistake():
    encoder, payload = g722.Encoder(), np.zeros(160, np.uint8)
    for samples in (0, 160, 319, 640):
        with pytest.raises(ValueError):
            encoder.encode(np.zeros(samples, np.int16), payload)
    encoder.encode(tone(440)[:320], payload)
    assert np.array_equal(payload, encode(tone(440)[:320])[0])
