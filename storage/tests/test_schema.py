"""The schema as the databases themselves describe it, and the migrations that make it."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from storage import migrations
from storage.database import Database, Statement
from storage.migrations import citus, runner
from storage.tables import BY_TIME, DIRECTORY, OWNERS, TENANT, Id, metadata
from testing.statements import crosses_principals

Keys = list[tuple[str, str, list[str]]]
"""``(table, key, columns)``"""


def sqlite_keys(url: str) -> Keys:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    keys: Keys = []
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        keys.append((table, "primary key", [c[1] for c in sorted(columns, key=lambda c: c[5]) if c[5]]))
        for index in connection.execute(f"PRAGMA index_list({table})").fetchall():
            columns = connection.execute(f"PRAGMA index_info({index[1]})").fetchall()
            keys.append((table, index[1], [c[2] for c in columns]))
        references: dict[int, list[tuple[str, str]]] = {}
        for row in connection.execute(f"PRAGMA foreign_key_list({table})").fetchall():
            references.setdefault(row[0], []).append((row[3], row[4]))
        for number, pairs in references.items():
            keys.append((table, f"foreign key {number}", [own for own, _ in pairs]))
            keys.append((table, f"foreign key {number} target", [other for _, other in pairs]))
    connection.close()
    return keys


def postgres_keys(url: str) -> Keys:
    with psycopg.connect(url) as connection:
        indexes = connection.execute(
            "SELECT t.relname, i.relname, array_agg(a.attname::text ORDER BY k.n) FROM pg_index x"
            " JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid"
            " JOIN pg_namespace s ON s.oid = t.relnamespace AND s.nspname = 'public'"
            " CROSS JOIN unnest(x.indkey) WITH ORDINALITY AS k(attnum, n)"
            " JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum GROUP BY 1, 2"
        ).fetchall()
        references = connection.execute(
            "SELECT t.relname, c.conname, array_agg(a.attname::text ORDER BY k.n) FROM pg_constraint c"
            " JOIN pg_class t ON t.oid = c.conrelid CROSS JOIN unnest(c.conkey) WITH ORDINALITY AS k(attnum, n)"
            " JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum WHERE c.contype = 'f' GROUP BY 1, 2"
        ).fetchall()
    return [(row[0], row[1], row[2]) for row in indexes + references]


def test_every_key_of_a_tenant_table_begins_with_the_principal(url: str) -> None:
    keys = sqlite_keys(url) if url.startswith("sqlite") else postgres_keys(url)
    tenant = [key for key in keys if key[0] in TENANT and key[1] not in BY_TIME]
    assert {table for table, _, _ in tenant} == TENANT
    assert len(tenant) >= 18
    wrong = [key for key in tenant if key[2][0] != "principal_id"]
    assert not wrong


def test_the_migrations_make_the_schema_of_tables(url: str) -> None:
    made = runner.engine(url)
    with made.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    made.dispose()


def test_head_is_the_newest_script() -> None:
    assert runner.head() == migrations.HEAD


def test_migrating_again_is_quick(url: str) -> None:
    db = Database.open(url, allow_unsafe=True, pool_size=1)
    best = 1.0
    for _ in range(5):
        start = time.process_time()  # not the wall: the machine may be busy
        db.migrate()
        best = min(best, time.process_time() - start)
    db.close()
    assert best < 0.03


_MIGRATE = (
    "import sys; from storage.database import Database as D; d = D.open(sys.argv[1], allow_unsafe=True); d.migrate()"
)


@pytest.mark.slow
def test_several_processes_may_migrate_at_once(empty_url: str) -> None:
    started = [subprocess.Popen([sys.executable, "-c", _MIGRATE, empty_url]) for _ in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    check_whole(empty_url)


_MIGRATE_SLOWLY = """
import sys, time
from alembic import op
from storage.migrations import runner
create = op.create_table
def slowly(name, *args, **kw):
    create(name, *args, **kw)
    print(name, flush=True)
    time.sleep(0.02)
op.create_table = slowly
runner.upgrade(sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.parametrize("tables", [1, 6, 11])
def test_killed_half_way_the_next_start_does_it_again(empty_url: str, tables: int) -> None:
    Database.open(empty_url, allow_unsafe=True).close()
    process = subprocess.Popen([sys.executable, "-c", _MIGRATE_SLOWLY, empty_url], stdout=subprocess.PIPE)
    assert process.stdout is not None
    for _ in range(tables):
        assert process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    process.stdout.close()
    db = Database.open(empty_url, allow_unsafe=True)
    db.migrate()
    db.close()
    check_whole(empty_url)


def check_whole(url: str) -> None:
    made = runner.engine(url)
    with made.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        rows = connection.exec_driver_sql("SELECT key FROM server_state ORDER BY key").fetchall()
        assert [row[0] for row in rows] == ["accounts_version", "epoch"]
    made.dispose()


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("SELECT objects.name FROM objects WHERE objects.name = :n", ["objects"]),
        ("SELECT objects.name FROM objects WHERE objects.principal_id = :pid", []),
        ("SELECT objects.name FROM objects WHERE objects.principal_id = ANY($1)", []),
        ("SELECT objects.name FROM objects WHERE objects.principal_id > :pid", ["objects"]),
        ("DELETE FROM calendars", ["calendars"]),
        ("INSERT INTO versions (principal_id, seq) SELECT objects.seq FROM objects", ["objects"]),
        ("SELECT 1 FROM objects WHERE objects.principal_id = :p UNION ALL SELECT 1 FROM objects", ["objects"]),
        ("SELECT memberships.member_id FROM memberships", []),
    ],
)
def test_the_recorder_sees_a_missing_predicate(text: str, tables: list[str]) -> None:
    from sqlalchemy import text as sql_text

    assert crosses_principals(Statement(sql_text(text)), text) == tables
    assert crosses_principals(Statement(sql_text(text), across="a reason"), text) == []


def test_test_addresses_have_a_scheme(url: str) -> None:
    assert urlsplit(url).scheme in {"sqlite", "postgresql"}


def test_indexes_by_time_are_not_unique() -> None:
    named = [index for table in metadata.tables.values() for index in table.indexes if index.name in BY_TIME]
    assert len(named) == len(BY_TIME)
    assert not any(index.unique for index in named)


def test_every_table_is_in_the_list_for_citus() -> None:
    listing = (Path(migrations.__file__).parent / "distribute.sql").read_text()
    assert listing == citus.script()
    assert set(re.findall(r"create_distributed_table\('(\w+)'", listing)) == TENANT
    assert set(re.findall(r"create_reference_table\('(\w+)'", listing)) == DIRECTORY
    assert listing.index("'principals'") < listing.index("colocate_with")


OTHER_IDS = {"calendar_id", "object_id", "credential_id", "resource_id", "job_id", "lease", "author_id"}
"""Columns with an id that is not of the owner of the row."""


def test_every_id_column_is_known_as_an_owner_or_as_something_else() -> None:
    ids = {column.name for table in metadata.tables.values() for column in table.columns if column.type is Id}
    assert ids == OWNERS | OTHER_IDS
    assert not OWNERS & OTHER_IDS
