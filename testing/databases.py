"""Databases for tests, on SQLite and on a real PostgreSQL: which kinds run, and one that is clean for each test.

A pytest plugin (the root ``conftest.py`` loads it). The server and the schema are made once per process of the run. A
database of PostgreSQL is emptied and lent again, since making one costs ten times as much.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from storage.database import Database
from storage.tables import metadata
from testing.postgres import PostgresServer, start_postgres

DIALECTS = ("sqlite", "postgresql")

_SHAPE = """
SELECT md5(string_agg(part, ',' ORDER BY part)) FROM (
    SELECT concat(relname, relkind, relnatts) AS part FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat(proname, prosrc) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT concat(tgname, tgenabled) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT concat(conname, conrelid::regclass) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT concat(tablename, attname) FROM pg_stats WHERE schemaname = 'public'
    UNION ALL SELECT setconfig::text FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase
        WHERE datname = current_database()
) AS parts
"""
"""What a test may change besides rows, as one value: definitions, statistics, settings."""


def _migrated(url: str) -> str:
    database = Database.open(url, allow_unsafe=True, pool_size=1)
    database.migrate()
    database.close()
    return url


@cache
def _sqlite_template() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="caldav-sqlite-")
    _migrated(f"sqlite:///{folder.name}/calendars.db")
    return folder


def new_sqlite(path: Path) -> str:
    """Make a file with the newest schema and nothing in it: its address. Copying takes a tenth of migrating."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(f"{_sqlite_template().name}/calendars.db", path)
    return f"sqlite:///{path}"


class CleanDatabases:
    """Databases of one PostgreSQL with the newest schema and nothing else in them."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.template = _migrated(server.new_database())
        self._idle: list[str] = []
        with psycopg.connect(self.template) as connection:
            self._shape = connection.execute(_SHAPE).fetchone()
            self._state = connection.execute("SELECT * FROM server_state").fetchall()

    def take(self) -> str:
        """The address of a clean database."""
        return self._idle.pop() if self._idle else self.server.new_database(self.template)

    def give_back(self, url: str) -> None:
        """Empty it for the next test; one with another schema, or with rows that are locked, is dropped."""
        try:
            with psycopg.connect(url) as connection:
                connection.execute("SET lock_timeout = '1s'")
                clean = connection.execute(_SHAPE).fetchone() == self._shape
                if clean:
                    self._empty(connection)
        except psycopg.Error:
            clean = False
        if clean:
            self._idle.append(url)
        else:
            self.server.drop_database(url)

    def _empty(self, connection: psycopg.Connection) -> None:
        connection.execute("SET session_replication_role = replica")  # each table by itself, whatever refers to it
        for name in metadata.tables:
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))
        with connection.cursor() as cursor, cursor.copy("COPY server_state FROM STDIN") as copy:
            for row in self._state:
                copy.write_row(row)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which kinds of database the tests use."""
    parser.addoption("--database", choices=[*DIALECTS, "both"], default="both", help="the kind of database to test on")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of the kind that is not wanted."""
    unwanted = {*DIALECTS} - {config.getoption("--database")}
    if len(unwanted) == len(DIALECTS):
        return
    apart = [item for item in items if unwanted & _kinds(item)]
    config.hook.pytest_deselected(items=apart)
    items[:] = [item for item in items if item not in apart]


def _kinds(item: pytest.Item) -> set[str]:
    """The kinds of database that a test names: by a parameter, or by using the server."""
    spec = getattr(item, "callspec", None)
    named = {value for value in spec.params.values() if isinstance(value, str)} if spec else set()
    return named | ({"postgresql"} if "postgres" in getattr(item, "fixturenames", ()) else set())


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL without fsync: no test may kill it."""
    server = start_postgres()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def clean_databases(postgres: PostgresServer) -> CleanDatabases:
    """Databases of it with the newest schema."""
    return CleanDatabases(postgres)


@pytest.fixture(params=DIALECTS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without a schema, of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/new/calendars.db"
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.new_database()
        yield url
        server.drop_database(url)


@pytest.fixture
def postgres_url(clean_databases: CleanDatabases) -> Iterator[str]:
    """A database of PostgreSQL with the newest schema and nothing in it."""
    url = clean_databases.take()
    yield url
    clean_databases.give_back(url)


@pytest.fixture(params=DIALECTS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with the newest schema and nothing in it, of each kind."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return new_sqlite(tmp_path / "calendars.db")
