"""What an Opus packet says of itself without being decoded: its duration, and whether anyone speaks in it.

Works on the first two bytes of whole columns of packets (RFC 6716 sections 3.1, 3.2 and 4.2.3), by tables
with an entry for every pair of bytes. Whether the rest of a packet is well formed is left to the decoder,
which refuses it by itself.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

MAX_SAMPLES: Final = 5760
"""A packet holds at most 120 ms (RFC 6716 section 3.4, [R5])."""

_SILK_FRAMES: Final = (480, 960, 1920, 2880)
_HYBRID_FRAMES: Final = (480, 960)
_CELT_FRAMES: Final = (120, 240, 480, 960)


def _frame_samples() -> npt.NDArray[np.int32]:
    """Samples at 48 kHz of one frame, by TOC byte (RFC 6716 section 3.1, table 2)."""
    by_config = [*_SILK_FRAMES * 3, *_HYBRID_FRAMES * 2, *_CELT_FRAMES * 4]
    return np.repeat(np.array(by_config, dtype=np.int32), 8)


def _vad_bits() -> npt.NDArray[np.uint8]:
    """Which bits of the second byte are VAD flags, by TOC byte; 0 where it holds none that can be read.

    A SILK frame starts with a VAD flag for each of its 20 ms and an LBRR flag, first for mono or mid, then
    for side (RFC 6716 section 4.2.3). They are range coded at even odds, so they are the leading bits of
    the compressed data. That data is the second byte only in packets of one frame (code 0): others put
    lengths or a count there and have further frames elsewhere. CELT has no such flag.
    """
    bits = np.zeros(256, dtype=np.uint8)
    frame_samples = _frame_samples()
    for toc in range(0, 128, 4):
        flags = max(1, int(frame_samples[toc]) // 960)
        vad_and_lbrr = "1" * flags + "0"
        channels = 2 if toc & 0x04 else 1
        bits[toc] = int((vad_and_lbrr * channels).ljust(8, "0"), 2)
    return bits


def _fec_bits() -> npt.NDArray[np.uint8]:
    """Which bit of the second byte is the LBRR flag of mono or mid, by TOC byte; 0 where it can't be read.

    It follows the VAD flags: see `_vad_bits`.
    """
    flags = np.maximum(1, _frame_samples() // 960)
    return np.where(_vad_bits(), 0x80 >> flags, 0).astype(np.uint8)


def _packet_samples() -> npt.NDArray[np.int16]:
    """Samples at 48 kHz of a packet, by its first two bytes; 0 if none starts so (RFC 6716 section 3.2)."""
    toc, second = _EVERY_PAIR[:, 0], _EVERY_PAIR[:, 1]
    code = toc & 0x03
    frames = np.where(code == 3, second & 0x3F, np.minimum(code, 1) + 1)
    samples = _frame_samples()[toc] * frames
    return np.where(samples > MAX_SAMPLES, 0, samples).astype(np.int16)


def _nobody_speaks() -> npt.NDArray[np.bool_]:
    """Whether the VAD flags of a packet can be read and are all 0, by its first two bytes."""
    vad_bits = _vad_bits()[_EVERY_PAIR[:, 0]]
    nobody: npt.NDArray[np.bool_] = (vad_bits != 0) & ((_EVERY_PAIR[:, 1] & vad_bits) == 0)
    return nobody


def _recovers() -> npt.NDArray[np.bool_]:
    """Whether a packet says that it holds the frame before it once more, by its first two bytes."""
    said: npt.NDArray[np.bool_] = (_EVERY_PAIR[:, 1] & _fec_bits()[_EVERY_PAIR[:, 0]]) != 0
    return said


_EVERY_PAIR: Final = np.arange(65536, dtype=np.uint16)[:, np.newaxis].view(np.uint8)
_SAMPLES: Final = _packet_samples()
_NOBODY: Final = _nobody_speaks()
_RECOVERS: Final = _recovers()


def durations_samples(
    first_two_bytes: npt.NDArray[np.uint8], lengths: npt.NDArray[np.integer]
) -> npt.NDArray[np.int32]:
    """Return the duration of each packet, (n,) int32 in samples at 48 kHz; 0: not a valid packet.

    `first_two_bytes`: (n, 2) uint8, the bytes of a row adjacent, the second of any value where the packet
    has only one; `lengths`: (n,) bytes.
    """
    samples = _SAMPLES[first_two_bytes.view(np.uint16)[:, 0]].astype(np.int32)
    # A packet of code 3 has its number of frames in its second byte, so it must have one.
    samples[(lengths < 2) & ((lengths < 1) | ((first_two_bytes[:, 0] & 0x03) == 3))] = 0
    return samples


def packet_samples(first_bytes: bytes, length: int) -> int:
    """Return the duration of one packet in samples at 48 kHz, or -1 if it isn't a valid one.

    `first_bytes`: at least its first two bytes, or all it has; `length`: of the whole packet, in bytes.
    """
    if length < 1 or not first_bytes:
        return -1
    first_two = np.frombuffer(first_bytes[:2].ljust(2, b"\0"), np.uint8)[np.newaxis]
    return int(durations_samples(first_two, np.array([length]))[0]) or -1


def says_silent(first_two_bytes: npt.NDArray[np.uint8], lengths: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """Return which packets, (n,) bool, say that nobody speaks in them.

    Those are packets of at most two bytes, which carry no audio (DTX), and SILK or hybrid packets of one
    frame whose VAD flags are all 0. False means only that the packet doesn't say so. Arguments as for
    `durations_samples`.
    """
    silent = _NOBODY[first_two_bytes.view(np.uint16)[:, 0]]
    silent |= lengths <= 2
    return silent


def carries_fec(first_two_bytes: npt.NDArray[np.uint8], lengths: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """Return which packets, (n,) bool, say that they hold the frame before them once more (RFC 6716 section 2.1.7).

    False means only that the packet doesn't say so. Arguments as for `durations_samples`.
    """
    recovers = _RECOVERS[first_two_bytes.view(np.uint16)[:, 0]]
    recovers &= lengths > 2
    return recovers
