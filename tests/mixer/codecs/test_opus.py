"""Opus: quality, losses, copies of state, and what a stranger may send."""

import resource

import numpy as np
import pytest
from pesq import pesq

from mixer.codecs import opus
from tests.mixer.codecs.test_opus_packet import SilkEncoder
from tests.mixer.dsp.speech import speech

VOICE = speech(6, 48000)
FRAMES = VOICE.reshape(-1, 960)


class Stream:
    """Packets of one encoder in a ring of their own."""

    def __init__(self, frames=FRAMES, encoder: opus.Encoder | None = None, **settings) -> None:
        encoder = encoder or opus.Encoder(48000, **settings)
        self.ring = np.zeros((len(frames), opus.MAX_PAYLOAD_BYTES), np.uint8)
        self.address = [opus.address(row) for row in self.ring]
        self.length = [encoder.encode(frame, at) for frame, at in zip(frames, self.address, strict=True)]

    def packet(self, i: int) -> bytes:
        return self.ring[i, : self.length[i]].tobytes()

    def decode(self, rate: int, lost=(), repair: str = "conceal") -> np.ndarray:
        decoder, samples = opus.Decoder(rate), rate // 50
        out = np.zeros((len(self.length), samples), np.float32)
        for i, row in enumerate(out):
            if i not in lost:
                assert decoder.decode(self.address[i], self.length[i], row) == samples
            elif repair == "fec" and i + 1 < len(out) and i + 1 not in lost:
                assert decoder.decode_fec(self.address[i + 1], self.length[i + 1], row, samples) == samples
            elif repair != "zero":
                assert decoder.conceal(row, samples) == samples
        return out.reshape(-1)


def snr_db(wanted: np.ndarray, heard: np.ndarray) -> float:
    return float(10 * np.log10((wanted**2).sum() / ((wanted - heard) ** 2).sum()))


def quality(wanted: np.ndarray, heard: np.ndarray) -> float:
    return float(pesq(16000, wanted / 32768, heard / 32768, "wb"))


def lossy(count: int, share: float) -> set[int]:
    return set(np.flatnonzero(np.random.default_rng(6).random(count) < share).tolist())


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
def test_a_tone_comes_back_in_int16_units_at_any_rate(rate):
    t = np.arange(48000) / 48000
    tone = (8000 * np.sin(2 * np.pi * 1000 * t)).astype(np.float32).reshape(-1, 960)
    heard = Stream(tone).decode(rate)[rate // 5 :]
    assert heard.std() == pytest.approx(8000 / np.sqrt(2), rel=0.02)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(spectrum) * rate / len(heard) == pytest.approx(1000, abs=2)


def test_speech_survives_the_default_profile():
    assert quality(speech(6, 16000), Stream().decode(16000)) > 3.3
    heard = Stream().decode(48000)
    delay = 120  # samples, of CELT at low delay
    assert snr_db(VOICE[:-delay], heard[delay:]) > 12


def test_int16_and_float32_frames_make_the_same_packets():
    whole = np.round(FRAMES)
    assert np.array_equal(Stream(whole.astype(np.int16)).ring, Stream(whole).ring)


def test_encoding_and_decoding_at_8_khz_works_too():
    voice = speech(3, 8000).reshape(-1, 160)
    stream = Stream(voice, opus.Encoder(8000, "voip", 16_000, 5))
    heard = stream.decode(8000)
    assert pesq(8000, voice.reshape(-1) / 32768, heard / 32768, "nb") > 3.0


def test_profiles_use_the_layers_they_are_chosen_for():
    assert all(row[0] >= 128 for row in Stream().ring)
    hybrid = Stream(application="voip", bitrate=32_000, complexity=5)
    assert np.mean([row[0] < 128 for row in hybrid.ring]) > 0.9


@pytest.mark.parametrize("rate", [16000, 48000])
def test_concealment_is_better_than_a_hole(rate):
    stream = Stream()
    lost = lossy(len(FRAMES), 0.05)
    whole, holes, concealed = stream.decode(rate), stream.decode(rate, lost, "zero"), stream.decode(rate, lost)
    assert len(lost) > 5
    if rate == 16000:
        assert quality(whole, concealed) > quality(whole, holes) + 0.4
    assert np.isfinite(concealed).all()


def test_in_band_fec_is_better_than_concealment():
    stream = Stream(application="voip", bitrate=32_000, complexity=5, loss_percent=10)
    lost = lossy(len(FRAMES), 0.05)
    whole = stream.decode(16000)
    concealed, recovered = stream.decode(16000, lost), stream.decode(16000, lost, "fec")
    assert quality(whole, recovered) > quality(whole, concealed) + 0.2
    assert snr_db(whole, recovered) > snr_db(whole, concealed) + 3


def test_fec_of_a_packet_without_any_is_concealment():
    stream = Stream()
    assert np.array_equal(stream.decode(16000, {50}, "fec"), stream.decode(16000, {50}))


def test_concealment_before_the_first_packet_is_silence():
    out = np.full(960, 5.0, np.float32)
    assert opus.Decoder(48000).conceal(out, 960) == 960
    assert not out.any()


def test_a_copy_goes_on_bit_by_bit():
    for settings in ({}, {"application": "voip", "bitrate": 32_000, "complexity": 5}):
        shared, own = opus.Encoder(48000, **settings), opus.Encoder(48000)
        Stream(FRAMES[:60], shared)
        own.copy_state_from(shared)
        ahead, copy = Stream(FRAMES[60:100], shared), Stream(FRAMES[60:100], own)
        assert ahead.length == copy.length
        assert np.array_equal(ahead.ring, copy.ring)
        cold = Stream(FRAMES[60:100], opus.Encoder(48000, **settings))
        assert not np.array_equal(cold.ring, copy.ring)


def test_a_copy_is_independent_afterwards():
    shared, own = opus.Encoder(48000), opus.Encoder(48000)
    Stream(FRAMES[:40], shared)
    own.copy_state_from(shared)
    Stream(FRAMES[:40], own)
    alone = opus.Encoder(48000)
    Stream(FRAMES[:40], alone)
    assert np.array_equal(Stream(FRAMES[40:60], shared).ring, Stream(FRAMES[40:60], alone).ring)


def test_an_encoder_of_another_rate_is_not_copied():
    with pytest.raises(ValueError, match="16000"):
        opus.Encoder(48000).copy_state_from(opus.Encoder(16000))


def test_reset_starts_a_new_stream():
    encoder = opus.Encoder(48000, complexity=3)
    first = Stream(FRAMES[:30], encoder)
    encoder.reset()
    assert np.array_equal(Stream(FRAMES[:30], encoder).ring, first.ring)

    decoder, once, again = opus.Decoder(48000), np.zeros(960, np.float32), np.zeros(960, np.float32)
    decoder.decode(first.address[0], first.length[0], once)
    decoder.decode(first.address[20], first.length[20], again)
    decoder.reset()
    decoder.decode(first.address[0], first.length[0], again)
    assert np.array_equal(once, again)


def test_long_packets_need_room_and_say_so_without_harm():
    decoder, stream = opus.Decoder(48000), Stream()
    one = stream.packet(50)
    three = bytes([one[0] | 3, 0x80 | 3]) + _sizes(one, 2) + one[1:] * 3
    ring = np.frombuffer(three, np.uint8).copy()
    short, long = np.full(960, 7.0, np.float32), np.full(3000, 7.0, np.float32)
    assert decoder.decode(opus.address(ring), len(ring), short) == opus.BUFFER_TOO_SMALL
    assert (short == 7.0).all()
    assert decoder.decode(opus.address(ring), len(ring), long) == 2880
    assert (long[2880:] == 7.0).all() and long[:2880].any()


def _sizes(packet: bytes, count: int) -> bytes:
    """Length of a frame as a packet of code 3 has it (RFC 6716 section 3.2.1), `count` times."""
    size = len(packet) - 1
    if size < 252:
        return bytes([size]) * count
    return bytes([252 + size % 4, (size - 252 - size % 4) // 4]) * count


def test_stereo_comes_out_as_one_channel():
    encoder, decoder, heard = SilkEncoder(2, 20), opus.Decoder(16000), []
    for i in range(40):
        t = (np.arange(320) + 320 * i) / 16000
        packet = np.frombuffer(
            encoder.encode(np.stack([0.4 * np.sin(2 * np.pi * 500 * t), 0 * t], axis=1)), np.uint8
        ).copy()
        out = np.zeros(320, np.float32)
        assert packet[0] & 0x04
        assert decoder.decode(opus.address(packet), len(packet), out) == 320
        heard.append(out)
    assert np.std(heard[20:]) == pytest.approx(0.2 * 32768 / np.sqrt(2), rel=0.15)


def test_random_payloads_are_refused_or_decoded_but_never_more():
    random = np.random.default_rng(7)
    decoder, guarded = opus.Decoder(48000), np.full(opus.MAX_SAMPLES + 8, 7.0, np.float32)
    refused = 0
    for length in random.integers(1, 300, 2000):
        payload = random.integers(0, 256, int(length), dtype=np.uint8)
        samples = decoder.decode(opus.address(payload), len(payload), guarded[: opus.MAX_SAMPLES])
        said = opus.packet_samples(payload[:2].tobytes(), len(payload))
        assert samples in (said, opus.INVALID_PACKET)
        refused += samples < 0
        if samples > 0:
            assert np.isfinite(guarded).all() and np.abs(guarded).max() <= 32768
        assert (guarded[opus.MAX_SAMPLES :] == 7.0).all()
    assert 0 < refused < 2000
    # The stream goes on with the next good packet.
    stream, out = Stream(), np.zeros(960, np.float32)
    for i in range(20):
        assert decoder.decode(stream.address[i], stream.length[i], out) == 960


def test_a_stream_recovers_from_mutated_packets():
    random = np.random.default_rng(8)
    stream = Stream()
    whole, decoder, out = stream.decode(48000).reshape(-1, 960), opus.Decoder(48000), np.zeros(960, np.float32)
    for i in range(100):
        broken = stream.ring[i, : stream.length[i]].copy()
        broken[random.integers(1, len(broken), 5)] ^= 0x5A
        decoder.decode(opus.address(broken), len(broken), out)
    for i in range(100, 150):
        assert decoder.decode(stream.address[i], stream.length[i], out) == 960
    assert np.abs(out - whole[149]).max() < 0.01 * np.abs(whole).max()


def test_an_empty_payload_is_refused_without_reaching_the_decoder():
    stream, out = Stream(), np.full(960, 7.0, np.float32)
    decoder, undisturbed = opus.Decoder(48000), opus.Decoder(48000)
    other = np.zeros(960, np.float32)
    for i in range(30):
        assert decoder.decode(stream.address[i], 0, out) == opus.BAD_ARG
        assert decoder.decode(0, 0, out) == opus.BAD_ARG
        assert decoder.decode_fec(stream.address[i], 0, out, 960) == opus.BAD_ARG
        assert decoder.decode(stream.address[i], stream.length[i], out) == 960
        undisturbed.decode(stream.address[i], stream.length[i], other)
        assert np.array_equal(out, other)


def test_impossible_lengths_of_concealment_are_refused():
    assert opus.Decoder(48000).conceal(np.zeros(960, np.float32), 7) < 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: opus.Decoder(44100),
        lambda: opus.Encoder(11025),
        lambda: opus.Encoder(48000, complexity=11),
        lambda: opus.Encoder(48000, loss_percent=101),
    ],
)
def test_settings_libopus_does_not_know_are_our_mistake(make):
    with pytest.raises(opus.OpusError, match=r"invalid argument \(-1\)"):
        make()


def test_a_row_whose_bytes_are_not_adjacent_has_no_address():
    with pytest.raises(ValueError, match="adjacent"):
        opus.address(np.zeros((4, 4), np.uint8)[:, 1])


def test_codecs_that_are_dropped_are_freed():
    def most_memory_kib() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    payload = np.zeros(opus.MAX_PAYLOAD_BYTES, np.uint8)
    opus.Encoder(48000).encode(FRAMES[0], opus.address(payload))
    before = most_memory_kib()
    for _ in range(3000):  # some 50 KiB a pair
        opus.Encoder(48000)
        opus.Decoder(48000)
    assert most_memory_kib() - before < 20_000
