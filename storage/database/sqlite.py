"""SQLite: one writer thread, a few reader threads, and one connection on the event loop for point reads.

Rules of this module: no other module knows ``sqlite3``. WAL, ``synchronous=FULL`` and foreign keys are always on. A
write takes the lock at once (``BEGIN IMMEDIATE``), so that its snapshot is never too old to write.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from storage.database.statements import Lookup, Params, Row, Statement
from storage.database.thread_pool import Session, ThreadPool, Work, WorkItem
from storage.database.transaction import FaultHook, Receipt, Transaction
from storage.errors import (
    Duplicate,
    NotDurable,
    ParentGone,
    RowChanged,
    SchemaError,
    StorageError,
    StorageFull,
    Unavailable,
)

LIST_LIMIT = 512
"""The longest list parameter of one statement; a longer list is split into parts."""

HELPER_DELAY_SECONDS = 0.05
"""How long one thread reads alone. Python's ``sqlite3`` releases the interpreter lock for every row: two threads that
read at once need twice the CPU of one for the same rows."""

GROUP_SIZE, GROUP_SECONDS = 64, 0.02
"""How many units of work share a COMMIT at most, and how long they may hold the lock together."""

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL}
_TAKEN = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID}


def translate(error: sqlite3.Error) -> StorageError:
    """The storage error that a driver's error means."""
    code = getattr(error, "sqlite_errorcode", None)
    message = str(error)
    if code in _TAKEN:
        return Duplicate(message.rpartition(": ")[2].rpartition(", ")[2])
    if code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
        return ParentGone("the principal or calendar of this row is gone")
    if code == sqlite3.SQLITE_FULL:
        return StorageFull("the disk is full")
    if code is not None and (code & 0xFF) in _BUSY | {sqlite3.SQLITE_IOERR}:
        return Unavailable(f"the database is not available: {message}")
    return StorageError(f"{message} ({getattr(error, 'sqlite_errorname', type(error).__name__)})")


class SqliteTransaction(Transaction):
    """A transaction on one SQLite connection."""

    __slots__ = ("_connection", "_execute")

    def __init__(self, connection: sqlite3.Connection, execute: Any) -> None:
        self._connection = connection
        self._execute = execute

    def fetch_all(self, statement: Statement, **params: Any) -> list[Row]:
        text = statement.sqlite
        if text:
            return self._execute(text, params).fetchall()  # type: ignore[no-any-return]
        return [row for cursor in self._parts(statement, params) for row in cursor.fetchall()]

    def fetch_one(self, statement: Statement, **params: Any) -> Row | None:
        text = statement.sqlite
        if text:
            return self._execute(text, params).fetchone()  # type: ignore[no-any-return]
        return next((row for cursor in self._parts(statement, params) for row in cursor.fetchall()), None)

    def execute(self, statement: Statement, **params: Any) -> int:
        text = statement.sqlite
        if text:
            return self._execute(text, params).rowcount  # type: ignore[no-any-return]
        return sum(cursor.rowcount for cursor in self._parts(statement, params))

    def enqueue(self, statement: Statement, **params: Any) -> None:
        self.execute(statement, **params)

    def enqueue_returning(self, statement: Statement, **params: Any) -> Receipt:
        receipt, row = Receipt(), self.fetch_one(statement, **params)
        if row is None:
            raise RowChanged("a row is no longer what it was")
        receipt.row = row
        return receipt

    def execute_many(self, insert: Statement, names: tuple[str, ...], rows: Sequence[Row], **same: Any) -> int:
        if not rows:
            return 0
        text, shared = insert.for_rows((*same, *names)), tuple(same.values())
        values = ((*shared, *row) for row in rows)
        if self._execute != self._connection.execute:  # equal, never the same: a bound method is made at each access
            return sum(self._execute(text, row).rowcount for row in values)
        return self._connection.executemany(text, values).rowcount

    def enqueue_many(self, insert: Statement, names: tuple[str, ...], rows: Sequence[Row], **same: Any) -> None:
        self.execute_many(insert, names, rows, **same)

    def _parts(self, statement: Statement, params: Params) -> list[sqlite3.Cursor]:
        """Run a statement for the first time, or one with a list parameter: in parts of at most ``LIST_LIMIT``."""
        if statement.list_name is None:
            text = statement.for_sqlite()
            if statement.list_name is None:
                return [self._execute(text, params)]
        values = list(params.pop(statement.list_name))
        cursors = []
        for first in range(0, len(values), LIST_LIMIT):
            part = values[first : first + LIST_LIMIT]
            text, names = statement.for_list(len(part))
            part += part[-1:] * (len(names) - len(part))
            cursors.append(self._execute(text, {**params, **dict(zip(names, part, strict=True))}))
        return cursors


_READER_CACHE_KIB = 500
"""Per connection; the operating system caches the file once for all of them."""
_WRITER_CACHE_KIB = 8_000


class SqliteSession(Session):
    """One connection. ``fault`` is the hook of the tests and costs nothing when it is not set."""

    def __init__(self, path: str, busy_timeout: float, fault: FaultHook | None = None, *, writes: bool = False) -> None:
        try:
            self.connection = sqlite3.connect(
                path, timeout=busy_timeout, isolation_level=None, check_same_thread=False, cached_statements=512
            )
            run = self.connection.execute
            _use_wal(run, busy_timeout)
            run("PRAGMA synchronous=FULL")
            run("PRAGMA foreign_keys=ON")
            run("PRAGMA temp_store=MEMORY")
            run(f"PRAGMA cache_size=-{_WRITER_CACHE_KIB if writes else _READER_CACHE_KIB}")
            run("PRAGMA journal_size_limit=67108864")
            if not writes:
                run("PRAGMA query_only=ON")
        except sqlite3.Error as error:
            raise translate(error) from error
        self.execute: Any = self.connection.execute
        self._fault = fault
        if fault is not None:
            self.execute = self._execute_or_fail

    def _execute_or_fail(self, text: str, params: Params | None = None) -> sqlite3.Cursor:
        if self._fault is not None and params is not None:
            self._fault("statement")
        return self.connection.execute(text, params or {})

    def point(self, work: Work) -> Any:
        """Run a unit of work on this thread; a ``Lookup`` is one statement and needs no transaction around it."""
        if type(work) is not Lookup:
            return self.read(work)
        try:
            return work(SqliteTransaction(self.connection, self.execute))
        except sqlite3.Error as error:
            raise translate(error) from error

    def read(self, work: Work) -> Any:
        connection = self.connection
        try:
            connection.execute("BEGIN")
            try:
                return work(SqliteTransaction(connection, self.execute))
            finally:
                if connection.in_transaction:
                    connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise translate(error) from error

    def write(self, work: Work) -> Any:
        group = Group(self)
        group.add(work)
        group.commit()
        return group.results[0]

    def begin(self) -> None:
        """Take the write lock, waiting for other processes."""
        try:
            self.connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise translate(error) from error

    def commit(self) -> None:
        """Commit the open transaction, or undo it and raise the reason."""
        try:
            if self._fault is not None:
                self._fault("before commit")
            self.connection.execute("COMMIT")
        except BaseException as error:
            self.rollback()
            raise translate(error) if isinstance(error, sqlite3.Error) else error from error
        if self._fault is not None:
            self._fault("after commit")

    def rollback(self) -> None:
        """Roll back the open transaction, if there is one."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def close(self) -> None:
        self.connection.close()


def _use_wal(run: Any, busy_timeout: float) -> None:
    """Switch to WAL; SQLite does not wait by itself while another process does the same to a new file."""
    until = time.monotonic() + busy_timeout
    while True:
        try:
            run("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)


class Group:
    """Units of work that share one COMMIT: one that fails is undone alone; all are durable together, or none is.

    Waiting for the disk is what a write costs. Units of work that arrive while another one is written share the wait.
    """

    def __init__(self, session: SqliteSession) -> None:
        self._session = session
        self._run = session.connection.execute
        self.results: list[Any] = []
        """What each unit answered."""

    def add(self, work: Work) -> None:
        """Run a unit of work; undo it when it raises. ``TransactionAborted``: SQLite undid the whole group."""
        first = not self.results
        if first:
            self._session.begin()
        else:
            self._run("SAVEPOINT unit")
        tx = SqliteTransaction(self._session.connection, self._session.execute)
        try:
            result = work(tx)
        except BaseException as error:
            own = translate(error) if isinstance(error, sqlite3.Error) else error
            if first:
                self._session.rollback()
            elif self._session.connection.in_transaction:
                self._run("ROLLBACK TO unit")
                self._run("RELEASE unit")
            else:  # a full disk, for example, undoes everything
                raise TransactionAborted from own
            raise own from error
        if not first:
            self._run("RELEASE unit")
        self.results.append(result)

    def commit(self) -> None:
        """Make everything durable."""
        self._session.commit()


class TransactionAborted(Exception):
    """SQLite undid the whole transaction, with the units of work before the failing one."""


class WriterThread(ThreadPool):
    """The one thread of this process that writes. It commits together what waits in the queue.

    A unit of work that failed behind others has seen what they wrote. Its caller hears of the failure after their
    commit: a caller that reads again then finds what it failed on. If that commit fails, the caller hears of that.
    """

    def run(self, session: SqliteSession, item: WorkItem) -> None:
        """Run this item and those that wait behind it; commit; settle all of them."""
        group = Group(session)
        items: list[WorkItem] = []
        failed: list[tuple[WorkItem, BaseException]] = []
        until = time.monotonic() + GROUP_SECONDS
        following: WorkItem | None = item
        try:
            while following is not None:
                self._add(group, following, items, failed)
                following = self.take_waiting() if len(items) < GROUP_SIZE and time.monotonic() < until else None
            if items:
                group.commit()
        except BaseException as error:
            own = error.__cause__ if isinstance(error, TransactionAborted) else error
            for each in (*items, *(item for item, _ in failed)):
                each.settle(None, own)
            return
        for each, result in zip(items, group.results, strict=True):
            each.settle(result, None)
        for each, reason in failed:
            each.settle(None, reason)

    def _add(
        self, group: Group, item: WorkItem, items: list[WorkItem], failed: list[tuple[WorkItem, BaseException]]
    ) -> None:
        try:
            self.refuse_stale(item)
            group.add(item.work)
        except TransactionAborted as error:
            item.settle(None, error.__cause__)
            raise
        except BaseException as error:  # this one failed; the others go on
            if items:
                failed.append((item, error))
            else:
                item.settle(None, error)
        else:
            items.append(item)


class SqliteEngine:
    """The threads and connections of one SQLite file."""

    dialect = "sqlite"

    def __init__(self, path: str, *, pool_size: int, busy_timeout: float, patience: float) -> None:
        self.path = path
        self._busy_timeout = busy_timeout
        self.fault: FaultHook | None = None
        _create_private(path)
        self._check()
        self._loop_session: SqliteSession | None = None
        self._readers = ThreadPool(
            "storage-read", pool_size, self._reader, patience=patience, helper_delay=HELPER_DELAY_SECONDS
        )
        self._writer = WriterThread("storage-write", 1, self._writer_session, patience=patience)

    def _check(self) -> None:
        session = self._writer_session()
        mode = session.connection.execute("PRAGMA journal_mode").fetchone()[0]
        level = session.connection.execute("PRAGMA synchronous").fetchone()[0]
        session.close()
        if mode != "wal" or level < 2:
            raise NotDurable(f"SQLite runs with journal_mode={mode} and synchronous={level}; wal and 2 are needed")

    def _reader(self) -> SqliteSession:
        return SqliteSession(self.path, self._busy_timeout, self.fault)

    def _writer_session(self) -> SqliteSession:
        return SqliteSession(self.path, self._busy_timeout, self.fault, writes=True)

    def _point_session(self) -> SqliteSession:
        if self._loop_session is None:
            self._loop_session = self._reader()
        return self._loop_session

    async def read(self, work: Work) -> Any:
        return await self._readers.submit(WorkItem(work, kind="read"))

    async def write(self, work: Work) -> Any:
        return await self._writer.submit(WorkItem(work, kind="write"))

    async def point(self, work: Work) -> Any:
        return (self._loop_session or self._point_session()).point(work)

    def version(self) -> int:
        """A number that changes with every commit of any process (``PRAGMA data_version``)."""
        connection = self._point_session().connection
        return connection.execute("PRAGMA data_version").fetchone()[0]  # type: ignore[no-any-return]

    def schema_revision(self) -> str | None:
        """The migration this database is at; ``None`` before the first."""
        session = self._reader()
        try:
            row = session.connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return None
            raise SchemaError(str(error)) from error
        finally:
            session.close()
        return None if row is None else str(row[0])

    def close(self) -> None:
        """Finish what is queued and close every connection."""
        self._readers.close()
        self._writer.close()
        if self._loop_session is not None:
            self._loop_session.close()
            self._loop_session = None


def _create_private(path: str) -> None:
    """Make the folder (0700) and the file (0600) if they do not exist; other users must not read calendars."""
    file = Path(path)
    file.parent.mkdir(parents=True, mode=0o700, exist_ok=True)  # an existing folder keeps its mode
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}") from error
