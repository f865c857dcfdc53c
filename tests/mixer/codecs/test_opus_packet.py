"""What packets say of themselves, against libopus for every pair of first bytes and against its own encoders."""

import numpy as np
import pytest

from mixer.codecs.libopus import FFI, LIBOPUS
from mixer.codecs.opus_packet import durations_samples, packet_samples, says_silent
from tests.mixer.dsp.speech import speech

EVERY_PAIR = np.stack(np.divmod(np.arange(65536), 256), axis=1).astype(np.uint8)
VOIP, BITRATE, BANDWIDTH, FRAME_DURATION, FORCE_MODE = 2048, 4002, 4008, 4040, 11002
FRAME_CODES = {10: 5003, 20: 5004, 40: 5005, 60: 5006}
WIDEBAND, SILK_ONLY = 1103, 1000


def libopus_samples(packet: bytes, length: int) -> int:
    return LIBOPUS.opus_packet_get_nb_samples(FFI.from_buffer("unsigned char[]", packet), length, 48000)


@pytest.mark.parametrize("length", [1, 2, 3, 1276])
def test_durations_are_those_of_libopus_for_all_first_bytes(length):
    expected = [max(0, libopus_samples(pair.tobytes(), length)) for pair in EVERY_PAIR]
    measured = durations_samples(EVERY_PAIR, np.full(len(EVERY_PAIR), length))
    assert measured.dtype == np.int32
    assert np.array_equal(measured, expected)
    assert {0, 120, 960, 5760} <= set(measured.tolist())


def test_an_empty_packet_is_not_valid():
    assert not durations_samples(EVERY_PAIR, np.zeros(len(EVERY_PAIR), np.int64)).any()
    assert packet_samples(b"", 0) == -1
    assert packet_samples(b"\xf8", 0) == -1


def test_one_packet_alone_is_measured_alike():
    for toc in range(256):
        for second in (0x00, 0x01, 0x06, 0x3F, 0xC3):
            packet = bytes([toc, second])
            for length in (1, 2, 100):
                expected = libopus_samples(packet, length)
                assert packet_samples(packet, length) == (expected if expected > 0 else -1)


def test_columns_may_be_slices_of_a_ring():
    ring = np.random.default_rng(4).integers(0, 256, (9, 5, 1300), dtype=np.uint8)
    lengths = np.full(9, 80)
    first_two = ring[:, 3, 12:14]
    assert np.array_equal(durations_samples(first_two, lengths), durations_samples(first_two.copy(), lengths))
    assert np.array_equal(says_silent(first_two, lengths), says_silent(first_two.copy(), lengths))


class SilkEncoder:
    """A SILK encoder of any frame size, and of stereo: what the far end may have, not the mixer."""

    def __init__(self, channels: int, frame_ms: int) -> None:
        self.state = FFI.gc(
            LIBOPUS.opus_encoder_create(16000, channels, VOIP, FFI.new("int *")), LIBOPUS.opus_encoder_destroy
        )
        for request, value in (
            (BITRATE, 20_000 * channels),
            (BANDWIDTH, WIDEBAND),
            (FRAME_DURATION, FRAME_CODES[frame_ms]),
            (FORCE_MODE, SILK_ONLY),
        ):
            assert LIBOPUS.opus_encoder_ctl(self.state, request, FFI.cast("int", value)) == 0

    def encode(self, frame: np.ndarray) -> bytes:
        out = np.zeros(1276, np.uint8)
        frame = np.ascontiguousarray(frame, np.float32)
        length = LIBOPUS.opus_encode_float(self.state, frame.ctypes.data, len(frame), out.ctypes.data, 1276)
        assert length > 0
        return out[:length].tobytes()


def silent(packets: list[bytes]) -> np.ndarray:
    first_two = np.array([list(packet[:2]) for packet in packets], np.uint8)
    return says_silent(first_two, np.array([len(packet) for packet in packets]))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("frame_ms", [10, 20, 40, 60])
def test_silk_packets_of_speech_and_of_noise_are_told_apart(channels, frame_ms):
    random = np.random.default_rng(5)
    voice = speech(6, 16000) / 32768
    hiss = random.normal(0, 1e-4, 16000 * 6)
    sound = np.concatenate([voice, hiss])
    encoder, samples = SilkEncoder(channels, frame_ms), 16 * frame_ms
    frames = sound[: len(sound) // samples * samples].reshape(-1, samples)
    packets = []
    for frame in frames:
        # In stereo the voice is on one side only, so that mid and side both hold it.
        channel_pair = np.stack([frame, random.normal(0, 1e-4, samples)], axis=1)
        packets.append(encoder.encode(channel_pair if channels == 2 else frame))
    tocs = np.array([packet[0] for packet in packets])
    assert (tocs < 128).all() and ((tocs & 3) == 0).all() and (((tocs >> 2) & 1) == channels - 1).all()
    says = silent(packets)
    loud = np.sqrt((frames**2).mean(axis=1)) > 0.02
    assert says[loud].mean() < 0.03
    assert says[-len(hiss) // samples // 2 :].mean() > 0.8


def test_one_flag_of_many_is_enough_to_be_heard():
    # 60 ms of stereo SILK, wideband: three VAD flags and an LBRR flag for mid, the same for side.
    stereo_60 = (11 << 3) | 0x04
    assert silent([bytes([stereo_60, 0b0001_0001, 1, 2])]).all()  # LBRR only: redundancy for the packet before
    for bit in (7, 6, 5, 3, 2, 1):
        assert not silent([bytes([stereo_60, 1 << bit, 1, 2])]).any()


@pytest.mark.parametrize("toc", [0xF8, 0xFC, 0x80, 0x78 | 1, 0x48 | 2, 0x48 | 3])
def test_celt_and_packets_of_several_frames_never_say_so(toc):
    assert not silent([bytes([toc, second, 0, 0]) for second in range(256)]).any()


def test_packets_of_two_bytes_carry_no_sound():
    lengths = np.array([1, 2, 3])
    assert says_silent(np.full((3, 2), 0xF8, np.uint8), lengths).tolist() == [True, True, False]
