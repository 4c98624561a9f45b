"""Scenario: a thousand calendars of a thousand objects in one PostgreSQL: does each still cost what a single one does?

One calendar is filled through the server; the others are copies of its rows, made by the database.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import psycopg
from psycopg import sql

from conformance_tests.bench import campaign, measure, servers
from conformance_tests.bench.campaign import Progress
from conformance_tests.bench.data import Samples
from conformance_tests.bench.measure import Effort
from conformance_tests.bench.operations import OPERATIONS, Place, Windows

CALENDARS, SIZE = 1000, 1000
EFFORT = Effort(0.4, 20)


def _copy(database: psycopg.Connection, table: str, column: str, numbers: tuple[int, int]) -> None:
    query = "SELECT column_name FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position"
    columns = [row[0] for row in database.execute(query, (table,))]
    new_id = sql.SQL("decode(md5('calendar ' || n), 'hex')")
    chosen = []
    for name in columns:
        plain = sql.SQL("o.{}").format(sql.Identifier(name))
        is_name = table == "calendars" and name == "name"
        chosen.append(new_id if name == column else sql.SQL("o.name || '-' || n") if is_name else plain)
    statement = sql.SQL(
        "INSERT INTO {table} ({columns}) SELECT {chosen} FROM {table} o, generate_series({first}, {last}) n "
        "WHERE o.{column} = (SELECT calendar_id FROM calendars WHERE name = {model})"
    )
    database.execute(
        statement.format(
            table=sql.Identifier(table),
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
            chosen=sql.SQL(", ").join(chosen),
            first=sql.Literal(numbers[0]),
            last=sql.Literal(numbers[1]),
            column=sql.Identifier(column),
            model=sql.Literal(f"bench{SIZE}"),
        )
    )


def multiply(url: str, progress: Progress) -> None:
    """Copy the model calendar until there are ``CALENDARS``."""
    tables = ("calendars", "objects", "occurrences")
    step = 50
    with psycopg.connect(url, autocommit=True) as database:
        for first in range(2, CALENDARS + 1, step):
            for table in tables:
                _copy(database, table, "calendar_id", (first, min(first + step - 1, CALENDARS)))
            progress(f"{min(first + step - 1, CALENDARS):,} of {CALENDARS:,} calendars")
        database.execute("VACUUM ANALYZE")


def _costs(place: Place) -> tuple[dict[str, float], dict[str, int]]:
    costs: dict[str, float] = {}
    wrong: dict[str, int] = {}
    for operation, make in OPERATIONS.items():
        cell = measure.run(place.server, place.connection, make(place), EFFORT)
        costs[operation] = 1000 * cell.cpu / cell.requests
        wrong |= {f"{operation}: {what}": times for what, times in cell.wrong.items()}
    return costs, wrong


def run(folder: Path, _databases: tuple[str, ...], progress: Progress) -> list[str]:
    """The twelve operations with one calendar, then with a thousand, on the same server."""
    samples = Samples(SIZE, "many")
    windows = Windows.of(samples)
    with ExitStack() as stack:
        server = servers.start_postgresql(folder / "postgresql")
        stack.callback(server.stop)
        alone = campaign.fill(server, samples, windows, progress)
        multiply_after, wrong_alone = _costs(alone)
        for name in list(alone.revisions):  # as it was filled, so that the copies hold what is expected of them
            alone.revisions.pop(name)
            alone.ask("PUT", alone.path + name, samples.by_name[name].text(), Content_Type="text/calendar")
        multiply(server.database, progress)
        path = f"{alone.path.rstrip('/')}-{CALENDARS // 2}/"
        among = Place(server, path, samples, windows, server.address.connect())
        costs, wrong = _costs(among)
    lines = [f"PostgreSQL, {CALENDARS:,} calendars of {SIZE:,} objects; CPU ms with one calendar, among all, ratio"]
    for operation, before in multiply_after.items():
        ratio = costs[operation] / before
        lines.append(f"  {operation:<17} {before:8.3f} {costs[operation]:8.3f} {ratio:6.2f}")
    return [*lines, *(f"  WRONG {what} x{times}" for what, times in {**wrong_alone, **wrong}.items())]
