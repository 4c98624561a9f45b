"""The database: ``await db.read(work)``, ``await db.write(work)``, ``await db.point(work)``.

A unit of work is a plain function of a ``Transaction``. It runs as a whole in a storage thread. It may run again after
a deadlock or a cut connection, so it must have no effect except through its transaction.

Rules of this package: no other package knows a dialect or a driver.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Protocol, Self, TypeVar
from urllib.parse import unquote, urlsplit

from storage.database.statements import DatabaseClock, InList, Lookup, Row, Statement, in_list, recorder
from storage.database.transaction import Batch, FaultHook, Receipt, Transaction
from storage.errors import SchemaError, SchemaTooNew

__all__ = [
    "Batch",
    "Database",
    "DatabaseClock",
    "FaultHook",
    "InList",
    "Lookup",
    "Receipt",
    "Row",
    "Statement",
    "Transaction",
    "in_list",
    "recorder",
]

T = TypeVar("T")


class Engine(Protocol):
    """What ``Database`` needs of a dialect."""

    dialect: str
    fault: FaultHook | None

    async def read(self, work: Callable[[Transaction], Any]) -> Any: ...
    async def write(self, work: Callable[[Transaction], Any]) -> Any: ...
    async def point(self, work: Callable[[Transaction], Any]) -> Any: ...
    def version(self) -> Hashable | None: ...
    def schema_revision(self) -> str | None: ...
    def close(self) -> None: ...


class Database:
    """One database, shared by the whole process. Open it once and close it at the end."""

    def __init__(self, url: str, engine: Engine) -> None:
        self.url = url
        self._engine = engine
        self.dialect = engine.dialect

    @classmethod
    def open(
        cls,
        url: str,
        *,
        pool_size: int = 4,
        busy_timeout: float = 10.0,
        patience: float = 10.0,
        allow_unsafe: bool = False,
        prepare: bool = True,
    ) -> Self:
        """Open ``sqlite:///relative``, ``sqlite:////absolute`` or ``postgresql://...``.

        ``busy_timeout``: seconds to wait for a lock; ``patience``: seconds a unit of work may wait for a thread.
        ``allow_unsafe`` (tests only): accept a PostgreSQL that may lose acknowledged writes. ``prepare=False``: do
        not prepare statements, for a pooler in transaction mode (PgBouncer). Raises ``NotDurable``, ``Unavailable``.
        """
        scheme = urlsplit(url).scheme
        if scheme == "sqlite":
            from storage.database.sqlite import SqliteEngine

            path = unquote(url.removeprefix("sqlite:///"))
            return cls(url, SqliteEngine(path, pool_size=pool_size, busy_timeout=busy_timeout, patience=patience))
        if scheme in {"postgresql", "postgres"}:
            from storage.database.postgres.engine import PostgresEngine

            engine = PostgresEngine(
                url,
                pool_size=pool_size,
                lock_timeout=busy_timeout,
                patience=patience,
                allow_unsafe=allow_unsafe,
                prepare=prepare,
            )
            return cls(url, engine)
        raise ValueError(f"not a database address: {url!r} (sqlite:///path or postgresql://...)")

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run a unit of work in one read-only snapshot, in a storage thread."""
        return await self._engine.read(work)  # type: ignore[no-any-return]

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run a unit of work, commit it durably and answer its result. If it raises, nothing has changed.

        PostgreSQL runs a ``Batch`` without a thread.
        """
        return await self._engine.write(work)  # type: ignore[no-any-return]

    async def point(self, work: Callable[[Transaction], T]) -> T:
        """Run a small read: at once on SQLite. PostgreSQL answers a ``Lookup`` without a thread."""
        return await self._engine.point(work)  # type: ignore[no-any-return]

    def version(self) -> Hashable | None:
        """On SQLite a value that changes with every commit of any process; ``None`` on PostgreSQL."""
        return self._engine.version()

    def is_new(self) -> bool:
        """Whether the database has no schema yet."""
        return self._engine.schema_revision() is None

    def migrate(self) -> None:
        """Bring the schema up to date; several processes may do so at once."""
        from storage import migrations

        found = self._engine.schema_revision()
        if found is not None and found > migrations.HEAD:
            raise _too_new(found, migrations.HEAD)
        if found != migrations.HEAD:
            migrations.upgrade(self.url)

    def require_schema(self) -> None:
        """Raise ``SchemaError`` or ``SchemaTooNew`` unless the schema is the one that this program needs."""
        from storage import migrations

        found = self._engine.schema_revision()
        if found is not None and found > migrations.HEAD:
            raise _too_new(found, migrations.HEAD)
        if found != migrations.HEAD:
            state = f"the schema is at {found}" if found else "the database is empty"
            raise SchemaError(f"{state}, this program needs schema {migrations.HEAD}")

    def set_fault(self, hook: FaultHook | None) -> None:
        """Set a hook that may raise at any statement and around any COMMIT (tests only, before the first use)."""
        self._engine.fault = hook

    def close(self) -> None:
        """Run what is queued and close every connection."""
        self._engine.close()


def _too_new(found: str, needed: str) -> SchemaTooNew:
    return SchemaTooNew(
        f"the schema is at {found}, newer than this program ({needed}): install the version that made it"
    )
