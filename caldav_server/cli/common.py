"""What every command shares: the options for settings, the open database, and how mistakes are told."""

from __future__ import annotations

import asyncio
import functools
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from caldav_server.settings import Override, Settings, SettingsError, load
from storage.database import Database
from storage.errors import SchemaError, StorageError

T = TypeVar("T")


class Failure(click.ClickException):
    """A mistake of the user or the surroundings: its message, no traceback."""

    exit_code = 1


def read_settings(config: str | None, overrides: Sequence[Override]) -> Settings:
    """The settings in force for a command."""
    try:
        return load(config, os.environ, overrides)
    except SettingsError as error:
        raise Failure("\n".join(error.problems)) from error


def with_settings(command: Callable[..., T]) -> Callable[..., T]:
    """Adds --config and --database to a command and hands it ``settings`` instead."""

    @click.option("--config", metavar="FILE", help="The TOML file with the settings.")
    @click.option("--database", metavar="URL", help="sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME.")
    @functools.wraps(command)
    def wrapped(*args: Any, config: str | None, database: str | None, **kwargs: Any) -> T:
        overrides = [Override("database", "url", database, "--database")] if database is not None else []
        return command(*args, settings=read_settings(config, overrides), **kwargs)

    return wrapped


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """The database of the settings, at the schema of this program, closed at the end."""
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
    """Turns what can go wrong with a database into a message."""
    try:
        yield
    except SchemaError as error:
        raise Failure(f"{error}. Run: caldav-server migrate") from error
    except StorageError as error:
        raise Failure(f"{type(error).__name__}: {error}") from error


def run(work: Awaitable[T]) -> T:
    """Runs a coroutine of a use-case to its end."""

    async def main() -> T:
        return await work

    return asyncio.run(main())


def now() -> int:
    """The time of a command, UTC epoch seconds."""
    return int(time.time())
