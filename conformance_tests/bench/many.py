"""Scenario: a thousand calendars of a thousand objects in one PostgreSQL: does each still cost what a single one does?

One calendar is filled through each of two servers; of one of them it is copied a thousand times by the database. Then
both take turns: a machine may be faster in one minute than in the next.
"""

from __future__ import annotations

import statistics
from collections import Counter
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
TURNS = 5


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
            with database.transaction():  # the server must not find objects without their occurrences, and index them
                for table in tables:
                    _copy(database, table, "calendar_id", (first, min(first + step - 1, CALENDARS)))
            progress(f"{min(first + step - 1, CALENDARS):,} of {CALENDARS:,} calendars")
        database.execute("VACUUM ANALYZE")


def _cost(place: Place, operation: str, wrong: Counter[str]) -> float:
    cell = measure.run(place.server, place.connection, OPERATIONS[operation](place), EFFORT)
    for what, times in cell.wrong.items():
        wrong[f"{operation}: {what}"] += times
    return 1000 * cell.cpu / cell.requests


def run(folder: Path, _databases: tuple[str, ...], progress: Progress) -> list[str]:
    """The twelve operations on the one calendar of a server and on one among a thousand."""
    samples = Samples(SIZE, "many")
    windows = Windows.of(samples)
    wrong: Counter[str] = Counter()
    turns: dict[str, list[tuple[float, float]]] = {operation: [] for operation in OPERATIONS}
    with ExitStack() as stack:
        places = []
        for name in ("alone", "among"):
            server = servers.start_postgresql(folder / name)
            stack.callback(server.stop)
            places.append(campaign.fill(server, samples, windows, progress))
        alone, model = places
        multiply(model.server.database, progress)
        path = f"{model.path.rstrip('/')}-{CALENDARS // 2}/"
        among = Place(model.server, path, samples, windows, model.server.address.connect())
        for number in range(TURNS):
            for operation, found in turns.items():
                found.append((_cost(alone, operation, wrong), _cost(among, operation, wrong)))
            progress(f"turn {number + 1} of {TURNS}")
    lines = [f"PostgreSQL, {CALENDARS:,} calendars of {SIZE:,} objects; CPU ms with one calendar, among all, ratio"]
    for operation, found in turns.items():
        before, after = (statistics.median(costs) for costs in zip(*found, strict=True))
        ratio = statistics.median(one / other for other, one in found)
        lines.append(f"  {operation:<17} {before:8.3f} {after:8.3f} {ratio:6.2f}")
    return [*lines, *(f"  WRONG {what} x{times}" for what, times in wrong.items())]
