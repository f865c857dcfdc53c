"""Outgoing streams: unguessable at the start, never backwards after a mixer's death."""

from mixer.protocol import OutgoingStream
from server.calls.streams import SEQUENCE_MARGIN, carried_on, new_stream

S = 1_000_000_000


def test_new_streams_differ_in_everything() -> None:
    streams = [new_stream() for _ in range(50)]
    assert len({s.ssrc for s in streams}) == 50
    assert len({s.sequence for s in streams}) > 45
    assert len({s.timestamp for s in streams}) == 50
    assert all(0 < s.ssrc < 2**32 and 0 <= s.sequence < 2**16 and 0 <= s.timestamp < 2**32 for s in streams)


def test_the_sequence_jumps_over_all_that_may_have_been_sent() -> None:
    stream = OutgoingStream(ssrc=1, sequence=65_530, timestamp=9, at_ns=3 * S)
    after = carried_on(stream, known_at_ns=4 * S, now_ns=6 * S)
    assert after.sequence == (65_530 + 100 + SEQUENCE_MARGIN) % 65_536
    assert (after.ssrc, after.timestamp, after.at_ns) == (1, 9, 3 * S)


def test_a_stream_that_never_began_is_timed_from_when_its_leg_was_added() -> None:
    assert carried_on(OutgoingStream(1, 2, 3), known_at_ns=4 * S, now_ns=5 * S).at_ns == 4 * S


def test_a_clock_that_seems_to_step_back_moves_nothing_back() -> None:
    assert carried_on(OutgoingStream(1, 2, 3), known_at_ns=4 * S, now_ns=3 * S).sequence == 2 + SEQUENCE_MARGIN
