"""What the mixer can tell of itself: percentiles of the last minute, and a line of figures per leg."""

from typing import Final

import numpy as np

from mixer.dsp.levels import dbov
from mixer.formats.base import FormatTable
from mixer.formats.opus import OpusTable
from mixer.legs import Legs
from mixer.protocol import LegStats, MixerStats, Spread
from mixer.rtp.far_end import UNKNOWN

MINUTE_TICKS: Final = 3000


class TickTimes:
    """Lateness and work of the last minute's ticks, and how many ticks there were."""

    def __init__(self) -> None:
        self.ticks = 0
        self.late_ticks = 0
        self._lateness_ms = np.zeros(MINUTE_TICKS, np.float32)
        self._work_ms = np.zeros(MINUTE_TICKS, np.float32)

    def add(self, lateness_ns: int, work_ns: int, tick_ns: int) -> None:
        """Count one tick that began `lateness_ns` after it was due and took `work_ns`."""
        at = self.ticks % MINUTE_TICKS
        self._lateness_ms[at] = lateness_ns / 1e6
        self._work_ms[at] = work_ns / 1e6
        self.ticks += 1
        self.late_ticks += lateness_ns + work_ns > tick_ns

    def describe(self, cpu_s: float) -> MixerStats:
        """The figures as reported."""
        n = min(self.ticks, MINUTE_TICKS)
        return MixerStats(
            self.ticks,
            self.late_ticks,
            _spread(self._lateness_ms[:n]),
            _spread(self._work_ms[:n]),
            round(cpu_s, 3),
        )

    def work_p50_ms(self) -> float:
        """Median work of the last second's ticks."""
        n = min(self.ticks, MINUTE_TICKS)
        recent = self._work_ms[np.arange(self.ticks - min(n, 50), self.ticks) % MINUTE_TICKS]
        return float(np.median(recent)) if n else 0.0


def _spread(values: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> Spread:
    if not len(values):
        return Spread(0.0, 0.0, 0.0)
    p50, p99 = np.percentile(values, [50, 99])
    return Spread(round(float(p50), 3), round(float(p99), 3), round(float(values.max()), 3))


def leg_stats(legs: Legs, row: int, table: FormatTable, work_ms: float) -> LegStats:
    """One leg's figures. The added delay is what its packets wait and the work until the mix of them is sent."""
    local = int(legs.local[row])
    waited_ms = table.playout.depth_ms(local)
    rate = int(legs.in_clock_rate[row])
    left_out_ms, added_ms = table.playout.moved_ms(local)
    level_dbov = _level_dbov(table, local)
    far_end, round_trip_ns = legs.far_end, int(legs.far_end.round_trip_ns[row])
    return LegStats(
        call_id=legs.call_ids[row],
        packets_in=int(legs.in_packets[row]),
        packets_out=int(legs.out_packets[row]),
        lost=max(0, int(legs.reception.lost()[row])),
        late=int(table.playout.late[local]),
        duplicates=int(table.duplicates[local] + table.playout.repeated[local]),
        concealed=int(table.concealed[local]),
        jitter_ms=round(float(legs.reception.jitter[row]) * 1000 / rate, 2),
        buffer_ms=round(waited_ms, 1),
        added_delay_ms=round(waited_ms + work_ms, 1) if waited_ms else 0.0,
        level_dbov=None if level_dbov is None else round(level_dbov, 1),
        accelerated_ms=round(left_out_ms, 1),
        stretched_ms=round(added_ms, 1),
        far_end_loss=round(float(far_end.loss[row]), 4) if far_end.reported[row] else None,
        round_trip_ms=None if round_trip_ns == UNKNOWN else round(round_trip_ns / 1e6, 2),
    )


def _level_dbov(table: FormatTable, local: int) -> float | None:
    if isinstance(table, OpusTable):
        return table.level_dbov(local)
    return float(dbov(table.frames[local : local + 1])[0])
