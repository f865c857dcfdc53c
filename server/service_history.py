"""Reading conferences: those in progress from memory, those that ended from the journal.

A project finds its own conferences only; another's is as unknown as one that never was.
"""

from typing import Any

from server.conference.model import Conference
from server.conference.views import ConferenceSummary, summarize
from server.errors import ParleyError
from server.journal import JournalUnavailable
from server.service_context import Context


async def find_conference(context: Context, project_id: str, reference: str) -> Conference:
    """Return a conference by id, or by the name it has in progress; raise `ParleyError` (not_found)."""
    live = context.live.find(project_id, reference)
    if live is not None:
        return live.conference
    try:
        conference = await context.journal.load(reference)
    except JournalUnavailable as error:
        raise _unreadable() from error
    if conference is None or conference.project_id != project_id:
        raise ParleyError("not_found", f"there is no conference {reference!r}")
    return conference


async def list_conferences(
    context: Context, project_id: str, status: str | None, name: str | None, limit: int
) -> list[ConferenceSummary]:
    """Return a project's conferences, the newest first; those in progress as they are this moment."""
    try:
        stored = await context.journal.list_conferences(status, name, limit, project_id=project_id)
    except JournalUnavailable as error:
        raise _unreadable() from error
    current = {live.conference_id: summarize(live.conference) for live in context.live.all()}
    return [current.get(summary.conference_id, summary) for summary in stored]


async def events(
    context: Context, project_id: str, reference: str, after: int, limit: int
) -> tuple[list[dict[str, Any]], int]:
    """Return EVENTs after a sequence number, and the last sequence number there is."""
    conference = await find_conference(context, project_id, reference)
    try:
        return await context.journal.events(conference.conference_id, after, limit), conference.sequence
    except JournalUnavailable as error:
        raise _unreadable() from error


def _unreadable() -> ParleyError:
    return ParleyError("journal_unavailable", "the history cannot be read now")
