"""The tables of the journal.

A change here needs a new `SCHEMA_VERSION`, and in `migrations` a step that brings older databases up to it.
"""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)

SCHEMA_VERSION: Final = 2

metadata: Final = MetaData()

# SQLite numbers rows by a column of the type INTEGER only, and in 64 bits.
_Number: Final = BigInteger().with_variant(Integer, "sqlite")

schema: Final = Table("journal_schema", metadata, Column("version", Integer, nullable=False))

conferences: Final = Table(
    "conferences",
    metadata,
    Column("conference_id", Text, primary_key=True),
    Column("project_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("region", Text),
    Column("size", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("ended_at", Float),
    Column("reason_ended", Text),
    Column("last_sequence", Integer, nullable=False),
    Index("conferences_by_name", "name", "created_at"),
    Index("conferences_by_status", "status", "created_at"),
    Index("conferences_by_age", "created_at"),
    Index("conferences_by_project", "project_id", "created_at"),
    Index("conferences_by_end", "ended_at"),
)
"""A row for each conference, for lists: all of it follows from the events. Times are Unix seconds."""

events: Final = Table(
    "events",
    metadata,
    # The order in which events of all conferences were written: what a live reader resumes from.
    Column("position", _Number, primary_key=True, autoincrement=True),
    Column("event_id", Text, nullable=False, unique=True),
    Column("conference_id", Text, ForeignKey("conferences.conference_id"), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("domain", JSON, nullable=False),
    Column("wire", JSON, nullable=False),
    Column("project_id", Text, nullable=False, server_default=""),
    UniqueConstraint("conference_id", "sequence"),
    Index("events_by_project", "project_id", "position"),
    sqlite_autoincrement=True,
)
"""The log: `domain` is what `server.conference.codec` wrote, `wire` the EVENT as users read it."""

lanes: Final = Table(
    "lanes",
    metadata,
    Column("lane_id", _Number, primary_key=True, autoincrement=True),
    Column("conference_id", Text, ForeignKey("conferences.conference_id"), nullable=False),
    Column("project_id", Text, nullable=False),
    # The URL without its fragment.
    Column("endpoint", Text, nullable=False),
    Column("closed", Boolean, nullable=False),
    Column("gap", Boolean, nullable=False),
    UniqueConstraint("conference_id", "endpoint"),
    sqlite_autoincrement=True,
)
"""What one endpoint is told of one conference. `closed`: it wants nothing more; `gap`: it was not told everything."""

deliveries: Final = Table(
    "deliveries",
    metadata,
    # In a lane they go out in this order.
    Column("delivery_id", _Number, primary_key=True, autoincrement=True),
    Column("lane_id", _Number, nullable=False),
    Column("conference_id", Text, ForeignKey("conferences.conference_id"), nullable=False),
    Column("project_id", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("encoding", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("next_at", Float),
    Column("last_attempt_at", Float),
    Column("delivered_at", Float),
    Column("last_status", Integer),
    Column("last_error", Text),
    sqlite_autoincrement=True,
)
"""Who is told of which event, and what came of it. Times are Unix seconds.

There is no foreign key to lanes or events: each would need an index of its own only to prune them, and they are pruned
together.
"""

PENDING: Final = deliveries.c.state == literal_column("'pending'")
"""As the index on it has it: with a parameter in place of the word, SQLite would not use that index."""
UNDELIVERED: Final = deliveries.c.state != literal_column("'delivered'")
"""Likewise."""

Index(
    "deliveries_pending",
    deliveries.c.lane_id,
    deliveries.c.delivery_id,
    sqlite_where=text("state = 'pending'"),
    postgresql_where=text("state = 'pending'"),
)
Index(
    "deliveries_undelivered",
    deliveries.c.project_id,
    deliveries.c.delivery_id,
    sqlite_where=text("state <> 'delivered'"),
    postgresql_where=text("state <> 'delivered'"),
)
Index("deliveries_by_project", deliveries.c.project_id, deliveries.c.delivery_id)
Index("deliveries_by_conference", deliveries.c.conference_id, deliveries.c.delivery_id)

recordings: Final = Table(
    "recordings",
    metadata,
    Column("recording_id", Text, primary_key=True),
    Column("conference_id", Text, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("stopped_at", Float),
    Column("duration_s", Float),
    Column("byte_size", BigInteger),
    Column("reason", Text),
    Column("recovered", Boolean, nullable=False),
    Column("lost_ms", BigInteger, nullable=False),
    Column("trim", Boolean, nullable=False),
    Column("tracks", Boolean, nullable=False),
    Column("url", Text),
    Column("manifest", Text),
    Column("remote_url", Text),
    Column("uploaded_at", Float),
    Column("deleted_at", Float),
    Index("recordings_by_project", "project_id", "started_at"),
    Index("recordings_by_conference", "conference_id", "started_at"),
    Index("recordings_by_status", "status"),
    Index("recordings_by_upload", "uploaded_at"),
)
"""A row for each recording. Times are Unix seconds. There is no foreign key: a recording outlives its events."""

idempotency: Final = Table(
    "idempotency",
    metadata,
    Column("key", Text, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("body_hash", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("response_body", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Index("idempotency_by_age", "created_at"),
)
"""First answers to requests with an `Idempotency-Key`."""
