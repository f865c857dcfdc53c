"""The statements about recordings: a row for each, brought up to date with the events that tell of it.

A row has no foreign key to its conference, as it outlives the log. Each function takes a connection within a
transaction.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, delete, insert, or_, select, update

from recording.catalog import Manifest
from server.conference.events import ConferenceEnded, RecordingStarted
from server.conference.log import LoggedEvent
from server.conference.model import Conference
from server.conference.recorded import RecordingEvent
from server.conference.recordings import Recording, RecordingResult, RecordingSource, RecordingState
from server.journal.batches import batches
from server.journal.tables import recordings
from server.recordings.model import RecordingRow

_FINAL: Final = [state.value for state in RecordingState if state.final]
_SHOWN: Final = recordings.c.deleted_at.is_(None)
_DONE: Final = and_(recordings.c.status.in_(_FINAL), _SHOWN, recordings.c.manifest.is_not(None))
_BUT_MANIFEST: Final = [column for column in recordings.c if column is not recordings.c.manifest]
"""Manifests may be long; who looks at all recordings does without."""
_OLDEST_FIRST: Final = (recordings.c.started_at, recordings.c.recording_id)


def write(connection: Connection, conference: Conference, entries: Sequence[LoggedEvent]) -> None:
    """Bring the rows up to date of the recordings that entries tell of; `conference` is as they left it."""
    for recording in _told_of(conference, entries):
        changed = _values(recording)
        row = recordings.c.recording_id == recording.recording_id
        if connection.execute(update(recordings).where(row).values(changed)).rowcount == 0:
            connection.execute(insert(recordings).values(_fixed(conference, recording) | changed))


def take_back(connection: Connection, conference_id: str, left: Conference | None) -> None:
    """Undo `write`: make the rows say what a conference's log says that some of its last events were taken out of."""
    kept = () if left is None else left.recordings
    ids = [recording.recording_id for recording in kept]
    of_conference = recordings.c.conference_id == conference_id
    connection.execute(delete(recordings).where(of_conference, recordings.c.recording_id.not_in(ids)))
    for recording in kept:
        row = recordings.c.recording_id == recording.recording_id
        connection.execute(update(recordings).where(row).values(_values(recording)))


def keep_manifest(connection: Connection, recording_id: str, content: str) -> None:
    """Keep a recording's manifest, whatever its row says; without a row it makes one of the manifest.

    That is a recording of which the database was lost but not the files. Raises `ValueError` if its manifest then
    cannot be read, or is of another recording.
    """
    row = recordings.c.recording_id == recording_id
    if connection.execute(update(recordings).where(row).values(manifest=content)).rowcount == 0:
        connection.execute(insert(recordings).values(_adopted(recording_id, content)))


def finish(connection: Connection, recording_id: str, result: RecordingResult) -> None:
    """Make a row say what came of its recording when there is no log to tell it; what is final stays as it is."""
    row = and_(recordings.c.recording_id == recording_id, recordings.c.status.not_in(_FINAL))
    connection.execute(update(recordings).where(row).values(_outcome(result) | {"status": result.state.value}))


def find(connection: Connection, recording_id: str) -> RecordingRow | None:
    """Return a recording, also one that was deleted."""
    row = connection.execute(select(recordings).where(recordings.c.recording_id == recording_id)).first()
    return None if row is None else _row(row)


def newest(
    connection: Connection, project_id: str, conference_id: str | None, limit: int, before: RecordingRow | None
) -> list[RecordingRow]:
    """Return a project's recordings that were not deleted, of a conference or any, the newest first."""
    statement = select(recordings).where(recordings.c.project_id == project_id, _SHOWN)
    if conference_id is not None:
        statement = statement.where(recordings.c.conference_id == conference_id)
    if before is not None:
        started_at, recording_id = recordings.c.started_at, recordings.c.recording_id
        tied = and_(started_at == before.started_at, recording_id > before.recording_id)
        statement = statement.where(or_(started_at < before.started_at, tied))
    statement = statement.order_by(recordings.c.started_at.desc(), recordings.c.recording_id).limit(limit)
    return [_row(row) for row in connection.execute(statement)]


def ids_of(connection: Connection, conference_ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the recordings of each conference that had any, deleted ones too, in the order they began."""
    found: dict[str, list[str]] = {}
    for some in batches(conference_ids):
        statement = select(recordings.c.conference_id, recordings.c.recording_id)
        statement = statement.where(recordings.c.conference_id.in_(some)).order_by(*_OLDEST_FIRST)
        for row in connection.execute(statement):
            found.setdefault(row.conference_id, []).append(row.recording_id)
    return found


def unfinished(connection: Connection) -> list[tuple[str, str]]:
    """Return recordings of which nobody knows yet what came of them, each with its conference; the oldest first."""
    statement = select(recordings.c.recording_id, recordings.c.conference_id)
    statement = statement.where(recordings.c.status.not_in(_FINAL)).order_by(*_OLDEST_FIRST)
    return [(row.recording_id, row.conference_id) for row in connection.execute(statement)]


def finished(connection: Connection) -> list[RecordingRow]:
    """Return recordings that are done and have files, here or elsewhere; the oldest first, without manifests."""
    return _rows(connection.execute(select(*_BUT_MANIFEST).where(_DONE).order_by(*_OLDEST_FIRST)))


def to_upload(connection: Connection) -> list[RecordingRow]:
    """Return recordings that are done and not known to have a whole copy; oldest first, without manifests."""
    statement = select(*_BUT_MANIFEST).where(_DONE, recordings.c.uploaded_at.is_(None)).order_by(*_OLDEST_FIRST)
    return _rows(connection.execute(statement))


def deleted(connection: Connection) -> list[RecordingRow]:
    """Return deleted recordings that have, or may have, a copy elsewhere; the oldest first, without manifests."""
    statement = select(*_BUT_MANIFEST).where(~_SHOWN, recordings.c.remote_url.is_not(None)).order_by(*_OLDEST_FIRST)
    return _rows(connection.execute(statement))


def mark(connection: Connection, recording_id: str, *, if_shown: bool, **values: Any) -> bool:
    """Change a row; return False if there is none, or with `if_shown` only a deleted one."""
    statement = update(recordings).where(recordings.c.recording_id == recording_id)
    if if_shown:
        statement = statement.where(_SHOWN)
    return connection.execute(statement.values(values)).rowcount == 1


def _told_of(conference: Conference, entries: Sequence[LoggedEvent]) -> list[Recording]:
    if any(isinstance(entry.event, ConferenceEnded) for entry in entries):
        return list(conference.recordings)
    events = [entry.event for entry in entries if isinstance(entry.event, RecordingEvent)]
    named = {e.plan.recording_id if isinstance(e, RecordingStarted) else e.recording_id for e in events}
    return [recording for recording in conference.recordings if recording.recording_id in named]


def _fixed(conference: Conference, recording: Recording) -> dict[str, Any]:
    return {
        "recording_id": recording.recording_id,
        "conference_id": conference.conference_id,
        "project_id": conference.project_id,
        "name": conference.name,
        "source": recording.source.value,
        "started_at": recording.started_at,
        "trim": recording.plan.trim,
        "tracks": recording.plan.tracks,
        "url": recording.plan.url,
    }


def _values(recording: Recording) -> dict[str, Any]:
    result = recording.result
    if result is None:
        stopped_at = recording.stopped_at
        duration_s = None if stopped_at is None else recording.recorded_s(stopped_at)
        known: dict[str, Any] = {"duration_s": duration_s, "byte_size": None, "reason": None}
        known |= {"recovered": False, "lost_ms": 0}
    else:
        known = _outcome(result)
    return known | {"status": recording.state.value, "stopped_at": recording.stopped_at}


def _outcome(result: RecordingResult) -> dict[str, Any]:
    known = {"duration_s": result.duration_s, "byte_size": result.byte_size, "reason": result.reason}
    return known | {"recovered": result.recovered, "lost_ms": result.lost_ms}


def _adopted(recording_id: str, content: str) -> dict[str, Any]:
    manifest = Manifest.parse(content)
    if manifest.recording_id != recording_id:
        raise ValueError(f"the manifest is of {manifest.recording_id}, not of {recording_id}")
    audio = manifest.files.audio
    return {
        "recording_id": recording_id,
        "conference_id": manifest.conference_id,
        "project_id": manifest.project_id,
        "name": manifest.name,
        "source": (RecordingSource.API if manifest.source == "api" else RecordingSource.CONFERENCE).value,
        "status": manifest.status,
        "started_at": manifest.started_at,
        "stopped_at": manifest.ended_at,
        "duration_s": manifest.duration_s,
        "byte_size": 0 if audio is None else audio.byte_size,
        "reason": manifest.reason if manifest.status != RecordingState.COMPLETED.value else None,
        "recovered": manifest.recovered,
        "lost_ms": manifest.lost_ms,
        "trim": manifest.trim.requested,
        "tracks": bool(manifest.files.tracks),
        "manifest": content,
    }


def _rows(rows: Iterable[Row[Any]]) -> list[RecordingRow]:
    return [_row(row) for row in rows]


def _row(row: Row[Any]) -> RecordingRow:
    values = dict(row._mapping)
    return RecordingRow(**values | {"status": RecordingState(row.status)})
