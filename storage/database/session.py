"""One PostgreSQL connection, driven through libpq with prepared statements, and the transactions on it.

Rules of this module: reads are REPEATABLE READ READ ONLY snapshots, writes are READ COMMITTED; a unit of work runs
again after a deadlock, a serialization failure or a connection that was cut before COMMIT was sent.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, Protocol

import psycopg
from psycopg import pq
from psycopg.adapt import Transformer

from storage.database.statements import Params, Row, Statement
from storage.database.transaction import FaultHook, Transaction
from storage.database.wire import Prepared, Values, prepare
from storage.database.workers import Session, Work
from storage.errors import CommitUnknown, Duplicate, StorageError, StorageFull, Unavailable, Vanished

log = logging.getLogger("storage")

TRIES = 6
"""How often a unit of work is run before a conflict with others is given up as ``Unavailable``."""

BULK_ROWS = 1000
"""Rows per statement of a bulk INSERT."""

_OK = {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK}


class Owner(Protocol):
    """What a session needs of its engine."""

    prepare: bool
    fault: FaultHook | None

    def connect(self) -> psycopg.Connection[Any]:
        """A new connection in autocommit mode."""

    def wrote(self, rows: int) -> None:
        """So many rows were just committed."""


class Retry(StorageError):
    """The unit of work may run again: it lost against others and nothing of it has happened."""


class Disconnected(Unavailable):
    """The connection broke."""


def translate(state: str, message: str, table: str, constraint: str) -> StorageError:
    """The storage error that an SQLSTATE means."""
    if state == "23505":
        for prefix in ("uq", "pk"):
            constraint = constraint.removeprefix(f"{prefix}_{table}_")
        return Duplicate(f"{table}.{constraint}")
    if state == "23503":
        return Vanished("the principal or calendar of this row is gone")
    if state in {"40001", "40P01"}:
        return Retry(message)
    if state in {"53100", "54000"}:
        return StorageFull(message)
    if state[:2] in {"08", "53", "57"} or state in {"55P03", "25006", "25P03"}:
        return Unavailable(message)
    return StorageError(f"{message} ({state})")


class PostgresTransaction(Transaction):
    """A transaction on one PostgreSQL connection."""

    __slots__ = ("_session",)

    def __init__(self, session: PostgresSession) -> None:
        self.callbacks = []
        self._session = session

    def all(self, statement: Statement, **params: Any) -> list[Row]:
        session = self._session
        ready = statement.postgres or prepare(statement)
        result = session.execute(ready, ready.values(params))
        count = result.ntuples
        return session.load(result, count) if count else []

    def one(self, statement: Statement, **params: Any) -> Row | None:
        session = self._session
        ready = statement.postgres or prepare(statement)
        result = session.execute(ready, ready.values(params))
        return session.load(result, 1)[0] if result.ntuples else None

    def run(self, statement: Statement, **params: Any) -> int:
        ready = statement.postgres or prepare(statement)
        return self._session.execute(ready, ready.values(params)).command_tuples or 0

    def many(self, statement: Statement, rows: Sequence[Params]) -> int:
        ready = statement.postgres or prepare(statement)
        whole = ready.whole
        session = self._session
        if whole is None:
            return sum(session.execute(ready, ready.values(row)).command_tuples or 0 for row in rows)
        touched = 0
        for first in range(0, len(rows), BULK_ROWS):
            part = rows[first : first + BULK_ROWS]
            columns = {name: [row[name] for row in part] for name, _ in whole.binds}
            touched += session.execute(whole, whole.values(columns)).command_tuples or 0
        session.written += touched
        return touched


class PostgresSession(Session):
    """One connection with its prepared statements; it connects when it is first used and again when it was cut."""

    def __init__(self, engine: Owner) -> None:
        self._engine = engine
        self._connection: psycopg.Connection[Any] | None = None
        self._prepared: set[bytes] = set()
        self.fault: FaultHook | None = engine.fault
        self.written = 0
        """Rows written in bulk since the engine was last told."""
        self.connect()

    def connect(self) -> None:
        """Open the connection, or raise ``Unavailable``."""
        self.close()
        self._connection = self._engine.connect()
        self._pg = self._connection.pgconn
        self._transformer = Transformer(self._connection)
        self._prepared = set()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def load(self, result: pq.abc.PGresult, count: int) -> list[Row]:
        """The first ``count`` rows of a result as tuples."""
        transformer = self._transformer
        transformer.set_pgresult(result, set_loaders=True, format=pq.Format.BINARY)
        return transformer.load_rows(0, count, tuple)

    def execute(self, ready: Prepared, values: Values) -> pq.abc.PGresult:
        """Run a prepared statement; raises the storage error it failed with."""
        if self.fault is not None:
            self.fault("statement")
        pg = self._pg
        if not self._engine.prepare:
            result = pg.exec_params(ready.text, values, ready.types, ready.formats, 1)
        else:
            name = ready.name
            if name not in self._prepared:
                self._check(pg.prepare(name, ready.text, ready.types))
                self._prepared.add(name)
            result = pg.exec_prepared(name, values, ready.formats, 1)
        if result.status not in _OK:
            self._check(result)
        return result

    def command(self, text: bytes) -> None:
        """Run a command without parameters, such as BEGIN."""
        self._check(self._pg.exec_(text))

    def _check(self, result: pq.abc.PGresult) -> None:
        if result.status in _OK:
            return
        message = (result.error_message or self._pg.error_message).decode(errors="replace").strip()
        if self._pg.status != pq.ConnStatus.OK:
            raise Disconnected(message or "the connection to the database broke")
        fields = [
            (result.error_field(field) or b"").decode(errors="replace")
            for field in (
                pq.DiagnosticField.SQLSTATE,
                pq.DiagnosticField.MESSAGE_PRIMARY,
                pq.DiagnosticField.TABLE_NAME,
                pq.DiagnosticField.CONSTRAINT_NAME,
            )
        ]
        raise translate(*fields)

    def point(self, work: Work) -> Any:
        """Run a unit of work without a transaction around it; once more when the connection was cut."""
        try:
            return work(PostgresTransaction(self))
        except Disconnected:
            self.connect()
            return work(PostgresTransaction(self))

    def read(self, work: Work) -> Any:
        for attempt in range(TRIES):
            try:
                return self._read_once(work)
            except Disconnected:
                if attempt:
                    raise
                self.connect()
            except Retry as error:
                log.info("a read runs again: %s", error)
        raise Unavailable("the database is too busy")

    def _read_once(self, work: Work) -> Any:
        self.command(b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            return work(PostgresTransaction(self))
        finally:
            self._end(b"COMMIT")

    def write(self, work: Work) -> Any:
        for attempt in range(TRIES):
            try:
                return self._write_once(work)
            except CommitUnknown:
                self._drop()
                raise
            except Disconnected:
                if attempt:
                    raise
                self.connect()
            except Retry as error:
                log.info("a write runs again: %s", error)
                time.sleep(0.002 * (1 << attempt))
        raise Unavailable("too many others changed the same thing")

    def _write_once(self, work: Work) -> Any:
        tx = PostgresTransaction(self)
        self.command(b"BEGIN")
        try:
            result = work(tx)
            if self.fault is not None:
                self.fault("before commit")
        except BaseException:
            self._end(b"ROLLBACK")
            raise
        try:
            self.command(b"COMMIT")
            if self.fault is not None:
                self.fault("after commit")
        except Disconnected as error:
            raise CommitUnknown("the connection broke during COMMIT: the outcome is unknown") from error
        for callback in tx.callbacks:
            callback()
        self._engine.wrote(self.written + 1)
        self.written = 0
        return result

    def _end(self, command: bytes) -> None:
        """End a transaction whose outcome does not matter; a broken connection is replaced at its next use."""
        if self._pg.status == pq.ConnStatus.OK and self._pg.transaction_status != pq.TransactionStatus.IDLE:
            self._pg.exec_(command)

    def _drop(self) -> None:
        try:
            self.connect()
        except Unavailable:
            log.warning("the database cannot be reached")
