"""Jobs, the ages that pruning goes by, and inboxes that hold many messages of one UID.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.LargeBinary(16)
WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """From the revision before to this one."""
    _jobs()
    _ages()
    _inboxes()


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("principal_id", ID, nullable=False, comment="sixteen zero octets: the job belongs to no principal"),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("key", WORD, nullable=False, comment="idempotency key"),
        sa.Column("job_id", ID, nullable=False, comment="what operators call it"),
        sa.Column("payload", sa.Text(), nullable=False, comment="JSON object"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False, comment="of a claimed job: the end of its lease"),
        sa.Column("lease", ID, comment="who runs it; NULL: nobody"),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="begun so far"),
        sa.Column("dead", sa.SmallInteger(), nullable=False, comment="1: the last attempt failed"),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("principal_id", "kind", "key", name="pk_jobs_key"),
        postgresql_with={"fillfactor": "70"},
    )
    dead = sa.text("dead = 1")
    op.create_index("ix_jobs_key", "jobs", ["principal_id", "kind", "key"], sqlite_where=dead, postgresql_where=dead)
    waiting = sa.text("dead = 0")
    op.create_index("ix_jobs_due_at", "jobs", ["due_at"], sqlite_where=waiting, postgresql_where=waiting)


def _ages() -> None:
    """Pruning needs the age of tombstones and of previous texts. What was removed before counts from now."""
    op.add_column("calendars", sa.Column("removed_at", sa.BigInteger(), comment="when it became a tombstone"))
    calendars = sa.table("calendars", sa.column("removed"), sa.column("home_seq"), sa.column("removed_at"))
    removed = sa.and_(calendars.c.removed == 1, calendars.c.home_seq > 0)  # 0: a copy that is not finished
    op.execute(calendars.update().where(removed).values(removed_at=int(time.time())))
    op.add_column(
        "principals",
        sa.Column(
            "min_valid_home_seq",
            sa.BigInteger(),
            nullable=False,
            server_default=sa.text("0"),
            comment="older sync tokens of the home are not valid",
        ),
    )
    op.create_index("ix_versions_replaced_at", "versions", ["principal_id", "replaced_at"])


def _inboxes() -> None:
    op.add_column(
        "objects",
        sa.Column(
            "inbox",
            sa.SmallInteger(),
            nullable=False,
            server_default=sa.text("0"),
            comment="1: a message of a scheduling inbox, where many may have one UID",
        ),
    )
    op.drop_index("uq_objects_uid", table_name="objects")
    where = sa.text("deleted = 0 AND inbox = 0")
    columns = ["principal_id", "calendar_id", "uid"]
    op.create_index("uq_objects_uid", "objects", columns, unique=True, sqlite_where=where, postgresql_where=where)
