"""Migrations (Alembic), each one accepted by SQLite, PostgreSQL and Citus: expand, backfill, contract.

Rules of this package: a released migration never changes, so it does not import ``storage.tables``. One upgrade is one
transaction on both databases: if it is killed, nothing has changed and the next start runs it again.
"""

from __future__ import annotations

HEAD = "0003"
"""The newest revision; a test compares it with the scripts."""


def upgrade(url: str) -> None:
    """Run every missing migration in one transaction; a second process waits and finds nothing to do."""
    from storage.migrations import runner

    runner.upgrade(url)
