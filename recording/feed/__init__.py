"""What a mixer says to the recorder of its conference: a ring of records in memory that both have mapped.

One process writes, one reads. The writer never waits and makes no system call: a tick for which there is no room is
counted and not written, and becomes silence of the same length. Neither end trusts what the other has written. The
server makes a feed (`recording.catalog.feeds`) and lends it to both, so it outlives either.
"""

from recording.feed.layout import LATE_SAMPLES, NO_TRACK, RATES, TICKS_PER_SECOND, FeedError
from recording.feed.reader import FeedReader, Frame, Mark
from recording.feed.writer import FeedWriter, Voices

__all__ = [
    "LATE_SAMPLES",
    "NO_TRACK",
    "RATES",
    "TICKS_PER_SECOND",
    "FeedError",
    "FeedReader",
    "FeedWriter",
    "Frame",
    "Mark",
    "Voices",
]
