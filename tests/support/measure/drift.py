"""A tone of 1 kHz from a sender whose clock is too fast or too slow, for as long as wanted, on virtual time."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.protocol import Codec, LegStats
from tests.support.conference import RATES, VirtualConference, tone

AMPLITUDE: Final = 8000
_BLOCK_TICKS: Final = 200
_BLOCK_PACKETS: Final = 220
"""What even a fast sender has sent by the end of a block."""


@dataclass(frozen=True, slots=True)
class Drifted:
    """What became of the tone. Delays are waits in the jitter buffer, in ms."""

    corrections: int
    moved_ms: float
    """Left out (above 0) or added (below 0), in all."""
    late: int
    concealed: int
    waits_ms: tuple[float, ...]
    """Every four seconds."""
    worst_step: float
    """The most by which a period differs from the one before, of `AMPLITUDE`; the first second is left out."""


class DriftingTone:
    """A talker with such a clock, and a listener. `ppm` above 0: the talker's clock is fast."""

    def __init__(self, codec: Codec, ppm: float, phase_ms: float | None = None) -> None:
        self.conference = VirtualConference()
        self.talker = self.conference.add(codec, phase_ms=phase_ms)
        self.rate = RATES[codec]
        self.listener = self.conference.add("l16", rate=self.rate)
        self._frame = tone(1000, 1.0, self.rate, AMPLITUDE)[: self.rate // 50]
        self._period_ns, self._start_ns, self._sent = 20_000_000 * (1 - ppm / 1e6), self.conference.now_ns, 0
        self._waits_ms: list[float] = []
        self._last: NDArray[np.float32] = np.zeros(0, np.float32)
        self._worst, self._heard, self._corrections = 0.0, 0, 0
        self._count_corrections()

    def _count_corrections(self) -> None:
        legs = self.conference.mixer.legs
        table = self.conference.mixer.tables[int(legs.table[legs.row_of[self.talker.call_id]])]
        corrected = table.playout.corrected

        def counted(row: int, units: int, soft: bool) -> None:
            self._corrections += units != 0
            corrected(row, units, soft)

        table.playout.corrected = counted  # type: ignore[method-assign]

    def run(self, seconds: float) -> Drifted:
        """Go on for so long, in steps of four seconds, and tell what became of all of it."""
        for _ in range(round(seconds * 50 / _BLOCK_TICKS)):
            while len(self.talker.scheduled) < _BLOCK_PACKETS:
                packet = self.talker.header() + self.talker.coder.encode(self._frame)
                self.talker.scheduled.append((self._start_ns + int(self._sent * self._period_ns), packet))
                self._sent += 1
            self.conference.run(_BLOCK_TICKS)
            self._waits_ms.append(self._line().buffer_ms)
            self._listen()
        line = self._line()
        moved_ms = line.accelerated_ms - line.stretched_ms
        waits = tuple(self._waits_ms)
        return Drifted(self._corrections, moved_ms, line.late, line.concealed, waits, self._worst)

    def _line(self) -> LegStats:
        (line,) = [line for line in self.conference.mixer.stats() if line.call_id == self.talker.call_id]
        return line

    def _listen(self) -> None:
        """Nothing is kept of what was heard: an hour would be a gigabyte."""
        period = self.rate // 1000
        new = [self.listener.coder.decode(packet[12:]) for packet in self.listener.got]
        self.listener.got.clear()
        self.talker.got.clear()
        heard = np.concatenate([self._last, *new])
        after = max(0, self.rate - self._heard)
        steps = np.abs(heard[period:] - heard[:-period])[after:]
        self._worst = max(self._worst, float(steps.max(initial=0.0)))
        self._last = heard[-period:]
        self._heard += sum(len(one) for one in new)
