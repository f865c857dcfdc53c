"""What the media of a call did while it was in a conference, as the event of its leaving tells it.

The figures come in with the command that makes it leave; from where, and how long they are waited for, is decided
elsewhere.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMedia:
    """Figures of one stay, at its end. Times are milliseconds, counts are packets unless they say otherwise."""

    packets_in: int
    packets_out: int
    lost: int
    """Never came."""
    late: int
    """Came when their turn was over."""
    duplicates: int
    concealed: int
    """Frames of 20 ms that were made up."""
    jitter_ms: float
    """As last measured, like `buffer_ms` and `added_delay_ms`."""
    buffer_ms: float
    """How long packets waited for their turn."""
    added_delay_ms: float
    """That, and the work on the mix."""
    accelerated_ms: float
    """Media time left out to wait less."""
    stretched_ms: float
    """Sound added to wait longer."""
    far_end_loss: float | None = None
    """Share of the packets sent to it that the far end lost lately, 0 to 1; None: it sent no RTCP reports."""
    round_trip_ms: float | None = None
    """None: not known."""
