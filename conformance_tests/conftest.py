"""Fixtures of the conformance tests: the server, its users, and a fresh calendar for each test.

Every test that asks for ``server`` (most do, through ``client`` or ``calendar``) runs once against SQLite and once
against a real PostgreSQL. With ``--server URL --user U --password P`` the tests run against that server instead;
those that need to start, stop or configure a server of their own are then deselected.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance_tests import report
from conformance_tests.client import Calendar, Client
from conformance_tests.server import ServerProcess
from testing.programs import ROOT

OWN = {"own_server", "loaded_server", "new_database", "ours", "other", "second", "anyone"}
"""Fixtures that only exist for a server that the tests started."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance")
    group.addoption("--server", help="test the server at this URL instead of our own")
    group.addoption("--user", default="", help="its user")
    group.addoption("--password", default="", help="and the password")
    group.addoption("--compliance", metavar="FILE", help="write section, behaviour and result of each test as JSON")
    group.addoption("--corpus-report", metavar="FILE", help="write the counts of the corpus run as JSON")
    group.addoption("--kills", type=int, default=None, help="rounds of the kill -9 test")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--compliance"):
        config.pluginmanager.register(report.Collector(Path(config.getoption("--compliance"))))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--database")
        names = ["sqlite", "postgresql"] if chosen == "both" else [chosen]
        if metafunc.config.getoption("--server"):
            names = ["external"]
        metafunc.parametrize("database", names, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--server"):
        apart = [item for item in items if OWN & set(getattr(item, "fixturenames", ()))]
        config.hook.pytest_deselected(items=apart)
        items[:] = [item for item in items if item not in apart]


@pytest.fixture(scope="session")
def database(request: pytest.FixtureRequest) -> str:
    """The kind of database of this round: ``sqlite``, ``postgresql`` or ``external``."""
    return str(request.param)


@pytest.fixture(scope="session")
def postgres() -> Iterator[object]:
    """A real PostgreSQL with fsync on, started once per session."""
    from testing.postgres import start_postgres

    running = start_postgres(durable=True)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def new_database(
    database: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], str]:
    """Makes databases of this round's kind that hold the schema and the accounts, and returns their URLs.

    The command line prepares one database per session; the others are copies of it.
    """
    folder = tmp_path_factory.mktemp("prepared")
    if database == "postgresql":
        server = request.getfixturevalue("postgres")
        template = str(server.new_database())
        ServerProcess(folder, template).prepare()
        return lambda: str(server.new_database(template))
    ServerProcess(folder, f"sqlite:///{folder / 'caldav.db'}").prepare()

    def copy() -> str:
        path = tmp_path_factory.mktemp("sqlite") / "caldav.db"
        with (
            contextlib.closing(sqlite3.connect(folder / "caldav.db")) as source,
            contextlib.closing(sqlite3.connect(path)) as target,
        ):
            source.backup(target)
        return f"sqlite:///{path}"

    return copy


@dataclass
class Target:
    """What is tested: an address and who may log in."""

    url: str
    user: str
    password: str
    process: ServerProcess | None = None

    def client(self, user: str | None = None, password: str | None = None) -> Client:
        if user is None:
            return Client(self.url, self.user, self.password)
        return Client(self.url, user, user if password is None else password)


@pytest.fixture(scope="session")
def server(database: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The server of this round; shared by all tests, so that no test may disturb it."""
    option = request.config.getoption
    if database == "external":
        yield Target(option("--server"), option("--user"), option("--password"))
        return
    url = request.getfixturevalue("new_database")()
    process = ServerProcess(tmp_path_factory.mktemp(f"server-{database}"), url)
    process.start()
    yield Target(process.url, "user01", "user01", process)
    process.stop()


@pytest.fixture
def ours(server: Target) -> Target:
    """The shared server, for tests of what only ours promises (its URLs, its accounts)."""
    return server


@pytest.fixture
def own_server(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., ServerProcess]]:
    """Starts servers that a test may stop, kill and configure: ``own_server(workers=2, environment={...})``."""
    started: list[ServerProcess] = []

    def start(*, run: bool = True, **more: object) -> ServerProcess:
        process = ServerProcess(tmp_path_factory.mktemp("own"), new_database(), **more)  # type: ignore[arg-type]
        started.append(process)
        if run:
            process.start()
        return process

    yield start
    for process in started:
        process.stop()


@pytest.fixture(scope="session")
def loaded_server(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[int], ServerProcess]]:
    """Servers for tests that load them but never stop or configure them, one for each number of workers."""
    started: dict[int, ServerProcess] = {}

    def get(workers: int = 1) -> ServerProcess:
        if workers not in started:
            started[workers] = ServerProcess(tmp_path_factory.mktemp("loaded"), new_database(), workers=workers)
            started[workers].start()
        return started[workers]

    yield get
    for process in started.values():
        process.stop()


@pytest.fixture
def client(server: Target) -> Iterator[Client]:
    """The first user's connection."""
    made = server.client()
    yield made
    made.close()


@pytest.fixture
def anyone(server: Target) -> Iterator[Callable[..., Client]]:
    """Makes connections for any account: ``anyone("user02")``."""
    made: list[Client] = []

    def connect(user: str, password: str | None = None) -> Client:
        made.append(server.client(user, password))
        return made[-1]

    yield connect
    for each in made:
        each.close()


@pytest.fixture
def other(anyone: Callable[..., Client]) -> Client:
    """The connection of a second user, who has no rights in the first one's home."""
    return anyone("user02")


def fresh_calendar(client: Client, properties: str | None = None) -> Calendar:
    """A calendar that nobody used before."""
    href = f"{client.home}t-{uuid.uuid4().hex[:12]}/"
    client.mkcalendar(href, properties).expect(201)
    return Calendar(client, href)


@pytest.fixture
def calendar(client: Client) -> Iterator[Calendar]:
    """A fresh, empty calendar of the first user."""
    made = fresh_calendar(client)
    yield made
    client.delete(made.href)


@pytest.fixture
def new_calendar(client: Client) -> Iterator[Callable[..., Calendar]]:
    """Makes further calendars, with properties when wanted."""
    made: list[Calendar] = []

    def make(properties: str | None = None) -> Calendar:
        made.append(fresh_calendar(client, properties))
        return made[-1]

    yield make
    for each in made:
        client.delete(each.href)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of test material beside the checkout; it may be missing."""
    return Path(os.environ.get("CALDAV_SHARED", str(ROOT.parent / "shared")))
