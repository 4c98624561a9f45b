"""Runs Alembic from the program, without an ini file, on one connection in one transaction."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy import Engine as SqlEngine
from sqlalchemy.pool import NullPool

_LOCK = 7_206_510_479_001
"""The advisory lock of PostgreSQL migrations; any number that all processes share."""


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration for this package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def head() -> str | None:
    """The newest revision among the scripts."""
    return ScriptDirectory.from_config(configuration()).get_current_head()


def engine(url: str) -> SqlEngine:
    """An SQLAlchemy engine for schema work, whose transactions are real ones on SQLite too."""
    if not url.startswith("sqlite"):
        import psycopg

        return create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool)
    made = create_engine(
        "sqlite:///" + unquote(url.removeprefix("sqlite:///")), poolclass=NullPool, connect_args={"timeout": 60}
    )

    @event.listens_for(made, "connect")
    def _manual(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(made, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return made


def upgrade(url: str) -> None:
    """Run every missing migration under a lock that all processes share."""
    made = engine(url)
    with made.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        command.upgrade(configuration(connection), "head")
    made.dispose()
