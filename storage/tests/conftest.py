"""Every storage test runs on SQLite and on a real PostgreSQL; each test has a clean database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from storage.database import Database


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    """The database, open."""
    database = Database.open(url, allow_unsafe=True, busy_timeout=5)
    yield database
    database.close()
