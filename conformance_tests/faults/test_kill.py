"""F1: kill -9 of the whole server under load: what was acknowledged is there, nothing is there by half."""

import random
import threading
import time
from typing import Any

import pytest

from conformance_tests.client import Calendar
from conformance_tests.faults.workload import Mirror, Writer, new_calendar, run_all
from conformance_tests.pace import allowed
from conformance_tests.server import ServerProcess

WRITERS = 6


def check(calendar: Calendar, writers: list[Writer], mirror: Mirror) -> None:
    """The server's state is what the ledgers allow; the token from before the kill still works; all views agree."""
    listing = calendar.etags()
    for writer in writers:
        names = set(writer.ledger.state) | set(writer.ledger.open)
        for name in names:
            seen = calendar.get(name)
            body = seen.body if seen.status == 200 else None
            assert seen.status in {200, 404}
            assert writer.ledger.allows(name, body), f"{name}: acknowledged write lost or half there"
            assert (name in listing) == (body is not None)
            writer.ledger.state[name] = body
        writer.ledger.open.clear()
    mirror.pull()
    assert mirror.state == listing
    assert calendar.sync().changed == listing
    assert calendar.query('<C:comp-filter name="VCALENDAR"/>').names == set(listing)


def rounds(server: ServerProcess, count: int, postgres: Any, seed: int = 1) -> int:
    """Kill and restart the server under load this many times; the number of acknowledged writes.

    Every second time PostgreSQL is killed too, when that is the database (``postgres``; ``None`` on SQLite).
    """
    chance = random.Random(seed)
    calendar = new_calendar(server)
    mirror = Mirror(calendar, limit=7)
    mirror.pull()
    states: list[dict[str, bytes | None]] = [{} for _ in range(WRITERS)]
    acknowledged = 0

    def strike(turn: int) -> None:
        server.kill()
        if postgres is not None and turn % 2:
            postgres.kill()

    for turn in range(count):
        stop = threading.Event()
        writers = [Writer(server.client(), calendar.href, number, stop) for number in range(WRITERS)]
        for writer, state in zip(writers, states, strict=True):
            writer.ledger.state = state
        timer = threading.Timer(chance.uniform(0.15, 0.8), strike, (turn,))
        timer.start()
        run_all(writers)
        timer.join()
        stop.set()
        if postgres is not None and turn % 2:
            postgres.start()
        assert server.start() < allowed(10), "ready within ten seconds"
        calendar.client.close()
        check(calendar, writers, mirror)
        acknowledged += sum(writer.ledger.acknowledged for writer in writers)
    return acknowledged


def postgres_of(request: pytest.FixtureRequest, database: str) -> Any:
    return request.getfixturevalue("postgres") if database == "postgresql" else None


def integrity(server: ServerProcess, database: str) -> None:
    """The database file itself is whole."""
    if database == "sqlite":
        import sqlite3

        with sqlite3.connect(server.database.removeprefix("sqlite:///")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_killed_under_load(own_server, database: str, request: pytest.FixtureRequest) -> None:
    """F1: after kill -9 under load every acknowledged write is there, none is half there, sync tokens still work."""
    postgres = postgres_of(request, database)
    server = own_server()
    assert rounds(server, request.config.getoption("--kills") or 2, postgres) > 0
    server.kill()
    integrity(server, database)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_killed_fifty_times(own_server, database: str, request: pytest.FixtureRequest) -> None:
    """F1: fifty kills, long form."""
    postgres = postgres_of(request, database)
    server = own_server()
    assert rounds(server, request.config.getoption("--kills") or 50, postgres, seed=50) > 1000
    server.kill()
    integrity(server, database)


@pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.long)])
def test_restart_at_once(own_server, database: str, times: int) -> None:
    """Stop: a server, with two workers too, starts again at once on the same address, connections or not."""
    for workers in (1, 2):
        server = own_server(workers=workers)
        clients = [server.client() for _ in range(4)]
        for _ in range(times):
            for client in clients:
                client.propfind(client.root, "D:resourcetype")
            server.stop()
            server.start()


def test_graceful_stop(own_server) -> None:
    """Stop: SIGTERM lets requests in flight finish, loses nothing and ends with status 0."""
    server = own_server()
    calendar = new_calendar(server)
    stop = threading.Event()
    writers = [Writer(server.client(), calendar.href, number, stop) for number in range(4)]
    result: list[int | None] = []
    timer = threading.Timer(0.5, lambda: result.append(server.stop()))
    timer.start()
    run_all(writers)
    timer.join()
    assert result == [0], f"exit status {result}: {server.tail(1500)}"
    time.sleep(0.1)
    server.start()
    calendar.client.close()
    check(calendar, writers, Mirror(calendar))
