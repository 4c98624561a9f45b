"""Migrations (Alembic), each one accepted by SQLite, PostgreSQL and Citus: expand, backfill, contract.

Rules of this package: a migration is frozen once released and does not import ``storage.tables``. One upgrade is one
transaction on both databases: killed half way, nothing has happened and the next start does it again.
"""

from __future__ import annotations

HEAD = "0002"
"""The newest revision; a test holds it against the scripts."""


def upgrade(url: str) -> None:
    """Run every missing migration in one transaction, alone: a second process waits and finds nothing to do."""
    from storage.migrations import runner

    runner.upgrade(url)
