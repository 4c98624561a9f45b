"""Units of work on one PostgreSQL connection.

Rules of this module: reads are REPEATABLE READ READ ONLY snapshots, writes are READ COMMITTED; a unit of work runs
again after a deadlock, a serialization failure or a connection that was cut before COMMIT was sent.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import psycopg
from psycopg import pq

from storage.database.pipe import Disconnected, Pipe, Retry, Taker
from storage.database.statements import Params, Row, Statement
from storage.database.transaction import FaultHook, Receipt, Transaction
from storage.database.wire import prepare
from storage.database.workers import Session, Work
from storage.errors import CommitUnknown, StorageError, Unavailable

log = logging.getLogger("storage")

TRIES = 6
"""How often a unit of work is run before a conflict with others is given up as ``Unavailable``."""

BULK_ROWS = 1000
"""Rows per statement of a bulk INSERT."""


class Owner(Protocol):
    """What a session needs of its engine."""

    prepare: bool
    fault: FaultHook | None
    answer_timeout: float

    def connect(self) -> psycopg.Connection[Any]:
        """A new connection in autocommit mode."""

    def wrote(self, rows: int) -> None:
        """So many rows were just committed."""


class Bound(Protocol):
    """What a transaction needs of whatever it runs on."""

    written: int

    def pipe(self) -> Pipe:
        """The connection on which a statement is about to run."""

    def execute(self, statement: Statement, params: Params) -> tuple[Pipe, pq.abc.PGresult]:
        """Run a statement and wait for its answer."""

    def wait(self) -> None:
        """Wait for the answers of all that was sent."""


class PostgresTransaction(Transaction):
    """A transaction on one PostgreSQL connection."""

    __slots__ = ("_session",)

    def __init__(self, session: Bound) -> None:
        self._session = session

    def all(self, statement: Statement, **params: Any) -> list[Row]:
        pipe, result = self._session.execute(statement, params)
        count = result.ntuples
        return pipe.load(result, count) if count else []

    def one(self, statement: Statement, **params: Any) -> Row | None:
        pipe, result = self._session.execute(statement, params)
        return pipe.load(result, 1)[0] if result.ntuples else None

    def run(self, statement: Statement, **params: Any) -> int:
        return self._session.execute(statement, params)[1].command_tuples or 0

    def later(self, statement: Statement, **params: Any) -> None:
        ready = statement.postgres or prepare(statement)
        self._session.pipe().send(ready, ready.values(params))

    def demand(self, statement: Statement, **params: Any) -> Receipt:
        ready = (statement.postgres or prepare(statement)).demanding()
        receipt, pipe = Receipt(), self._session.pipe()

        def take(result: pq.abc.PGresult) -> None:
            receipt.row = pipe.load(result, 1)[0]

        pipe.send(ready, ready.values(params), take)
        return receipt

    def many(self, insert: Statement, names: tuple[str, ...], rows: Sequence[Row], **same: Any) -> int:
        counts: list[int] = []
        self._send_rows(insert, names, rows, same, lambda result: counts.append(result.command_tuples or 0))
        if rows:
            self._session.wait()
        return sum(counts)

    def many_later(self, insert: Statement, names: tuple[str, ...], rows: Sequence[Row], **same: Any) -> None:
        self._send_rows(insert, names, rows, same)
        if len(rows) > BULK_ROWS:  # long enough under way to be cut, which after COMMIT was sent nobody could tell
            self._session.wait()

    def _send_rows(
        self, insert: Statement, names: tuple[str, ...], rows: Sequence[Row], same: Params, take: Taker | None = None
    ) -> None:
        """Queue statements of ``BULK_ROWS`` each; the server works on one while the next is written."""
        ready = (insert.postgres or prepare(insert)).for_rows(names)
        session = self._session
        session.written += len(rows)
        for first in range(0, len(rows), BULK_ROWS):
            columns = zip(*rows[first : first + BULK_ROWS], strict=True)
            pipe = session.pipe()
            if first:
                pipe.push()
            pipe.send(ready, ready.values({**same, **dict(zip(names, columns, strict=True))}), take)


class PostgresSession(Session):
    """One connection and the units of work on it; it connects again when it was cut."""

    def __init__(self, engine: Owner) -> None:
        self._engine = engine
        self._pipe: Pipe | None = None
        self.fault: FaultHook | None = engine.fault
        self.written = 0
        """Rows written in bulk since the engine was last told."""
        self.connect()

    def connect(self) -> Pipe:
        """Open the connection, or raise ``Unavailable``."""
        self.close()
        engine = self._engine
        self._pipe = Pipe(engine.connect(), prepare=engine.prepare, patience=engine.answer_timeout)
        return self._pipe

    def close(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None

    def pipe(self) -> Pipe:
        """The connection on which a statement is about to run."""
        if self.fault is not None:
            self.fault("statement")
        return self._pipe or self.connect()

    def execute(self, statement: Statement, params: Params) -> tuple[Pipe, pq.abc.PGresult]:
        """Run a statement and wait for its answer; raises the storage error it failed with."""
        ready = statement.postgres or prepare(statement)
        pipe = self.pipe()
        pipe.send(ready, ready.values(params))
        return pipe, pipe.wait()

    def wait(self) -> None:
        if self._pipe is not None:
            self._pipe.wait()

    def point(self, work: Work) -> Any:
        """Run a unit of work without a transaction around it; once more when the connection was cut."""
        try:
            return work(PostgresTransaction(self))
        except Disconnected:
            self.connect()
            return work(PostgresTransaction(self))

    def read(self, work: Work) -> Any:
        return self._repeat(self._read_once, work)

    def write(self, work: Work) -> Any:
        return self._repeat(self._write_once, work)

    def _repeat(self, once: Callable[[Work], Any], work: Work) -> Any:
        """Run until it is done, another connection has failed too, or too many others were in the way."""
        cuts = 0
        for attempt in range(TRIES):
            try:
                return once(work)
            except Disconnected:
                self.close()
                cuts += 1
                if cuts > 1:
                    raise
            except Retry as error:
                log.info("a unit of work runs again: %s", error)
                time.sleep(0.002 * (1 << attempt))
        raise Unavailable("too many others changed the same thing")

    def _read_once(self, work: Work) -> Any:
        pipe = self._pipe or self.connect()
        pipe.command(b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            result = work(PostgresTransaction(self))
        except BaseException:
            self._undo(pipe)
            raise
        pipe.command(b"COMMIT")
        pipe.leave()
        return result

    def _write_once(self, work: Work) -> Any:
        pipe = self._pipe
        if pipe is None or pipe.is_cut():  # seen in time it is no unknown outcome, though COMMIT may travel at once
            pipe = self.connect()
        tx = PostgresTransaction(self)
        self.written = 0
        pipe.command(b"BEGIN")
        try:
            result = work(tx)
            if self.fault is not None:
                self.fault("before commit")
        except BaseException:
            self._undo(pipe)
            raise
        self._commit(pipe)
        self._engine.wrote(self.written + 1)
        return result

    def _commit(self, pipe: Pipe) -> None:
        try:
            pipe.command(b"COMMIT")
            pipe.wait()
            if self.fault is not None:
                self.fault("after commit")
        except Disconnected as error:
            self.close()
            raise CommitUnknown("the connection broke during COMMIT: the outcome is unknown") from error
        except StorageError:  # a statement that travelled with COMMIT failed, so that COMMIT was not done
            self._undo(pipe)
            raise

    def _undo(self, pipe: Pipe) -> None:
        """Roll back; a broken connection is given up, which does the same."""
        try:
            pipe.command(b"ROLLBACK")
            pipe.wait()
        except StorageError:
            self.close()
        if self._pipe is pipe and not pipe.idle:
            self.close()
