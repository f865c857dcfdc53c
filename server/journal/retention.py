"""Forgetting conferences that ended long ago, with their events and deliveries. How long that is, is a setting's."""

from sqlalchemy import Connection, delete, exists, select

from server.conference.model import ConferenceState
from server.journal.batches import batches
from server.journal.tables import PENDING, conferences, deliveries, events, lanes


def prune(connection: Connection, before: float, limit: int) -> int:
    """Forget up to `limit` conferences that ended before, the first ended first; return how many they were.

    A conference of which somebody is still to be told something is kept.
    """
    waits = exists().where(
        lanes.c.conference_id == conferences.c.conference_id, deliveries.c.lane_id == lanes.c.lane_id, PENDING
    )
    statement = (
        select(conferences.c.conference_id)
        .where(conferences.c.ended_at < before, conferences.c.status == ConferenceState.ENDED.status, ~waits)
        .order_by(conferences.c.ended_at)
        .limit(limit)
    )
    old = list(connection.scalars(statement))
    for some in batches(old):
        for table in (deliveries, lanes, events, conferences):
            connection.execute(delete(table).where(table.c.conference_id.in_(some)))
    return len(old)
