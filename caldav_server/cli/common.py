"""What the commands share: the options for settings, the open database, and messages for what goes wrong."""

from __future__ import annotations

import asyncio
import functools
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from caldav_server.settings import Override, Settings, SettingsError, load
from storage.errors import SchemaError, StorageError

if TYPE_CHECKING:
    from caldav_server.calendaring.context import Context
    from storage.database import Database

T = TypeVar("T")


class Failure(click.ClickException):
    """Something the user can mend: the command ends with its message and no traceback."""

    exit_code = 1


def read_settings(config: str | None, overrides: Sequence[Override]) -> Settings:
    """The settings of a command, from file, environment and options."""
    try:
        return load(config, os.environ, overrides)
    except SettingsError as error:
        raise Failure("\n".join(error.problems)) from error


def with_settings(command: Callable[..., T]) -> Callable[..., T]:
    """Adds --config and --database to a command, which gets ``settings`` instead."""

    @click.option("--config", metavar="FILE", help="The TOML file with the settings.")
    @click.option("--database", metavar="URL", help="sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME.")
    @functools.wraps(command)
    def wrapped(*args: Any, config: str | None, database: str | None, **kwargs: Any) -> T:
        overrides = [Override("database", "url", database, "--database")] if database is not None else []
        return command(*args, settings=read_settings(config, overrides), **kwargs)

    return wrapped


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Opens the database of the settings, requires the schema of this version, and closes it at the end."""
    from caldav_server.observability.instrumented_database import open_database as open_it

    with storage_problems():
        db = open_it(settings)
        try:
            db.require_schema()
            yield db
        finally:
            db.close()


@contextmanager
def storage_problems() -> Iterator[None]:
    """Turns errors of the database into messages."""
    try:
        yield
    except SchemaError as error:
        raise Failure(f"{error}. Run: caldav-server migrate") from error
    except StorageError as error:
        raise Failure(str(error) or type(error).__name__) from error


def run(work: Awaitable[T]) -> T:
    """Runs a coroutine to its end and returns its result."""

    async def main() -> T:
        return await work

    return asyncio.run(main())


def now() -> int:
    """The time, as UTC epoch seconds."""
    return int(time.time())


async def acting_as(db: Database, settings: Settings, name: str) -> Context:
    """What a use-case is done with in the name of an account."""
    from caldav_server.accounts import accounts
    from caldav_server.calendaring.actors import Actor
    from caldav_server.calendaring.context import Context, Rules

    principal = await db.read(lambda tx: accounts.find(tx, name))
    return Context(db, Rules.of(settings), Actor(principal), "command", now(), lambda *_: None)


@contextmanager
def problems() -> Iterator[None]:
    """Turns refusals and mistakes into messages."""
    from caldav_server.accounts.accounts import AccountError
    from protocol.errors import Refusal

    try:
        yield
    except (AccountError, Refusal) as error:
        raise Failure(str(error)) from error
