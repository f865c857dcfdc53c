"""Reading conferences: those in progress from memory, those that ended from the journal.

A project finds its own conferences only; another's is as unknown as one that never was.
"""

from dataclasses import dataclass
from typing import Any

from server.conference.model import Conference
from server.conference.views import ConferenceSummary, summarize
from server.errors import ParleyError, invalid
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


def conference_id_of(context: Context, project_id: str, reference: str | None) -> str | None:
    """Return the id that a list is to be narrowed to: a name stands for the conference that has it in progress."""
    live = None if reference is None else context.live.find(project_id, reference)
    return reference if live is None else live.conference_id


@dataclass(frozen=True, slots=True)
class Page:
    """Which conferences a list is to hold: None is any."""

    status: str | None = None
    name: str | None = None
    limit: int = 100
    before: str | None = None
    """Id of the last conference of the page before."""


async def list_conferences(context: Context, project_id: str, page: Page) -> list[ConferenceSummary]:
    """Return a project's conferences, the newest first; those in progress as they are this moment."""
    try:
        last = None if page.before is None else await context.journal.summary(page.before)
        if page.before is not None and (last is None or last.project_id != project_id):
            raise invalid("before", f"there is no conference {page.before!r}")
        stored = await context.journal.list_conferences(
            page.status, page.name, page.limit, project_id=project_id, before=last
        )
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
