"""Opus (RFC 6716, RFC 7587): encoders and decoders of one channel on libopus.

Decides how libopus is called: 20 ms frames; a packet that can't be decoded is a negative number, never an
exception; what is decoded comes as int16, softly clipped by libopus, since a hostile packet can hold floats of
two hundred times full scale, and a limiter would then turn down everybody. Which packet is decoded, replaced by
its successor's FEC or concealed is the caller's decision.

Payloads are given by address, so that the callers who own rings of them compute it once a row; PCM is given
as arrays. One process, one thread: all streams share scratch frames, which stay in the cache.
"""

from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from mixer.codecs.libopus import FFI, LIBOPUS
from mixer.codecs.opus_packet import MAX_SAMPLES, durations_samples, packet_samples, says_silent

__all__ = [
    "BAD_ARG",
    "BUFFER_TOO_SMALL",
    "INVALID_PACKET",
    "MAX_PAYLOAD_BYTES",
    "MAX_SAMPLES",
    "Application",
    "Decoder",
    "Encoder",
    "address",
    "durations_samples",
    "packet_samples",
    "says_silent",
]

BAD_ARG: Final = -1
BUFFER_TOO_SMALL: Final = -2
INVALID_PACKET: Final = -4

MAX_PAYLOAD_BYTES: Final = 1276
"""One frame is at most 1275 bytes (RFC 6716 section 3.4, [R2]) after its TOC byte."""

Application = Literal["voip", "audio", "lowdelay"]
Pcm = npt.NDArray[np.int16] | npt.NDArray[np.float32]

_APPLICATIONS: Final = {"voip": 2048, "audio": 2049, "lowdelay": 2051}
_SET_BITRATE: Final = 4002
_SET_COMPLEXITY: Final = 4010
_SET_INBAND_FEC: Final = 4012
_SET_PACKET_LOSS_PERC: Final = 4014
_RESET_STATE: Final = 4028

_FULL_SCALE: Final = np.float32(32768.0)
_DECODED: Final = np.zeros(MAX_SAMPLES, np.int16)
_DECODED_ADDRESS: Final = int(_DECODED.ctypes.data)
_TO_ENCODE: Final = np.zeros(MAX_SAMPLES, np.float32)
_TO_ENCODE_ADDRESS: Final = int(_TO_ENCODE.ctypes.data)


class OpusError(Exception):
    """libopus refused what only a mistake of ours makes it refuse: a rate, a setting, a frame's size."""

    def __init__(self, action: str, code: int) -> None:
        super().__init__(f"{action}: {FFI.string(LIBOPUS.opus_strerror(code)).decode()} ({code})")


def _check(action: str, code: int) -> int:
    if code < 0:
        raise OpusError(action, code)
    return code


def address(row: npt.NDArray[np.uint8]) -> int:
    """Return the address of a row of bytes. It holds as long as the array lives and isn't resized."""
    if not row.flags.c_contiguous:
        raise ValueError("a payload's bytes must be adjacent")
    return int(row.ctypes.data)


class Decoder:
    """One leg's decoder; makes one channel of whatever comes.

    `sample_rate`: 8000, 12000, 16000, 24000 or 48000 Hz, of the PCM it makes, whatever the packets hold.
    """

    def __init__(self, sample_rate: int) -> None:
        error = FFI.new("int *")
        state = LIBOPUS.opus_decoder_create(sample_rate, 1, error)
        _check("opus_decoder_create", error[0])
        self.sample_rate = sample_rate
        self._state = FFI.gc(state, LIBOPUS.opus_decoder_destroy)

    def decode(self, payload: int, length: int, out: npt.NDArray[np.float32]) -> int:
        """Decode a packet; return its samples, or a negative libopus error, after which `out` is as before.

        `payload`: address of `length` readable bytes; `out`: (S,) float32 in int16 units, written from its
        start and left alone after the last sample. A packet that doesn't fit into `out` is
        BUFFER_TOO_SMALL, an empty one is BAD_ARG: libopus would take it for a lost one.
        """
        if length < 1:
            return BAD_ARG
        return self._decode(payload, length, out, fec=0)

    def conceal(self, out: npt.NDArray[np.float32], samples: int) -> int:
        """Make up `samples` for a packet that is lost; return them or a negative error.

        `samples`: a multiple of 2.5 ms; `out`: (>= samples,) float32 in int16 units.
        """
        return self._decode(0, 0, out[:samples], fec=0)

    def decode_fec(self, next_payload: int, length: int, out: npt.NDArray[np.float32], samples: int) -> int:
        """Recover the `samples` before a packet from its in-band FEC (RFC 6716 section 2.1.7).

        Where the packet carries none, the loss is concealed. The packet itself is still to be decoded
        afterwards. `samples`: as long as what was lost, a multiple of 2.5 ms. Arguments and answer
        otherwise as for `decode`.
        """
        if length < 1:
            return BAD_ARG
        return self._decode(next_payload, length, out[:samples], fec=1)

    def reset(self) -> None:
        """Forget the stream, as if no packet had come yet."""
        _check("OPUS_RESET_STATE", LIBOPUS.opus_decoder_ctl(self._state, _RESET_STATE))

    def _decode(self, payload: int, length: int, out: npt.NDArray[np.float32], *, fec: int) -> int:
        capacity = min(out.size, MAX_SAMPLES)
        samples: int = LIBOPUS.opus_decode(self._state, payload, length, _DECODED_ADDRESS, capacity, fec)
        if samples > 0:
            out[:samples] = _DECODED[:samples]
        return samples


class Encoder:
    """One stream's encoder: one channel, 20 ms a packet, variable bit rate.

    `sample_rate`: 8000, 12000, 16000, 24000 or 48000 Hz; `application`: "lowdelay" is CELT only, the
    cheapest by far; "voip" picks SILK, hybrid or CELT by bit rate; `bitrate`: bit/s; `complexity`: 0 to 10;
    `loss_percent`: above 0 packets carry in-band FEC for that much loss, where SILK or hybrid is used.
    Raises OpusError for others.
    """

    def __init__(
        self,
        sample_rate: int,
        application: Application = "lowdelay",
        bitrate: int = 64_000,
        complexity: int = 0,
        loss_percent: int = 0,
    ) -> None:
        error = FFI.new("int *")
        state = LIBOPUS.opus_encoder_create(sample_rate, 1, _APPLICATIONS[application], error)
        _check("opus_encoder_create", error[0])
        self.sample_rate, self.application = sample_rate, application
        self._samples = sample_rate // 50
        self._state = FFI.gc(state, LIBOPUS.opus_encoder_destroy)
        self._set(_SET_BITRATE, bitrate)
        self.set_complexity(complexity)
        self._set(_SET_INBAND_FEC, int(loss_percent > 0))
        self._set(_SET_PACKET_LOSS_PERC, loss_percent)

    def encode(self, frame: Pcm, out: int) -> int:
        """Encode 20 ms; return the bytes written.

        `frame`: (sample_rate / 50,) int16, or float32 in int16 units; `out`: address of MAX_PAYLOAD_BYTES
        writable bytes.
        """
        scaled = _TO_ENCODE[: self._samples]
        np.divide(frame, _FULL_SCALE, scaled)
        return _check(
            "opus_encode_float",
            LIBOPUS.opus_encode_float(self._state, _TO_ENCODE_ADDRESS, self._samples, out, MAX_PAYLOAD_BYTES),
        )

    def copy_state_from(self, other: "Encoder") -> None:
        """Become a copy of another encoder of the same rate, settings included.

        Given the same frames both then make the same packets, bit by bit: a listener of a shared stream can
        be moved to one of his own in mid-word.
        """
        if other.sample_rate != self.sample_rate:
            raise ValueError(f"an encoder at {self.sample_rate} Hz can't go on for one at {other.sample_rate} Hz")
        FFI.memmove(self._bytes(), other._bytes(), _ENCODER_BYTES)
        self.application = other.application

    def set_complexity(self, complexity: int) -> None:
        """Put this much work into the frames to come, 0 to 10; the stream goes on."""
        self._set(_SET_COMPLEXITY, complexity)

    def reset(self) -> None:
        """Start a new stream with the same settings."""
        _check("OPUS_RESET_STATE", LIBOPUS.opus_encoder_ctl(self._state, _RESET_STATE))

    def _set(self, request: int, value: int) -> None:
        code = LIBOPUS.opus_encoder_ctl(self._state, request, FFI.cast("int", value))
        _check(f"opus_encoder_ctl {request} to {value}", code)

    def _bytes(self) -> object:
        # libopus promises that its state can be copied as bytes: it keeps no pointer into itself.
        return FFI.cast("unsigned char *", self._state)


_ENCODER_BYTES: Final = int(LIBOPUS.opus_encoder_get_size(1))
