"""G.722 at 64 kbit/s: an encoder and a decoder a leg, over libavcodec (ITU-T G.722, RFC 3551 section 4.5.2).

The codec is adaptive from sample to sample, so rows can't share a kernel as G.711's do. A frame of 20 ms is
320 samples at 16 kHz and 160 bytes. The RTP clock runs at 8000 Hz by an old mistake that RFC 3551 keeps, so a
packet of 20 ms moves the timestamp on by 160: by its bytes, not by its samples. That is for the packet's
author to mind.
"""

from typing import Final, Literal

import av
import numpy as np
import numpy.typing as npt
from av.audio.codeccontext import AudioCodecContext

SAMPLE_RATE: Final = 16_000
FRAME_SAMPLES: Final = 320
FRAME_BYTES: Final = 160

Payload = bytes | memoryview | npt.NDArray[np.uint8]


def _context(mode: Literal["r", "w"]) -> AudioCodecContext:
    context = av.CodecContext.create("g722", mode)
    context.sample_rate = SAMPLE_RATE
    context.layout = "mono"
    context.format = "s16"
    return context


class Decoder:
    """One leg's decoder. Every byte string is valid G.722, so nothing that arrives can fail."""

    def __init__(self) -> None:
        self._context = _context("r")
        # The usual payload is copied into one packet made once: the decoder keeps no reference to it.
        self._packet = av.Packet(FRAME_BYTES)

    def decode(self, payload: Payload, out: npt.NDArray[np.float32]) -> int:
        """Decode a payload of any length; return the samples written, two a byte.

        `out`: (S,) float32 in int16 units, written from its start. Samples beyond its end are dropped. An
        empty payload decodes to nothing (handed to libavcodec it would end the stream for good).
        """
        length = len(payload)
        if length == FRAME_BYTES:
            packet = self._packet
            packet.update(payload)  # type: ignore[arg-type]  # takes any buffer, says bytes
        elif length:
            packet = av.Packet(bytes(payload))
        else:
            return 0
        samples = 0
        for frame in self._context.decode(packet):
            count = min(frame.samples, out.size - samples)
            out[samples : samples + count] = np.frombuffer(memoryview(frame.planes[0]), np.int16, count)
            samples += count
        return samples


class Encoder:
    """One stream's encoder."""

    def __init__(self) -> None:
        self._context = _context("w")
        self._frame = av.AudioFrame("s16", "mono", FRAME_SAMPLES)
        self._frame.sample_rate = SAMPLE_RATE
        self._plane = self._frame.planes[0]

    def encode(self, frame: npt.NDArray[np.int16], out: npt.NDArray[np.uint8]) -> None:
        """Encode 20 ms.

        `frame`: (320,) int16, contiguous; `out`: (160,) uint8, written in place. Another length is a
        ValueError: it would be taken for the last frame of the stream.
        """
        self._plane.update(frame)  # type: ignore[arg-type]  # takes any buffer, says bytes
        (packet,) = self._context.encode(self._frame)
        out[:] = np.frombuffer(memoryview(packet), np.uint8)
