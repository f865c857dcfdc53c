"""The log of what happened, on disk: written once, in order, before anybody acts on it or is told of it."""

from server.conference.log import LoggedEvent
from server.journal.errors import JournalTooNew, JournalUnavailable, SequenceConflict
from server.journal.idempotency import RememberedAnswer
from server.journal.journal import Journal

__all__ = [
    "Journal",
    "JournalTooNew",
    "JournalUnavailable",
    "LoggedEvent",
    "RememberedAnswer",
    "SequenceConflict",
]
