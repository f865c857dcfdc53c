"""Columns that go to a loop together, by name; `mixer.plain` fills them in."""

from typing import Any, NamedTuple

Column = Any
"""An array."""


class Came(NamedTuple):
    """A batch, and what its headers say: columns by datagram."""

    data: Column
    length: Column
    source: Column
    socket: Column
    arrival_ns: Column
    head: Column
    ok: Column
    is_rtcp: Column
    reason: Column
    payload_type: Column
    marker: Column
    sequence: Column
    timestamp: Column
    ssrc: Column
    offset: Column
    payload_length: Column


class Streams(NamedTuple):
    """What legs send: columns by leg. The first four say whose a datagram is, as `Demux` has them."""

    row_of_socket: Column
    bounds: Column
    sources: Column
    source_rows: Column
    located: Column
    source: Column
    receives: Column
    type: Column
    ssrc: Column
    local: Column
    clock_rate: Column
    rtp_ns: Column
    any_ns: Column
    lost: Column
    connected: Column
    packets: Column
    started: Column
    received: Column
    jitter: Column
    first: Column
    highest: Column
    leapt: Column
    last_timestamp: Column
    last_arrival_ns: Column


class Waiting(NamedTuple):
    """Packets that wait for their turn, and when that is: columns by row of the format."""

    started: Column
    play_ts: Column
    play: Column
    phase: Column
    stall: Column
    missed: Column
    blank: Column
    strays: Column
    least_into: Column
    most_into: Column
    duplicates: Column
    worst_ns: Column
    least_now_ns: Column
    margin_now_ns: Column
    longest_now_ns: Column
    longest_ns: Column
    lags: Column
    wait_ns: Column
    key: Column
    filled: Column
    ring: Column


class Sizes(NamedTuple):
    """What is the same for all legs of a format."""

    slot_ts: int
    horizon: int
    slot_bytes: int
    nothing_ns: int
    bin_ns: int
    silence: int
    silence_sounds: bool
    attack_samples: int
    quiet_at: int
    shared_at: int
    own_at: int


class Voices(NamedTuple):
    """What legs say: columns by row of the format; `history` (turns, rows, samples)."""

    live: Column
    hears: Column
    gain: Column
    gain_before: Column
    contributes: Column
    untouched: Column
    whole: Column
    have: Column
    made: Column
    level: Column
    floor: Column
    above: Column
    below: Column
    speaking: Column
    changed: Column
    received: Column
    history: Column
    to_pcm: Column


class Heard(NamedTuple):
    """What legs hear, and where it goes."""

    gains: Column
    shared_gains: Column
    sum: Column
    total: Column
    mix: Column
    pcm: Column
    shared_pcm: Column
    own_payload: Column
    shared_payload: Column
    own: Column
    all_rows: Column
    from_pcm: Column
    leg_rows: Column


class Leaving(NamedTuple):
    """Outgoing streams: columns by leg; `sent`: the rows that are sent packets."""

    header: Column
    payload_address: Column
    payload_bytes: Column
    type: Column
    marker: Column
    sequence: Column
    timestamp: Column
    ssrc: Column
    step: Column
    packets: Column
    octets: Column
    sent: Column
