"""Opening the database that the settings name; apart, so that a command need not load the server for it."""

from __future__ import annotations

import stat
from pathlib import Path

from caldav_server.settings import Settings
from storage.database import Database


def open_database(settings: Settings) -> Database:
    """The database of the settings; for SQLite its folder is made when it is not there."""
    url = settings.database.url
    if url.startswith("sqlite:///"):
        folder = Path(url.removeprefix("sqlite:///")).parent
        folder.mkdir(parents=True, exist_ok=True, mode=stat.S_IRWXU)
    return Database.open(url, pool_size=settings.database.pool_size, busy_timeout=settings.database.busy_seconds)
