"""G.722 legs: 16 kHz, two samples a byte, RTP clock 8000 (RFC 3551 section 4.5.2).

Coder and decoder are adaptive, so each leg has its own pair and its stream is never anybody else's. Everything is
decoded and encoded in every tick, silence too: a skipped frame would be a click.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.clips import Clips
from mixer.codecs import g722
from mixer.formats.base import Flags, Rows
from mixer.formats.sampled import SampledTable
from mixer.protocol import Playout as PlayoutBounds
from mixer.transports.base import Outgoing

NOISE_FLOOR: Final = 4.0
"""Digital silence comes out of the decoder as a few units; a frame below this is silence."""


class G722Table(SampledTable):
    """Legs that speak G.722."""

    silence = 0xFF  # only fills holes inside a slot; there is no code for silence

    def __init__(self, capacity: int, clips: Clips) -> None:
        super().__init__(capacity, clips, 16000, 8000, 1)
        self._decoders: list[g722.Decoder | None] = []
        self._encoders: list[g722.Encoder | None] = []
        self._quiet = np.zeros(self.samples, np.int16)
        self._unplayed: dict[int, tuple[int, NDArray[np.float32]]] = {}
        """Of legs whose sound was made shorter or longer: from which position on, what was decoded too early."""

    def add(self, leg_row: int, gain: float, hears: bool, bounds: PlayoutBounds) -> int:
        """See FormatTable."""
        row = super().add(leg_row, gain, hears, bounds)
        while len(self._decoders) <= row:
            self._decoders.append(None)
            self._encoders.append(None)
        self._decoders[row], self._encoders[row] = g722.Decoder(), g722.Encoder()
        return row

    def remove(self, row: int) -> None:
        """See FormatTable."""
        super().remove(row)
        self._decoders[row] = self._encoders[row] = None
        self._unplayed.pop(row, None)

    def restart(self, row: int) -> None:
        """See FormatTable."""
        super().restart(row)
        self._decoders[row] = g722.Decoder()
        self._unplayed.pop(row, None)

    def _decode(self, payload: NDArray[np.uint8], frames: NDArray[np.float32]) -> None:
        for row in np.flatnonzero(self._have[: self.n]).tolist():
            decoder, already = self._decoders[row], 0
            if decoder is None:
                continue
            if row in self._unplayed:
                position, unplayed = self._unplayed.pop(row)
                if position == self._position(row):
                    already = len(unplayed)
                    frames[row, :already] = unplayed
            decoder.decode(payload[row, already // 2 :].data, frames[row, already:])

    def _position(self, row: int) -> int:
        return int(self.playout.play[row]) * self.playout.slot_ts + int(self.playout.phase[row])

    def _decode_more(self, row: int, payload: NDArray[np.uint8]) -> NDArray[np.float32]:
        out = np.zeros(2 * len(payload), np.float32)
        decoder = self._decoders[row]
        assert decoder is not None  # it has just made this tick's frame
        decoder.decode(payload.data, out)
        return out

    def _keep(self, row: int, unplayed: NDArray[np.float32]) -> None:
        """See SampledTable: the next tick begins with it, if it is played where this one ends."""
        if len(unplayed):
            self._unplayed[row] = (self._position(row) + self.playout.tick_ts, unplayed)

    def _sounds_soft(self, payload: NDArray[np.uint8]) -> Flags:
        """See SampledTable: not to be known without the decoder, which must not be asked twice."""
        return np.zeros(len(payload), bool)

    def _mark_silent(self, n: int, payload: NDArray[np.uint8]) -> None:
        frames = self.frames[:n]
        says = np.maximum(frames.max(axis=1, initial=0), -frames.min(axis=1, initial=0)) > NOISE_FLOOR
        self.contributes[:n] = says
        frames[~says] = 0

    def encode(self, total: NDArray[np.float32], out: Outgoing) -> None:
        """See FormatTable."""
        n = self.n
        hears = self.hears[:n]
        own: Rows = np.flatnonzero(self._own_flags())
        self._limit_shared(total)
        heard: list[NDArray[np.int16]] = [self.shared_pcm[0] if hear else self._quiet for hear in hears.tolist()]
        for row, pcm in zip(own.tolist(), self._limit_own(total, own), strict=True):
            heard[row] = pcm
        played, clips, index = self.played()
        for row, pcm in zip(played.tolist(), self._clip_pcm(clips, index), strict=True):
            heard[row] = pcm
        for encoder, pcm, payload in zip(self._encoders, heard, self.own_payload, strict=False):
            if encoder is not None:
                encoder.encode(pcm, payload)
        rows = np.flatnonzero(self.live[:n])
        first = np.uint64(self.own_payload.ctypes.data)
        legs = self.leg_rows[rows]
        out.payload_address[legs] = first + rows.astype(np.uint64) * np.uint64(self.payload_bytes)
        out.payload_bytes[legs] = self.payload_bytes

    def sole_payload(self, row: int) -> None:
        """See FormatTable: an adaptive stream cannot be continued with another's bytes."""
        return
