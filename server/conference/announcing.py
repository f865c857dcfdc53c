"""The rules of announcements: who can be told something, whose turn it is, and what becomes of the rest.

Announcements of one target (all, or one participant) are played one after the other in the order they came; targets
do not wait for each other. Each one that was accepted ends or fails, once, before its participant leaves and before
the conference ends. Fetching and playing is the affair of others, who report how it went.
"""

from typing import Final

from server.conference.commands import Announce, AnnouncementPlayed, AnnouncementReport
from server.conference.events import (
    AnnouncementEnded,
    AnnouncementFailed,
    AnnouncementQueued,
    AnnouncementStarted,
    Event,
)
from server.conference.model import MAX_ANNOUNCEMENTS, Announcement, Conference
from server.conference.refusals import Refusal

PARTICIPANT_LEFT: Final = "participant_left"
CONFERENCE_ENDED: Final = "conference_ended"


def announce(conference: Conference, command: Announce, now: float) -> list[Event]:
    """Return the announcement in its place, and its start if it is its turn at once."""
    if not command.url:
        raise Refusal("invalid_request", "url: must not be empty")
    if len(conference.announcements) >= MAX_ANNOUNCEMENTS:
        raise Refusal(
            "too_many_announcements",
            f"the conference {conference.name!r} has {MAX_ANNOUNCEMENTS} announcements still to be played",
        )
    announcement = Announcement(command.announcement_id, command.url, command.method, command.call_id)
    queued = AnnouncementQueued(at=now, announcement=announcement)
    if any(earlier.call_id == announcement.call_id for earlier in conference.announcements):
        return [queued]
    return [queued, AnnouncementStarted(at=now, announcement=announcement)]


def announcement_over(conference: Conference, report: AnnouncementReport, now: float) -> list[Event]:
    """Return the end of an announcement and the start of the one whose turn it is then."""
    announcement = next((a for a in conference.announcements if a.announcement_id == report.announcement_id), None)
    if announcement is None:
        return []
    over: Event
    if isinstance(report, AnnouncementPlayed):
        over = AnnouncementEnded(at=now, announcement=announcement)
    else:
        over = AnnouncementFailed(at=now, announcement=announcement, reason=report.reason)
    first, *waiting = (a for a in conference.announcements if a.call_id == announcement.call_id)
    if first is not announcement or not waiting:
        return [over]
    return [over, AnnouncementStarted(at=now, announcement=waiting[0])]


def cut_short(conference: Conference, call_id: str | None, reason: str, now: float) -> list[Event]:
    """Return the failure of all that is still to be played to one target, in order."""
    return [
        AnnouncementFailed(at=now, announcement=announcement, reason=reason)
        for announcement in conference.announcements
        if announcement.call_id == call_id
    ]


def hearers(conference: Conference, announcement: Announcement) -> tuple[str, ...]:
    """Return the calls that hear an announcement if it starts now, in the order of joining.

    One for a single participant reaches it wherever it is, also while it waits or is held. One for all reaches
    those in the mix, before the start those who wait, and nobody who is held.
    """
    if announcement.call_id is None:
        return tuple(p.call_id for p in conference.present if not p.hold)
    return tuple(p.call_id for p in conference.present if p.call_id == announcement.call_id)
