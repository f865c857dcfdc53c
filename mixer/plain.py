"""The plain tick of a conference whose legs all speak one law of G.711, all of it at once.

`mixer.kernels.plain` says what plain is and does it; here is what it is done to: the columns of the mixer, in bundles.
They are made anew whenever membership changes, as columns are replaced when they grow.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixer import kernels
from mixer.clips import Clips
from mixer.dsp.limiter import attack_samples
from mixer.dsp.mix import RateMix
from mixer.formats.g711 import G711Table
from mixer.kernels.bundles import Came, Heard, Leaving, Sizes, Streams, Voices, Waiting
from mixer.legs import Demux, Legs
from mixer.protocol import Playout
from mixer.receive.arrivals import BIN_NS, NOTHING_NS
from mixer.rtp.header import Headers
from mixer.transports.base import Batch, Outgoing

Rows = NDArray[np.int64]


class PlainTick:
    """The bundles of one mixer. To be made when its columns are as they will be in the tick."""

    def __init__(
        self,
        legs: Legs,
        demux: Demux,
        table: G711Table,
        mix: RateMix,
        batch: Batch,
        headers: Headers,
        out: Outgoing,
        sent: Rows,
    ) -> None:
        self._legs, self._table = legs, table
        self._came = _came(batch, headers)
        self._streams = _streams(legs, demux)
        self._waiting = _waiting(table)
        self._sizes = _sizes(table)
        self._voices = _voices(table)
        self._heard = _heard(table, mix)
        self._leaving = _leaving(legs, out, sent)

    def take(self, n: int, now_ns: int) -> bool:
        """Take the batch's `n` datagrams; False, and nothing was done, if they are not all plain."""
        loops, playout = kernels.loops, self._table.playout
        if loops is None:
            return False
        playout.begin_batch()
        weight = playout.arrivals.weight
        return loops.take_plain(n, now_ns, weight, self._came, self._streams, self._waiting, self._sizes)

    def sound(self) -> Rows | None:
        """Play, mix and encode a tick; returns the rows that began or ceased to speak.

        None, and nothing was done, if the tick is not plain.
        """
        loops, table = kernels.loops, self._table
        if loops is None or table.playout.corrections.any or table.playout.cut:
            return None
        turn = table.next_turn
        bundles = self._waiting, self._sizes, self._voices, self._heard, self._leaving
        changes = loops.sound_plain(table.n, self._legs.n, turn, *bundles)
        if changes < 0:
            return None
        table.begin_tick()
        table.said = table.frames
        return table.speech.changed[:changes]


def _came(batch: Batch, headers: Headers) -> Came:
    return Came(batch.data, batch.length, batch.source, batch.socket, batch.arrival_ns, *headers.columns())


def _streams(legs: Legs, demux: Demux) -> Streams:
    return Streams(
        demux.single,
        demux.bounds,
        demux.sources,
        demux.source_rows,
        legs.located,
        legs.source,
        legs.receives,
        legs.in_type,
        legs.in_ssrc,
        legs.local,
        legs.in_clock_rate,
        legs.in_rtp_ns,
        legs.in_any_ns,
        legs.lost,
        legs.connected,
        legs.in_packets,
        *legs.reception.columns(),
    )


def _waiting(table: G711Table) -> Waiting:
    playout, ring = table.playout, table.ring
    return Waiting(
        playout.started,
        playout.play_ts,
        playout.play,
        playout.phase,
        playout.stall,
        playout.missed,
        playout.blank,
        playout.strays,
        playout.least_into,
        playout.most_into,
        table.duplicates,
        *playout.arrivals.columns(),
        ring.key,
        ring.filled,
        ring.data,
    )


def _sizes(table: G711Table) -> Sizes:
    playout = table.playout
    slots = playout.slot_ts, playout.horizon, table.payload_bytes
    silence = table.silence, table.silence_sounds
    return Sizes(*slots, NOTHING_NS, BIN_NS, *silence, attack_samples(table.sample_rate), *table.payloads_at())


def _voices(table: G711Table) -> Voices:
    return Voices(
        table.live,
        table.hears,
        table.gain,
        table.gain_before,
        table.contributes,
        table.untouched,
        *table.taken(),
        *table.speech.columns(),
        table.received,
        table.history,
        table.to_pcm,
    )


def _heard(table: G711Table, mix: RateMix) -> Heard:
    return Heard(
        table.limiter_gains,
        table.shared_limiter_gains,
        mix.sums[table.sample_rate],
        mix.totals[table.sample_rate],
        *table.mixes(),
        table.own_payload,
        table.shared_payload,
        *table.rows(),
        table.from_pcm,
        table.leg_rows,
    )


def _leaving(legs: Legs, out: Outgoing, sent: Rows) -> Leaving:
    return Leaving(
        out.header,
        out.payload_address,
        out.payload_bytes,
        legs.out_type,
        legs.out_marker,
        legs.out_sequence,
        legs.out_timestamp,
        legs.out_ssrc,
        legs.out_step,
        legs.out_packets,
        legs.out_bytes,
        sent,
    )


def sample() -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Arguments of `take_plain` and of `sound_plain`, of the types they always have."""
    legs, table, mix = Legs(), G711Table(1, Clips(), mu_law=True), RateMix()
    table.add(0, 1.0, True, Playout())
    mix.use({table.sample_rate})
    batch, out = Batch(1), Outgoing(1)
    plain = PlainTick(legs, Demux(), table, mix, batch, Headers(1), out, np.zeros(1, np.int64))
    waiting, sizes = plain._waiting, plain._sizes
    taken = 0, 0, table.playout.arrivals.weight, plain._came, plain._streams, waiting, sizes
    return taken, (0, 0, 0, waiting, sizes, plain._voices, plain._heard, plain._leaving)
