"""The tables of the journal.

A change here needs a new `SCHEMA_VERSION`, and in `database` a step that brings older files up to it.
"""

from typing import Final

from sqlalchemy import (
    JSON,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_VERSION: Final = 1

metadata: Final = MetaData()

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
)
"""A row for each conference, for lists: all of it follows from the events. Times are Unix seconds."""

events: Final = Table(
    "events",
    metadata,
    # The order in which events of all conferences were written: what a live reader resumes from.
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("event_id", Text, nullable=False, unique=True),
    Column("conference_id", Text, ForeignKey("conferences.conference_id"), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("domain", JSON, nullable=False),
    Column("wire", JSON, nullable=False),
    UniqueConstraint("conference_id", "sequence"),
    sqlite_autoincrement=True,
)
"""The log: `domain` is what `server.conference.codec` wrote, `wire` the EVENT as users read it."""

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
