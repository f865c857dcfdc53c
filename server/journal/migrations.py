"""The steps that bring databases of older versions up to this one's schema.

A step is written once and never again: it says in SQL what that version had, whatever `tables` says today. All steps a
database needs are one transaction, so one that was interrupted has not happened.
"""

from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import Connection, update

from server.journal.tables import SCHEMA_VERSION, schema


def migrate(connection: Connection, version: int) -> None:
    """Bring the tables of `version` up to `SCHEMA_VERSION`, and say so in them."""
    for older in range(version, SCHEMA_VERSION):
        STEPS[older](connection)
    connection.execute(update(schema).values(version=SCHEMA_VERSION))


def _add_outbox(connection: Connection) -> None:
    """1 to 2: deliveries and their lanes, the project of each event, conferences by when they ended, recordings."""
    for statement in _OUTBOX.split(";"):
        connection.exec_driver_sql(statement)


# Version 1 was SQLite's only.
_OUTBOX: Final = """
CREATE INDEX conferences_by_end ON conferences (ended_at);
ALTER TABLE events ADD COLUMN project_id TEXT DEFAULT '' NOT NULL;
UPDATE events SET project_id =
    (SELECT project_id FROM conferences WHERE conferences.conference_id = events.conference_id);
CREATE INDEX events_by_project ON events (project_id, position);
CREATE TABLE lanes (
    lane_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    conference_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    closed BOOLEAN NOT NULL,
    gap BOOLEAN NOT NULL,
    UNIQUE (conference_id, endpoint),
    FOREIGN KEY(conference_id) REFERENCES conferences (conference_id)
);
CREATE TABLE deliveries (
    delivery_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    lane_id INTEGER NOT NULL,
    conference_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    status TEXT NOT NULL,
    kind TEXT NOT NULL,
    url TEXT NOT NULL,
    method TEXT NOT NULL,
    encoding TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    created_at FLOAT NOT NULL,
    next_at FLOAT,
    last_attempt_at FLOAT,
    delivered_at FLOAT,
    last_status INTEGER,
    last_error TEXT,
    FOREIGN KEY(conference_id) REFERENCES conferences (conference_id)
);
CREATE INDEX deliveries_pending ON deliveries (lane_id, delivery_id) WHERE state = 'pending';
CREATE INDEX deliveries_undelivered ON deliveries (project_id, delivery_id) WHERE state <> 'delivered';
CREATE INDEX deliveries_by_project ON deliveries (project_id, delivery_id);
CREATE INDEX deliveries_by_conference ON deliveries (conference_id, delivery_id);
CREATE TABLE recordings (
    recording_id TEXT NOT NULL,
    conference_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    status TEXT NOT NULL,
    started_at FLOAT NOT NULL,
    stopped_at FLOAT,
    duration_s FLOAT,
    byte_size BIGINT,
    reason TEXT,
    recovered BOOLEAN NOT NULL,
    lost_ms BIGINT NOT NULL,
    trim BOOLEAN NOT NULL,
    tracks BOOLEAN NOT NULL,
    url TEXT,
    manifest TEXT,
    remote_url TEXT,
    uploaded_at FLOAT,
    deleted_at FLOAT,
    PRIMARY KEY (recording_id)
);
CREATE INDEX recordings_by_project ON recordings (project_id, started_at);
CREATE INDEX recordings_by_conference ON recordings (conference_id, started_at);
CREATE INDEX recordings_by_status ON recordings (status);
CREATE INDEX recordings_by_upload ON recordings (uploaded_at)
"""

STEPS: Final[Mapping[int, Callable[[Connection], None]]] = {1: _add_outbox}
"""By the version that a step begins from."""
