"""No statement of the storage reads more of a tenant table than an index gives it, on either database."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sqlite3
from collections.abc import Iterator

import psycopg
import pytest

import storage
from storage.database import Database, Statement
from storage.database.postgres.engine import SETTINGS
from storage.tables import DIRECTORY
from testing.samples import add, home, new_object

WHOLE_TABLE = {"list of all principals", "search", "keyed by the accounts version", "every"}
"""Words of ``across`` for statements that mean to read a whole directory."""


def statements() -> Iterator[tuple[str, Statement]]:
    for module in pkgutil.iter_modules(storage.__path__):
        if module.ispkg or module.name == "testing":
            continue
        loaded = importlib.import_module(f"storage.{module.name}")
        for name, value in vars(loaded).items():
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, Statement):
                    yield f"{module.name}.{name}", one


def meant_to_scan(statement: Statement) -> bool:
    return statement.across is not None and any(word in statement.across for word in WHOLE_TABLE)


def sqlite_text(statement: Statement) -> str:
    text = statement.for_sqlite()
    return statement.for_list(4)[0] if statement.list_name else text


def test_there_are_statements() -> None:
    assert len(list(statements())) > 60


@pytest.fixture
async def filled(db: Database) -> Database:
    pid, cid = await home(db)
    for n in range(70):
        await db.write(lambda tx, n=n: add(tx, pid, cid, new_object(f"{n}.ics")))
    return db


async def test_every_statement_uses_an_index(filled: Database) -> None:
    scans = []
    if filled.dialect == "sqlite":
        connection = sqlite3.connect(filled.url.removeprefix("sqlite:///"))
        for name, statement in statements():
            text = sqlite_text(statement)
            params = dict.fromkeys(re.findall(r":(\w+)", text))
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", params)]
            scans += [(name, step) for step in plan if re.match(r"SCAN (?!CONSTANT)", step)]
        connection.close()
        allowed = {name for name, statement in statements() if meant_to_scan(statement)}
        tables = DIRECTORY | {"first_rows", "sized", "(subquery-2)", "(subquery-3)", "(subquery-4)"}
        assert [one for one in scans if one[0] not in allowed and one[1].split()[1] not in tables] == []
    else:
        with psycopg.connect(filled.url, autocommit=True, options=OPTIONS) as connection:
            connection.execute("ANALYZE")
            for name, statement in statements():
                text = statement.for_postgres().text
                if not text.startswith("INSERT"):
                    plan = connection.execute(f"EXPLAIN (GENERIC_PLAN) {text}".encode()).fetchall()
                    scans += [(name, row[0]) for row in plan if "Seq Scan" in row[0]]
        allowed = {name for name, statement in statements() if meant_to_scan(statement)}
        assert [one for one in scans if one[0] not in allowed and not any(t in one[1] for t in DIRECTORY)] == []


OPTIONS = SETTINGS.format(lock=60_000, statement=60_000)
BY_TIME = r"(?s)\A(?!.*ix_occurrences).*(pk_occurrences_busy|PRIMARY KEY)"
"""All four buckets by the key that begins with the time, none by object."""

BOTH_OF_VERSIONS = r"(?s)\A(?=.*ix_versions_replaced_at)(?=.*(versions_seq|autoindex_versions_1))"
"""The oldest by the time, each of them by its key."""

HOT = [
    ("objects", "_FIND", "uq_objects_name"),
    ("objects", "_FETCH", "uq_objects_name"),
    ("objects", "_FIND_UID", "uq_objects_uid"),
    ("objects", "_GET", "objects_object_id|sqlite_autoindex_objects_1"),
    ("objects", "_FETCH_IDS", "objects_object_id|sqlite_autoindex_objects_1"),
    ("objects", "_UPDATE", "objects_object_id|sqlite_autoindex_objects_1"),
    ("objects", "_ETAGS", "(COVERING INDEX|Index Only Scan using) ix_objects_live"),
    (
        "changes",
        "_SINCE",
        "(?s)(COVERING INDEX|Only Scan using) ix_objects_live.*(COVERING INDEX|Only Scan using) ix_objects_dead",
    ),
    ("occurrences", "_CANDIDATES", BY_TIME),
    ("occurrences", "_CANDIDATES_ONCE", BY_TIME),
    ("occurrences", "_BUSY", BY_TIME),
    ("occurrences", "_BEYOND", "ix_objects_indexed_until"),
    ("occurrences", "_DROP", "ix_occurrences_object_id"),
    ("lookups", "_OBJECT", "uq_objects_name"),
    ("members", "_BY_UID", "uq_objects_uid"),
    ("versions", "_KEEP", "objects_object_id|sqlite_autoindex_objects_1"),
    ("jobs", "_DUE", "ix_jobs_due_at"),
    ("jobs", "_WAITING", "ix_jobs_due_at"),
    ("jobs", "_DEAD", "ix_jobs_key"),
    ("jobs", "_CLAIM", "jobs_key|sqlite_autoindex_jobs_1"),
    ("pruning", "_VERSIONS", BOTH_OF_VERSIONS),
    ("pruning", "_ANY_VERSION", "ix_versions_replaced_at"),
    ("pruning", "_OLDEST_TOMBSTONES", "ix_objects_dead"),
    ("pruning", "_WITH_TOMBSTONES", "ix_objects_dead"),
    ("pruning", "_DELETE_TOMBSTONES", "ix_objects_dead"),
    ("properties", "_OF_MANY", "dead_properties_name|sqlite_autoindex_dead_properties_1"),
]
"""Statements that must find their rows by the whole key, or by a range, of this index."""


NEXT_SEQ = ("calendars", "_NEXT_SEQ", "calendars_calendar_id")


@pytest.mark.parametrize(("module", "name", "index"), HOT)
async def test_the_hot_ones_use_the_right_index(filled: Database, module: str, name: str, index: str) -> None:
    statement: Statement = vars(importlib.import_module(f"storage.{module}"))[name]
    if filled.dialect == "sqlite":
        connection = sqlite3.connect(filled.url.removeprefix("sqlite:///"))
        text = sqlite_text(statement)
        params = dict.fromkeys(re.findall(r":(\w+)", text))
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", params)]
        connection.close()
    else:
        with psycopg.connect(filled.url, autocommit=True, options=OPTIONS) as connection:
            connection.execute("ANALYZE")
            connection.execute("VACUUM objects, occurrences")
            text = statement.for_postgres().text
            plan = [row[0] for row in connection.execute(f"EXPLAIN (GENERIC_PLAN) {text}".encode()).fetchall()]
    assert re.search(index, "\n".join(plan)), plan


async def test_plans_made_when_nearly_everything_is_gone_are_good_ones(filled: Database) -> None:
    """PostgreSQL keeps a plan for long: one made over a few rows must not scan when there are many."""
    if filled.dialect == "sqlite":
        return  # chooses by the shape of the statement alone
    wrong = []
    with psycopg.connect(filled.url, autocommit=True, options=OPTIONS) as connection:
        connection.execute("UPDATE objects SET deleted = 1, etag = NULL, data = NULL")
        connection.execute("VACUUM ANALYZE")
        for name, statement in statements():
            text = statement.for_postgres().text
            module = name.split(".")[0]
            if text.startswith("INSERT INTO") and "SELECT" not in text:
                continue
            plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN (GENERIC_PLAN) {text}".encode()))
            if "uq_objects_uid" in plan and "deleted = 0" not in text:
                wrong.append((name, plan))
            if module == "lookups" and "Join Filter" in plan:
                wrong.append((name, plan))
    assert wrong == []


_MANY_SMALL = """
INSERT INTO principals SELECT decode(md5('p' || i), 'hex'), 'user', 'p' || i, '', '', 'UTC', 0, NULL, 1, '', ''
    FROM generate_series(1, 400) i;
INSERT INTO calendars (principal_id, calendar_id, name, removed, home_seq, seq, min_valid_seq, members, size, kind,
                       components, transparent, created_at)
    SELECT decode(md5('p' || i), 'hex'), decode(md5('c' || i), 'hex'), 'c', 0, 1, 4, 0, 4, 0, 'calendar', 2, 0, 0
    FROM generate_series(1, 400) i;
INSERT INTO objects
    SELECT decode(md5('p' || c), 'hex'), decode(md5('c' || c), 'hex'), decode(md5(c || '-' || n), 'hex'), n, 'n' || n,
           'e', 0, 1, 'u' || n, 9, NULL, 0, 0, 1000 * n, 1000 * n + 60, 9007199254740992, 0, NULL, 1, '', 'data'
    FROM generate_series(1, 400) c, generate_series(1, CASE WHEN c = 1 THEN 4000 ELSE 4 END) n;
INSERT INTO occurrences SELECT principal_id, calendar_id, 0, first_start, last_end, object_id, 1, 1 FROM objects;
VACUUM ANALYZE
"""


async def test_among_many_small_calendars_a_large_one_is_planned_for(filled: Database) -> None:
    """What PostgreSQL takes for the usual calendar has a few rows; plans for it must be good for thousands."""
    if filled.dialect == "sqlite":
        return  # chooses by the shape of the statement alone
    wrong = []
    with psycopg.connect(filled.url, autocommit=True, options=OPTIONS) as connection:
        for command in _MANY_SMALL.split(";"):
            connection.execute(command.encode())
        for module, name, index in (*HOT, NEXT_SEQ):
            text = vars(importlib.import_module(f"storage.{module}"))[name].for_postgres().text
            plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN (GENERIC_PLAN) {text}".encode()))
            if not re.search(index, plan):
                wrong.append((name, plan))
    assert wrong == []


_MANY_OF_ONE = """
INSERT INTO occurrences
    SELECT decode(md5('p'), 'hex'), decode(md5('c' || c), 'hex'), 0, 1600000000 + 3600 * n, 1600003600 + 3600 * n,
           decode(md5(n % 300 || '-' || c), 'hex'), 1, 1
    FROM generate_series(1, 30) c, generate_series(1, 6000) n;
VACUUM ANALYZE
"""


async def test_many_calendars_are_read_by_time(filled: Database) -> None:
    """A range with one end alone counts as a third of the table: then a narrower index looked better than the key."""
    if filled.dialect == "sqlite":
        return  # chooses by the shape of the statement alone
    with psycopg.connect(filled.url, autocommit=True, options=OPTIONS) as connection:
        for command in _MANY_OF_ONE.split(";"):
            connection.execute(command.encode())
        for name in ("_CANDIDATES", "_CANDIDATES_ONCE", "_BUSY"):
            text = vars(importlib.import_module("storage.occurrences"))[name].for_postgres().text
            plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN (GENERIC_PLAN) {text}".encode()))
            assert re.search(BY_TIME, plan), plan
