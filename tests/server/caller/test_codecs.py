import numpy as np
import pytest

from server.caller.codecs import CODEC_NAMES, L16_RATES, as_int16, codec, decoder, encoder, resample
from tests.support.tones import level_at, tone


@pytest.mark.parametrize("name", CODEC_NAMES)
def test_a_tone_goes_through_each_codec(name: str) -> None:
    kind = codec(name)
    encode, decode = encoder(kind), decoder(kind)
    sound = as_int16(tone(1000, 1.0, kind.sample_rate, 8000))
    heard = []
    for frame in sound.reshape(-1, kind.frame_samples):
        pcm = decode.decode(encode.encode(frame))
        assert pcm is not None
        assert len(pcm) == kind.frame_samples
        heard.append(pcm)
    later = np.concatenate(heard)[kind.sample_rate // 5 :]
    assert level_at(later, kind.sample_rate, 1000) == pytest.approx(8000, rel=0.05)
    # and hardly anything but the tone
    assert np.mean(later.astype(float) ** 2) == pytest.approx(8000**2 / 2, rel=0.15)


@pytest.mark.parametrize(("name", "size"), [("pcmu", 160), ("pcma", 160), ("g722", 160), ("l16", 640)])
def test_payloads_have_the_size_of_20_ms(name: str, size: int) -> None:
    kind = codec(name)
    assert len(encoder(kind).encode(np.zeros(kind.frame_samples, np.int16))) == size


def test_g722_counts_time_at_8_khz() -> None:
    assert (codec("g722").sample_rate, codec("g722").clock_rate, codec("g722").clock_step) == (16000, 8000, 160)


def test_l16_is_big_endian_and_exact() -> None:
    kind = codec("l16", 24000)
    sound = np.array([1, -2, 32767, -32768] * 120, np.int16)
    payload = encoder(kind).encode(sound)
    assert payload[:4] == b"\x00\x01\xff\xfe"
    heard = decoder(kind).decode(payload)
    assert heard is not None
    assert np.array_equal(heard, sound)
    assert decoder(kind).decode(b"odd") is None


@pytest.mark.parametrize("rate", L16_RATES)
def test_l16_rates(rate: int) -> None:
    assert codec("l16", rate).frame_samples == rate // 50


@pytest.mark.parametrize(("name", "rate"), [("pcmu", 16000), ("opus", 8000), ("l16", 44100), ("speex", None)])
def test_what_a_codec_cannot_do_is_refused(name: str, rate: int | None) -> None:
    with pytest.raises(ValueError, match="codec"):
        codec(name, rate)


def test_opus_survives_nonsense_and_emptiness() -> None:
    kind = codec("opus")
    encode, decode = encoder(kind), decoder(kind)
    sound = as_int16(tone(1000, 0.4, kind.sample_rate, 8000)).reshape(-1, kind.frame_samples)
    assert decode.decode(b"") is None
    assert decode.decode(b"\xff\xff\xff") is None
    heard = [decode.decode(encode.encode(frame)) for frame in sound]
    assert all(pcm is not None for pcm in heard)
    last = np.concatenate([pcm for pcm in heard[10:] if pcm is not None])
    assert level_at(last, kind.sample_rate, 1000) == pytest.approx(8000, rel=0.05)


@pytest.mark.parametrize(("before", "after"), [(48000, 8000), (16000, 48000), (44100, 16000), (8000, 8000)])
def test_resampling_keeps_level_length_and_place(before: int, after: int) -> None:
    sound = resample(as_int16(tone(500, 1.0, before, 8000)), before, after)
    assert len(sound) == after
    expected = tone(500, 1.0, after, 8000)
    middle = slice(after // 4, -after // 4)
    assert np.max(np.abs(sound[middle] - expected[middle])) < 80


def test_float_sound_is_rounded_and_clipped() -> None:
    assert as_int16(np.array([0.6, -40000.0, 40000.0], np.float32)).tolist() == [1, -32768, 32767]
