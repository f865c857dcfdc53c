"""Packets on their way out: headers and where payloads lie, one loop over legs.

The twins are `rtp.header.write`, `Mixer._send` and `SampledTable.encode`.
"""

import numpy as np

from mixer.kernels.bundles import Column
from mixer.kernels.registry import loop
from mixer.rtp.header import PLAIN


@loop("void(i8, u1[:,::1], u1[::1], b1[::1], i8[::1], i8[::1], i8[::1])")
def write(
    n: int,
    header: Column,
    payload_type: Column,
    marker: Column,
    sequence: Column,
    timestamp: Column,
    ssrc: Column,
) -> None:
    """Fixed headers of `n` rows."""
    for row in range(n):
        header[row, 0] = PLAIN
        header[row, 1] = payload_type[row] | (0x80 if marker[row] else 0)
        header[row, 2] = sequence[row] >> 8 & 0xFF
        header[row, 3] = sequence[row] & 0xFF
        for k in range(4):
            header[row, 4 + k] = timestamp[row] >> (24 - 8 * k) & 0xFF
            header[row, 8 + k] = ssrc[row] >> (24 - 8 * k) & 0xFF


@loop("void(i8, i8[::1], u8[::1], i8[::1], i8[::1], i8[::1], b1[::1], i8[::1], i8[::1])")
def advance(
    n: int,
    sent: Column,
    payload_bytes: Column,
    timestamp: Column,
    step: Column,
    sequence: Column,
    marker: Column,
    packets: Column,
    octets: Column,
) -> None:
    """Where streams stand after this tick: time passed for all `n` rows, packets went out of the rows `sent`."""
    for row in range(n):
        timestamp[row] += step[row]
    for i in range(len(sent)):
        row = sent[i]
        sequence[row] += 1
        marker[row] = False
        packets[row] += 1
        octets[row] += np.int64(payload_bytes[row])


@loop("i8(i8, b1[::1], b1[::1], i8[::1])")
def own_rows(n: int, contributes: Column, hears: Column, rows: Column) -> int:
    """Legs that hear a mix without themselves; returns how many: the first of `rows`."""
    found = 0
    for row in range(n):
        if contributes[row] and hears[row]:
            rows[found] = row
            found += 1
    return found


@loop("void(i8, b1[::1], b1[::1], i8[::1], i8[::1], i8, i8, i8, i8, u8[::1], u8[::1])")
def point(
    n: int,
    live: Column,
    hears: Column,
    leg_rows: Column,
    own: Column,
    quiet_at: int,
    shared_at: int,
    own_at: int,
    size: int,
    payload_address: Column,
    payload_bytes: Column,
) -> None:
    """Where each leg's payload lies: silence, the shared mix, or among those of the legs `own`, in their order."""
    for row in range(n):
        if live[row]:
            payload_address[leg_rows[row]] = shared_at if hears[row] else quiet_at
            payload_bytes[leg_rows[row]] = size
    for i in range(len(own)):
        row = own[i]
        if live[row] and hears[row]:
            payload_address[leg_rows[row]] = own_at + i * size
