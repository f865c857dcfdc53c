"""The statements about conferences and their events. Each takes a connection within a transaction."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, bindparam, delete, insert, or_, select, update

from server.conference import codec
from server.conference.evolve import evolve
from server.conference.log import LoggedEvent
from server.conference.model import Conference, ConferenceState
from server.conference.views import ConferenceSummary, summarize
from server.journal.errors import SequenceConflict
from server.journal.tables import conferences, deliveries, events, lanes

_FOLLOWS: Final = and_(
    conferences.c.conference_id == bindparam("of"), conferences.c.last_sequence == bindparam("after_sequence")
)
_INSERT_CONFERENCE: Final = insert(conferences)
_INSERT_EVENT: Final = insert(events)
# What is set has its indexes rewritten, changed or not; so most updates leave out what only few of them change.
_UPDATE_SAME_STATUS: Final = (
    update(conferences)
    .where(_FOLLOWS, conferences.c.status == bindparam("same_status"))
    .values({name: bindparam(name) for name in ("region", "size", "last_sequence")})
)
_UPDATE: Final = (
    update(conferences)
    .where(_FOLLOWS)
    .values(
        {
            name: bindparam(name)
            for name in ("region", "size", "last_sequence", "status", "started_at", "ended_at", "reason_ended")
        }
    )
)


def write(connection: Connection, summary: ConferenceSummary, entries: Sequence[LoggedEvent]) -> None:
    """Write entries and the conference's row after them; `SequenceConflict` unless they continue its log."""
    first = entries[0].sequence
    if first == 1:
        connection.execute(_INSERT_CONFERENCE, asdict(summary))
    elif not _update(connection, summary, first - 1):
        raise SequenceConflict(f"event {first} of {summary.conference_id} does not continue its log")
    connection.execute(
        _INSERT_EVENT,
        [
            {
                "event_id": entry.event_id,
                "conference_id": summary.conference_id,
                "project_id": summary.project_id,
                "sequence": entry.sequence,
                "domain": codec.dump(entry.event),
                "wire": entry.wire,
            }
            for entry in entries
        ],
    )


def take_back(connection: Connection, conference_id: str, entries: Sequence[LoggedEvent]) -> None:
    """Undo `write`, with the deliveries of the same events, if it was done."""
    ids = [entry.event_id for entry in entries]
    of_these = and_(events.c.conference_id == conference_id, events.c.event_id.in_(ids))
    if connection.execute(delete(events).where(of_these)).rowcount == 0:
        return
    connection.execute(
        delete(deliveries).where(deliveries.c.conference_id == conference_id, deliveries.c.event_id.in_(ids))
    )
    left = fold(connection, conference_id)
    if left is None:
        connection.execute(delete(lanes).where(lanes.c.conference_id == conference_id))
        connection.execute(delete(conferences).where(conferences.c.conference_id == conference_id))
    else:
        here = conferences.c.conference_id == conference_id
        connection.execute(update(conferences).where(here).values(asdict(summarize(left))))


def _update(connection: Connection, summary: ConferenceSummary, after_sequence: int) -> bool:
    """Bring the conference's row up to date; return False, with nothing changed, if it is not at that sequence."""
    row = {"of": summary.conference_id, "after_sequence": after_sequence}
    row |= {"region": summary.region, "size": summary.size, "last_sequence": summary.last_sequence}
    if connection.execute(_UPDATE_SAME_STATUS, row | {"same_status": summary.status}).rowcount == 1:
        return True
    row |= {"status": summary.status, "started_at": summary.started_at}
    row |= {"ended_at": summary.ended_at, "reason_ended": summary.reason_ended}
    return connection.execute(_UPDATE, row).rowcount == 1


def wires(connection: Connection, conference_id: str, after: int, limit: int) -> list[dict[str, Any]]:
    """Return the EVENTs of a conference with a sequence above `after`, in order."""
    rows = connection.execute(
        select(events.c.wire)
        .where(events.c.conference_id == conference_id, events.c.sequence > after)
        .order_by(events.c.sequence)
        .limit(limit)
    )
    return [row.wire for row in rows]


def live(connection: Connection, project_id: str, after_position: int, limit: int) -> list[tuple[int, dict[str, Any]]]:
    """Return positions above `after_position` and the EVENTs there, of all conferences of a project, in order."""
    rows = connection.execute(
        select(events.c.position, events.c.wire)
        .where(events.c.project_id == project_id, events.c.position > after_position)
        .order_by(events.c.position)
        .limit(limit)
    )
    return [(row.position, row.wire) for row in rows]


def position_of(connection: Connection, event_id: str, project_id: str) -> int | None:
    """Return where a project's event was written."""
    return connection.scalar(
        select(events.c.position).where(events.c.event_id == event_id, events.c.project_id == project_id)
    )


def newest_event(connection: Connection, project_id: str) -> tuple[int, str] | None:
    """Return where a project's last event was written, and its id."""
    row = connection.execute(
        select(events.c.position, events.c.event_id)
        .where(events.c.project_id == project_id)
        .order_by(events.c.position.desc())
        .limit(1)
    ).first()
    return None if row is None else (row.position, row.event_id)


def fold(connection: Connection, conference_id: str) -> Conference | None:
    """Return the conference that its logged events make."""
    rows = connection.execute(
        select(events.c.domain).where(events.c.conference_id == conference_id).order_by(events.c.sequence)
    )
    conference: Conference | None = None
    for row in rows:
        conference = evolve(conference, codec.load(row.domain))
    return conference


def summary_of(connection: Connection, conference_id: str) -> ConferenceSummary | None:
    """Return the row of one conference."""
    row = connection.execute(select(conferences).where(conferences.c.conference_id == conference_id)).first()
    return None if row is None else _summary(row)


def newest(
    connection: Connection,
    status: str | None,
    name: str | None,
    limit: int,
    project_id: str | None,
    before: ConferenceSummary | None,
) -> list[ConferenceSummary]:
    """Return conferences with that status, name and project (None: any), the newest first, after `before` in that."""
    statement = select(conferences)
    if before is not None:
        created_at, conference_id = conferences.c.created_at, conferences.c.conference_id
        tied = and_(created_at == before.created_at, conference_id > before.conference_id)
        statement = statement.where(or_(created_at < before.created_at, tied))
    if project_id is not None:
        statement = statement.where(conferences.c.project_id == project_id)
    if status is not None:
        statement = statement.where(conferences.c.status == status)
    if name is not None:
        statement = statement.where(conferences.c.name == name)
    statement = statement.order_by(conferences.c.created_at.desc(), conferences.c.conference_id).limit(limit)
    return [_summary(row) for row in connection.execute(statement)]


def not_ended(connection: Connection) -> list[str]:
    """Return the ids of conferences whose log has no end yet, the oldest first."""
    statement = (
        select(conferences.c.conference_id)
        .where(conferences.c.status != ConferenceState.ENDED.status)
        .order_by(conferences.c.created_at, conferences.c.conference_id)
    )
    return list(connection.scalars(statement))


def _summary(row: Row[Any]) -> ConferenceSummary:
    return ConferenceSummary(**row._mapping)
