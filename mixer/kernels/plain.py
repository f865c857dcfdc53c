"""A plain tick of a small conference, all of it at once: what remains then is the price of two calls.

Plain is a tick in which nothing happens but talk: G.711 legs of one law, every packet in time and of a known stream,
nobody muted, waiting or told something aside. Anything else is left as it was for the steps of `mixer.tick`, of which
these are the sum. Columns come bundled, as `mixer.plain` makes them.
"""

from typing import Any

import numpy as np

from mixer import plain
from mixer.formats.sampled import MOST
from mixer.kernels.arriving import count, fit, live_on, note, note_into, parse, place, recognise, store
from mixer.kernels.bundles import Came, Column, Heard, Leaving, Sizes, Streams, Voices, Waiting
from mixer.kernels.leaving import advance, own_rows, point, write
from mixer.kernels.registry import loop, part
from mixer.kernels.sounding import add_up, decode_whole, measure, mix_minus
from mixer.receive.action import Action

_IDLE, _PLAY = int(Action.IDLE), int(Action.PLAY)


def _taken() -> tuple[Any, ...]:
    return plain.sample()[0]


def _sounded() -> tuple[Any, ...]:
    return plain.sample()[1]


@loop(_taken)
def take_plain(
    n: int, now_ns: int, weight: float, came: Came, streams: Streams, waiting: Waiting, sizes: Sizes
) -> bool:
    """Take `n` datagrams if all are plain audio in time; False, and only headers were written, if not."""
    if not parse(
        came.data,
        came.length,
        n,
        came.head,
        came.ok,
        came.is_rtcp,
        came.reason,
        came.payload_type,
        came.marker,
        came.sequence,
        came.timestamp,
        came.ssrc,
        came.offset,
        came.payload_length,
    ):
        return False
    columns = np.empty((8, n), np.int64)
    rows, local, age_ns, slot, offset, wait_ns, margin_ns, into = columns
    flags = np.empty((3, n), np.bool_)
    for i in range(n):
        rows[i] = _whose(np.int64(came.socket[i]), came.source[i], streams)
    if not recognise(
        n,
        rows,
        came.source,
        streams.located,
        streams.source,
        streams.receives,
        streams.type,
        streams.ssrc,
        came.ok,
        came.payload_type,
        came.ssrc,
        flags[0],
        flags[1],
    ):
        return False
    for i in range(n):
        if not streams.connected[rows[i]]:
            return False
        local[i] = streams.local[rows[i]]
        age_ns[i] = max(now_ns - came.arrival_ns[i], 0)
    if not place(
        local,
        came.timestamp[:n],
        age_ns,
        sizes.slot_ts,
        sizes.slot_ts,
        sizes.horizon,
        waiting.started,
        waiting.play_ts,
        waiting.play,
        waiting.phase,
        slot,
        offset,
        wait_ns,
        margin_ns,
        into,
    ):
        return False
    if not fit(local, slot, offset, came.payload_length, sizes.slot_bytes):
        return False
    _keep(n, now_ns, weight, came, streams, waiting, sizes, columns, flags[2])
    return True


@part
def _whose(socket: int, source: int, streams: Streams) -> int:
    """The leg whose datagram came on this socket from this source; -1 if it is nobody's."""
    if socket >= len(streams.row_of_socket):
        return -1
    first, last = streams.bounds[socket]
    if first == last:
        row: int = streams.row_of_socket[socket]
        return row
    end = last
    while first < last:
        middle = (first + last) // 2
        if streams.sources[middle] < source:
            first = middle + 1
        else:
            last = middle
    if first < end and streams.sources[first] == source:
        return streams.source_rows[first]  # type: ignore[no-any-return]
    return -1


@part
def _keep(
    n: int,
    now_ns: int,
    weight: float,
    came: Came,
    streams: Streams,
    waiting: Waiting,
    sizes: Sizes,
    columns: Column,
    stored: Column,
) -> None:
    """The second half of `take_plain`: all is well."""
    rows, local, age_ns, slot, offset, wait_ns, margin_ns, into = columns
    live_on(rows, now_ns, streams.rtp_ns, streams.lost, streams.connected, streams.packets)
    rate = offset
    for i in range(n):
        streams.any_ns[rows[i]] = now_ns
        rate[i] = streams.clock_rate[rows[i]]
    count(
        rows,
        came.sequence,
        came.timestamp,
        came.arrival_ns,
        rate,
        streams.started,
        streams.received,
        streams.jitter,
        streams.first,
        streams.highest,
        streams.leapt,
        streams.last_timestamp,
        streams.last_arrival_ns,
    )
    note(
        local,
        wait_ns,
        margin_ns,
        sizes.nothing_ns,
        sizes.bin_ns,
        weight,
        waiting.worst_ns,
        waiting.least_now_ns,
        waiting.margin_now_ns,
        waiting.longest_now_ns,
        waiting.longest_ns,
        waiting.lags,
        waiting.wait_ns,
    )
    note_into(local, into, waiting.least_into, waiting.most_into)
    index = age_ns
    for i in range(n):
        index[i] = i
        waiting.strays[local[i]] = 0
    ring = waiting.key, waiting.filled, waiting.ring
    store(local, slot, came.data, index, came.offset, came.payload_length, ring[0], ring[1], ring[2], stored)
    for i in range(n):
        if not stored[i]:
            waiting.duplicates[local[i]] += 1


@loop(_sounded)
def sound_plain(
    n: int, legs: int, turn: int, waiting: Waiting, sizes: Sizes, voices: Voices, heard: Heard, leaving: Leaving
) -> int:
    """From what waits to packets ready to be sent; returns how many began or ceased to speak: the first of `changed`.

    `n` rows of the format, `legs` of all; `turn`: the frames of the history to be written. -1: nothing was done.
    """
    action = np.empty(n, np.int8)
    if not _is_plain(n, action, waiting, sizes, voices):
        return -1
    frames = voices.history[turn]
    decode_whole(
        n,
        action,
        waiting.play,
        waiting.phase,
        waiting.key,
        waiting.filled,
        waiting.ring,
        voices.to_pcm,
        sizes.silence,
        sizes.silence_sounds,
        voices.received,
        frames,
        voices.whole,
        voices.contributes,
    )
    for row in range(n):
        voices.have[row] = voices.whole[row]
        voices.gain_before[row] = voices.gain[row]
        voices.untouched[row] = True
        if voices.have[row]:
            waiting.missed[row] = 0
            waiting.blank[row] = 0
            waiting.play[row] += 1
            waiting.play_ts[row] = np.uint32(np.int64(waiting.play_ts[row]) + sizes.slot_ts & 0xFFFFFFFF)
    changes = measure(
        n,
        frames,
        voices.contributes,
        voices.gain,
        voices.level,
        voices.floor,
        voices.above,
        voices.below,
        voices.speaking,
        voices.changed,
    )
    heard.sum[:] = np.float32(0)
    add_up(n, frames, voices.contributes, heard.sum)
    heard.total[:] = heard.sum
    _mix_and_encode(n, frames, sizes, voices, heard, leaving)
    streams = leaving.marker, leaving.sequence, leaving.timestamp
    write(legs, leaving.header, leaving.type, streams[0], streams[1], streams[2], leaving.ssrc)
    advance(
        legs,
        leaving.sent,
        leaving.payload_bytes,
        leaving.timestamp,
        leaving.step,
        leaving.sequence,
        leaving.marker,
        leaving.packets,
        leaving.octets,
    )
    return int(changes)


@part
def _is_plain(n: int, action: Column, waiting: Waiting, sizes: Sizes, voices: Voices) -> bool:
    """Whether all have the whole tick, or have never sent anything, and are heard at unity gain, and hear the mix."""
    mask = waiting.key.shape[1] - 1
    for row in range(n):
        action[row] = _PLAY if waiting.started[row] else _IDLE
        if voices.gain[row] != 1 or voices.gain_before[row] != 1 or voices.made[row] != 0:
            return False
        if voices.live[row] and not voices.hears[row]:
            return False
        if waiting.started[row]:
            at = waiting.play[row] & mask
            if waiting.stall[row] > 0 or waiting.phase[row] != 0:
                return False
            if waiting.key[row, at] != waiting.play[row] or waiting.filled[row, at] != sizes.slot_bytes:
                return False
    return True


@part
def _mix_and_encode(n: int, frames: Column, sizes: Sizes, voices: Voices, heard: Heard, leaving: Leaving) -> None:
    """`FormatTable.encode`, where everybody hears the mix."""
    talkers, alone = 0, 0
    for row in range(n):
        if voices.contributes[row]:
            talkers += 1
            alone = row
    own = heard.own[: own_rows(n, voices.contributes, voices.hears, heard.own)]
    if len(own) * MOST > n * (MOST - 1):
        own = heard.all_rows[:n]
    if talkers == 1 and heard.shared_gains[0, 0] == 1 and heard.shared_gains[0, 1] == 1:
        heard.shared_payload[0, :] = voices.received[alone, :]  # bit by bit, as it came
    elif len(own) < n:
        first, nobody = np.zeros(1, np.int64), np.zeros(1, np.bool_)
        attack = sizes.attack_samples
        mix_minus(heard.total, frames, first, nobody, heard.shared_gains, attack, heard.mix, heard.shared_pcm)
        _look_up(1, heard.from_pcm, heard.shared_pcm, heard.shared_payload)
    everyone = len(own) == n
    gains = np.empty((len(own), 2), np.float32)
    for i in range(len(own)):
        gains[i, :] = heard.gains[own[i], :]
    if not everyone:
        heard.gains[:n, :] = heard.shared_gains[0, :]
    mix_minus(heard.total, frames, own, voices.contributes, gains, sizes.attack_samples, heard.mix, heard.pcm)
    if everyone:
        heard.shared_gains[0, :] = gains[0, :]
    for i in range(len(own)):
        heard.gains[own[i], :] = gains[i, :]
        if everyone:
            heard.shared_gains[0, 0] = min(heard.shared_gains[0, 0], gains[i, 0])
            heard.shared_gains[0, 1] = min(heard.shared_gains[0, 1], gains[i, 1])
    _look_up(len(own), heard.from_pcm, heard.pcm, heard.own_payload)
    point(
        n,
        voices.live,
        voices.hears,
        heard.leg_rows,
        own,
        sizes.quiet_at,
        sizes.shared_at,
        sizes.own_at,
        sizes.slot_bytes,
        leaving.payload_address,
        leaving.payload_bytes,
    )


@part
def _look_up(n: int, law: Column, pcm: Column, payload: Column) -> None:
    for row in range(n):
        for k in range(pcm.shape[1]):
            payload[row, k] = law[np.uint16(pcm[row, k])]
