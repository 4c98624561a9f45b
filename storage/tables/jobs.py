"""The job queue: work that is owed, found by the time when it is due."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, SmallInteger, Table, Text, text

from storage.tables.base import Id, Word, metadata

jobs = Table(
    "jobs",
    metadata,
    Column("principal_id", Id, nullable=False, comment="sixteen zero octets: the job belongs to no principal"),
    Column("kind", Word, nullable=False),
    Column("key", Word, nullable=False, comment="idempotency key"),
    Column("job_id", Id, nullable=False, comment="what operators call it"),
    Column("payload", Text, nullable=False, comment="JSON object"),
    Column("created_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False, comment="of a claimed job: the end of its lease"),
    Column("lease", Id, comment="who runs it; NULL: nobody"),
    Column("attempts", Integer, nullable=False, comment="begun so far"),
    Column("dead", SmallInteger, nullable=False, comment="1: the last attempt failed"),
    Column("last_error", Text, nullable=False),
    PrimaryKeyConstraint("principal_id", "kind", "key", name="pk_jobs_key"),
    Index(
        "ix_jobs_key", "principal_id", "kind", "key", sqlite_where=text("dead = 1"), postgresql_where=text("dead = 1")
    ),
    Index("ix_jobs_due_at", "due_at", sqlite_where=text("dead = 0"), postgresql_where=text("dead = 0")),
    postgresql_with={"fillfactor": "70"},
)
