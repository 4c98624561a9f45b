"""Units of work on one PostgreSQL connection.

Rules of this module: a read is a REPEATABLE READ READ ONLY snapshot, a write is READ COMMITTED. A unit of work runs
again after a deadlock, a serialization failure or a connection that was cut before COMMIT was sent."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import psycopg
from psycopg import pq

from storage.database.postgres.codec import prepare
from storage.database.postgres.pipeline import Disconnected, Pipeline, Retry, Taker
from storage.database.statements import Params, Row, Statement
from storage.database.thread_pool import Session, Work
from storage.database.transaction import FaultHook, Receipt, Transaction
from storage.errors import CommitUnknown, StorageError, Unavailable

log = logging.getLogger("storage")

TRIES = 6
"""How often a unit of work runs before a conflict with others becomes ``Unavailable``."""

BULK_ROWS = 1000
"""Rows per statement of a bulk INSERT."""


class ConnectionSource(Protocol):
    """What a session needs of its engine."""

    prepare: bool
    fault: FaultHook | None
    answer_timeout: float

    def connect(self) -> psycopg.Connection[Any]:
        """A new connection in autocommit mode."""

    def count_written(self, rows: int) -> None:
        """Count rows that were just committed."""


class StatementRunner(Protocol):
    """What a transaction needs in order to run statements."""

    written: int

    def pipeline(self) -> Pipeline:
        """The connection that the next statement runs on."""

    def execute(self, statement: Statement, params: Params) -> tuple[Pipeline, pq.abc.PGresult]:
        """Run a statement and wait for its result."""

    def wait(self) -> None:
        """Wait for the answers to all that was sent."""


class PostgresTransaction(Transaction):
    """A transaction on one PostgreSQL connection."""

    __slots__ = ("_session",)

    def __init__(self, session: StatementRunner) -> None:
        self._session = session

    def fetch_all(self, statement: Statement, **params: Any) -> list[Row]:
        pipeline, result = self._session.execute(statement, params)
        count = result.ntuples
        return pipeline.load(result, count) if count else []

    def fetch_one(self, statement: Statement, **params: Any) -> Row | None:
        pipeline, result = self._session.execute(statement, params)
        return pipeline.load(result, 1)[0] if result.ntuples else None

    def execute(self, statement: Statement, **params: Any) -> int:
        return self._session.execute(statement, params)[1].command_tuples or 0

    def enqueue(self, statement: Statement, **params: Any) -> None:
        ready = statement.postgres or prepare(statement)
        self._session.pipeline().send(ready, ready.values(params))

    def enqueue_returning(self, statement: Statement, **params: Any) -> Receipt:
        ready = (statement.postgres or prepare(statement)).requiring_row()
        receipt, pipeline = Receipt(), self._session.pipeline()

        def take(result: pq.abc.PGresult) -> None:
            receipt.row = pipeline.load(result, 1)[0]

        pipeline.send(ready, ready.values(params), take)
        return receipt

    def execute_many(self, insert: Statement, names: tuple[str, ...], rows: Sequence[Row], **same: Any) -> int:
        counts: list[int] = []
        self._send_rows(insert, names, rows, same, lambda result: counts.append(result.command_tuples or 0))
        if rows:
            self._session.wait()
        return sum(counts)

    def enqueue_many(self, insert: Statement, names: tuple[str, ...], rows: Sequence[Row], **same: Any) -> None:
        self._send_rows(insert, names, rows, same)
        if len(rows) > BULK_ROWS:  # so long that a cut is likely, which could not be told after COMMIT was sent
            self._session.wait()

    def _send_rows(
        self, insert: Statement, names: tuple[str, ...], rows: Sequence[Row], same: Params, take: Taker | None = None
    ) -> None:
        """Queue statements of ``BULK_ROWS`` each; the server runs one while the next is encoded."""
        ready = (insert.postgres or prepare(insert)).for_rows(names)
        session = self._session
        session.written += len(rows)
        for first in range(0, len(rows), BULK_ROWS):
            columns = zip(*rows[first : first + BULK_ROWS], strict=True)
            pipeline = session.pipeline()
            if first:
                pipeline.push()
            pipeline.send(ready, ready.values({**same, **dict(zip(names, columns, strict=True))}), take)


class PostgresSession(Session):
    """Runs units of work on one connection; connects again after a cut."""

    def __init__(self, engine: ConnectionSource) -> None:
        self._engine = engine
        self._pipeline: Pipeline | None = None
        self.fault: FaultHook | None = engine.fault
        self.written = 0
        """Rows written in bulk since the engine last counted."""
        self.connect()

    def connect(self) -> Pipeline:
        """Open the connection, or raise ``Unavailable``."""
        self.close()
        engine = self._engine
        self._pipeline = Pipeline(engine.connect(), prepare=engine.prepare, patience=engine.answer_timeout)
        return self._pipeline

    def close(self) -> None:
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None

    def pipeline(self) -> Pipeline:
        """The connection that the next statement runs on."""
        if self.fault is not None:
            self.fault("statement")
        return self._pipeline or self.connect()

    def execute(self, statement: Statement, params: Params) -> tuple[Pipeline, pq.abc.PGresult]:
        """Run a statement and wait for its result; raises its storage error."""
        ready = statement.postgres or prepare(statement)
        pipeline = self.pipeline()
        pipeline.send(ready, ready.values(params))
        return pipeline, pipeline.wait()

    def wait(self) -> None:
        if self._pipeline is not None:
            self._pipeline.wait()

    def point(self, work: Work) -> Any:
        """Run a unit of work without a transaction around it; again after a cut."""
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
        """Run until it succeeds; give up after the second cut or after ``TRIES`` conflicts."""
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
        pipeline = self._pipeline or self.connect()
        pipeline.command(b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            result = work(PostgresTransaction(self))
        except BaseException:
            self._undo(pipeline)
            raise
        pipeline.command(b"COMMIT")
        pipeline.leave()
        return result

    def _write_once(self, work: Work) -> Any:
        pipeline = self._pipeline
        if (
            pipeline is None or pipeline.is_cut()
        ):  # seen in time it is no unknown outcome, though COMMIT may travel at once
            pipeline = self.connect()
        tx = PostgresTransaction(self)
        self.written = 0
        pipeline.command(b"BEGIN")
        try:
            result = work(tx)
            if self.fault is not None:
                self.fault("before commit")
        except BaseException:
            self._undo(pipeline)
            raise
        self._commit(pipeline)
        self._engine.count_written(self.written + 1)
        return result

    def _commit(self, pipeline: Pipeline) -> None:
        try:
            pipeline.command(b"COMMIT")
            pipeline.wait()
            if self.fault is not None:
                self.fault("after commit")
        except Disconnected as error:
            self.close()
            raise CommitUnknown("the connection broke during COMMIT: the outcome is unknown") from error
        except StorageError:  # a statement sent with COMMIT failed, so COMMIT was not done
            self._undo(pipeline)
            raise

    def _undo(self, pipeline: Pipeline) -> None:
        """Roll back; close a broken connection, which has the same effect."""
        try:
            pipeline.command(b"ROLLBACK")
            pipeline.wait()
        except StorageError:
            self.close()
        if self._pipeline is pipeline and not pipeline.idle:
            self.close()
