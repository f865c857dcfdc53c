"""Datagrams on their way to the rings of their legs: one loop over packets for each step.

The twins, which say what is done and why, are `transports.udp`, `rtp.header.parse`, `Intake.take`, `Reception.update`,
`Playout.place`, `Arrivals.note` and `SlotRing.put`. Columns are passed whole; only rows that packets name are touched.
"""

import numpy as np

from mixer.kernels.bundles import Column
from mixer.kernels.registry import loop
from mixer.receive.arrivals import SMOOTHING
from mixer.receive.playout import TICK_NS
from mixer.rtp.header import FIXED_BYTES, PLAIN, RTCP_FIRST, RTCP_TYPES
from mixer.rtp.reception import KEEP, MAX_DROPOUT, MAX_MISORDER, MAX_TRANSIT_CHANGE_S
from mixer.transports.base import OLDEST_NS


@loop("void(i8, u8[:], u4[:], i4[:], u8[:], i4[:], i8[:], i8[:], i8, i8, i8, i8, i8, i8, u8[::1], i4[::1], i8[::1])")
def finish(
    n: int,
    key: Column,
    size: Column,
    flags: Column,
    control_bytes: Column,
    control_type: Column,
    seconds: Column,
    nanoseconds: Column,
    control_size: int,
    stamp_type: int,
    cut_flag: int,
    too_long: int,
    wall_ns: int,
    now_ns: int,
    source: Column,
    length: Column,
    arrival_ns: Column,
) -> None:
    """What the kernel wrote about `n` datagrams, as columns of a batch."""
    for i in range(n):
        source[i] = key[i]
        length[i] = too_long if flags[i] & cut_flag else size[i]
        arrival = now_ns
        if np.int64(control_bytes[i]) == control_size and control_type[i] == stamp_type:
            arrival = seconds[i] * 1_000_000_000 + nanoseconds[i] + wall_ns
            arrival = min(max(arrival, now_ns - OLDEST_NS), now_ns)
        arrival_ns[i] = arrival


@loop(
    "b1(u1[:,::1], i4[::1], i8, u1[:,::1], b1[::1], b1[::1], u1[::1], u1[::1], b1[::1], i4[::1], i8[::1], u4[::1],"
    " i4[::1], i4[::1])"
)
def parse(
    data: Column,
    length: Column,
    n: int,
    head: Column,
    ok: Column,
    is_rtcp: Column,
    reason: Column,
    payload_type: Column,
    marker: Column,
    sequence: Column,
    timestamp: Column,
    ssrc: Column,
    offset: Column,
    payload_length: Column,
) -> bool:
    """Fixed headers; returns whether all `n` are plain RTP. What is not `ok` is settled by the twin's second part."""
    plain = True
    longest = data.shape[1] - FIXED_BYTES
    for i in range(n):
        for k in range(FIXED_BYTES):
            head[i, k] = data[i, k]
        second = np.int64(data[i, 1])
        marker[i] = second >> 7 != 0
        payload_type[i] = second & 0x7F
        sequence[i] = np.int64(data[i, 2]) << 8 | np.int64(data[i, 3])
        stamp = np.int64(data[i, 4]) << 24 | np.int64(data[i, 5]) << 16
        timestamp[i] = stamp | np.int64(data[i, 6]) << 8 | np.int64(data[i, 7])
        name = np.int64(data[i, 8]) << 24 | np.int64(data[i, 9]) << 16
        ssrc[i] = name | np.int64(data[i, 10]) << 8 | np.int64(data[i, 11])
        offset[i] = FIXED_BYTES
        size = np.int64(length[i]) - FIXED_BYTES
        payload_length[i] = size
        reason[i] = 0
        is_rtcp[i] = False
        good = data[i, 0] == PLAIN and 0 < size <= longest and not RTCP_FIRST <= second < RTCP_FIRST + RTCP_TYPES
        ok[i] = good
        plain = plain and good
    return plain


@loop(
    "b1(i8, i8[::1], u8[::1], b1[::1], u8[::1], b1[::1], i8[::1], i8[::1], b1[::1], u1[::1], u4[::1], b1[::1], b1[::1])"
)
def recognise(
    n: int,
    rows: Column,
    source: Column,
    located: Column,
    leg_source: Column,
    receives: Column,
    in_type: Column,
    in_ssrc: Column,
    ok: Column,
    payload_type: Column,
    ssrc: Column,
    ours: Column,
    audio: Column,
) -> bool:
    """Which packets are of a leg's own address, and which are audio of its stream; returns whether all are."""
    all_audio = True
    for i in range(n):
        row = rows[i]
        mine = row >= 0 and located[row] and leg_source[row] == source[i]
        ours[i] = mine
        good = False
        if mine and ok[i] and receives[row]:
            good = np.int64(payload_type[i]) == in_type[row] and np.int64(ssrc[i]) == in_ssrc[row]
        audio[i] = good
        all_audio = all_audio and good
    return all_audio


@loop("b1(i8[::1], i8, i8[::1], b1[::1], b1[::1], i8[::1])")
def live_on(rows: Column, now_ns: int, in_rtp_ns: Column, lost: Column, connected: Column, in_packets: Column) -> bool:
    """Legs that got packets are not lost; returns whether all of them were connected before."""
    known = True
    for i in range(len(rows)):
        row = rows[i]
        in_packets[row] += 1
        in_rtp_ns[row] = now_ns
        lost[row] = False
        known = known and connected[row]
    return known


@loop(
    "void(i8[::1], i4[::1], i8[::1], i8[::1], i8[::1], b1[::1], i8[::1], f8[::1], i8[::1], i8[::1], i8[::1], i8[::1],"
    " i8[::1])"
)
def count(
    rows: Column,
    sequence: Column,
    timestamp: Column,
    arrival_ns: Column,
    clock_rate: Column,
    started: Column,
    received: Column,
    jitter: Column,
    first: Column,
    highest: Column,
    leapt: Column,
    last_timestamp: Column,
    last_arrival_ns: Column,
) -> None:
    """What was received of each stream, one packet after the other: a leap is one from the highest number so far."""
    for i in range(len(rows)):
        row = rows[i]
        low, stamp, arrival = np.int64(sequence[i]), timestamp[i], arrival_ns[i]
        if not started[row]:
            started[row] = True
            first[row] = low
            highest[row] = low - 1
            last_timestamp[row] = stamp
            last_arrival_ns[row] = arrival
        step = (low - highest[row] - leapt[row] + 0x8000) % 0x10000 - 0x8000
        leaps = step > MAX_DROPOUT or step < -MAX_MISORDER
        if leaps:
            leapt[row] += step - 1
            step = 1
        highest[row] += max(step, 0)
        received[row] += 1
        advance = (stamp - last_timestamp[row] + 0x80000000) % 0x100000000 - 0x80000000
        if advance != 0:
            rate = np.float64(clock_rate[i])
            change = abs((arrival - last_arrival_ns[row]) * (rate * 1e-9) - advance)
            if leaps or change > MAX_TRANSIT_CHANGE_S * rate:
                change = 0.0
            jitter[row] = jitter[row] * KEEP + change * (1 - KEEP)
            last_timestamp[row] = stamp
            last_arrival_ns[row] = arrival


@loop(
    "b1(i8[::1], u4[::1], i8[::1], i8, i8, i8, b1[::1], u4[::1], i8[::1], i8[::1], i8[::1], i8[::1], i8[::1],"
    " i8[::1], i8[::1])"
)
def place(
    rows: Column,
    timestamp: Column,
    age_ns: Column,
    slot_ts: int,
    tick_ts: int,
    horizon: int,
    started: Column,
    play_ts: Column,
    play: Column,
    phase: Column,
    slot: Column,
    offset: Column,
    wait_ns: Column,
    margin_ns: Column,
    into: Column,
) -> bool:
    """Slots of packets none of which is a stream's first, late or astray; False if one is, then nothing counts."""
    for i in range(len(rows)):
        row = rows[i]
        distance = (np.int64(timestamp[i]) - np.int64(play_ts[row]) + 0x80000000) % 0x100000000 - 0x80000000
        ahead = distance - phase[row]
        at = distance // slot_ts
        if not started[row] or ahead < 0 or at >= horizon:
            return False
        slot[i] = at + play[row]
        offset[i] = distance - at * slot_ts
        ticks = ahead // tick_ts
        into[i] = ahead - ticks * tick_ts
        margin_ns[i] = age_ns[i] + ticks * TICK_NS
        wait_ns[i] = margin_ns[i] + into[i] * TICK_NS // tick_ts
    return True


@loop("void(i8[::1], i8[::1], i8[::1], i8, i8, f4, i8[::1], i8[::1], i8[::1], i8[::1], i8[::1], f4[:,::1], f8[::1])")
def note(
    rows: Column,
    wait_ns: Column,
    margin_ns: Column,
    nothing_ns: int,
    bin_ns: int,
    weight: float,
    worst: Column,
    least_now: Column,
    margin_now: Column,
    longest_now: Column,
    longest: Column,
    lags: Column,
    smoothed: Column,
) -> None:
    """How long packets wait: extremes, the histogram of lags, the mean. `worst`: of any values, left so."""
    for i in range(len(rows)):
        row = rows[i]
        worst[row] = nothing_ns
        margin_now[row] = min(margin_now[row], margin_ns[i])
        longest_now[row] = max(longest_now[row], wait_ns[i])
    for i in range(len(rows)):
        worst[rows[i]] = min(worst[rows[i]], wait_ns[i])
    for i in range(len(rows)):
        row = rows[i]
        if worst[row] == nothing_ns:
            continue  # another packet of the leg was counted
        least_now[row] = min(least_now[row], worst[row])
        late = min(max(longest[row] - worst[row], 0) // bin_ns, lags.shape[0] - 1)
        lags[late, row] += weight
        smoothed[row] += (worst[row] - smoothed[row]) * SMOOTHING
        worst[row] = nothing_ns


@loop("void(i8[::1], i8[::1], i8[::1], i8[::1])")
def note_into(rows: Column, into: Column, least_into: Column, most_into: Column) -> None:
    """How far into their ticks packets begin."""
    for i in range(len(rows)):
        row = rows[i]
        least_into[row] = min(least_into[row], into[i])
        most_into[row] = max(most_into[row], into[i])


@loop("b1(i8[::1], i8[::1], i8[::1], i4[::1], i8)")
def fit(rows: Column, slot: Column, offset: Column, length: Column, whole: int) -> bool:
    """Whether each packet fills exactly the slot it is for."""
    every = True
    for i in range(len(rows)):
        every = every and slot[i] >= 0 and offset[i] == 0 and length[i] == whole
    return every


@loop("b1(i8[::1], i8[::1], u1[:,::1], i8[::1], i4[::1], i4[::1], i8[:,::1], i4[:,::1], u1[:,:,::1], b1[::1])")
def store(
    rows: Column,
    slot: Column,
    data: Column,
    index: Column,
    offset: Column,
    length: Column,
    key: Column,
    filled: Column,
    ring: Column,
    stored: Column,
) -> bool:
    """Copy packets from their datagrams into a ring; returns whether none was there before. The first one counts."""
    mask = key.shape[1] - 1
    every = True
    for i in range(len(rows)):
        row, place = rows[i], slot[i] & mask
        new = key[row, place] != slot[i]
        stored[i] = new
        every = every and new
        if new:
            key[row, place] = slot[i]
            filled[row, place] = length[i]
            start = offset[i]
            for k in range(length[i]):
                ring[row, place, k] = data[index[i], start + k]
    return every
