"""Listings pass tombstones by, and PostgreSQL plans for the largest calendar.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From the revision before to this one."""
    op.drop_index("ix_objects_seq", table_name="objects")
    for name, deleted in (("ix_objects_live", 0), ("ix_objects_dead", 1)):
        where = sa.text(f"deleted = {deleted}")
        columns = ["principal_id", "calendar_id", "seq", "name", "etag", "component", "deleted"]
        op.create_index(name, "objects", columns, sqlite_where=where, postgresql_where=where)
    if op.get_bind().dialect.name == "postgresql":
        _plan_for_the_largest()


def _plan_for_the_largest() -> None:
    """Say that a calendar's id narrows nothing, so that only whole keys and ranges of an index are worth anything.

    Among thousands of small calendars the average one has a few rows, and for a few rows any index that begins with
    the calendar will do: a look-up by id or a week was planned as a reading of the whole calendar, whatever its size.
    """
    for table in ("objects", "occurrences", "versions"):
        op.execute(f"ALTER TABLE {table} ALTER COLUMN calendar_id SET (n_distinct = 1)")
    for table in ("calendars", "dead_properties"):
        op.execute(f"ALTER TABLE {table} ALTER COLUMN principal_id SET (n_distinct = 1)")
    op.execute("ANALYZE calendars, dead_properties, objects, occurrences, versions")
