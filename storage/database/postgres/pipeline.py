"""A PostgreSQL connection in libpq's pipeline mode.

A statement whose result is not needed yet is sent with the next one: BEGIN with the first statement, the last
statements with COMMIT. A transaction then costs a few round trips instead of one per statement.

Rules of this module: no retry and no transaction logic. Every failure of the connection is ``Disconnected``.
"""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import pq
from psycopg.adapt import Transformer

from storage.database.postgres.codec import NO_ROW, Prepared, Values
from storage.database.statements import Row
from storage.errors import Duplicate, ParentGone, RowChanged, StorageError, StorageFull, Unavailable

_GOOD = {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK}
Taker = Callable[[pq.abc.PGresult], None]
_SYNC, _ABORTED = pq.ExecStatus.PIPELINE_SYNC, pq.ExecStatus.PIPELINE_ABORTED


class Retry(StorageError):
    """The unit of work may run again: it lost against others and had no effect."""


class Disconnected(Unavailable):
    """The connection broke."""


def translate(state: str, message: str, table: str, constraint: str) -> StorageError:
    """The storage error for an SQLSTATE."""
    if state == "23505":
        for prefix in ("uq", "pk"):
            constraint = constraint.removeprefix(f"{prefix}_{table}_")
        return Duplicate(f"{table}.{constraint}")
    if state == "23503":
        return ParentGone("the principal or calendar of this row is gone")
    if state == NO_ROW:
        return RowChanged(message)
    if state in {"40001", "40P01"}:
        return Retry(message)
    if state in {"53100", "54000"}:
        return StorageFull(message)
    if state in {"57P01", "57P02", "57P03", "25P03"} or state[:2] == "08":
        return Disconnected(message)
    if state[:2] in {"53", "57"} or state in {"55P03", "25006"}:
        return Unavailable(message)
    return StorageError(f"{message} ({state})")


class Pipeline:
    """One connection. ``send`` queues a statement; ``wait`` sends all of them and answers the last result."""

    def __init__(self, connection: psycopg.Connection[Any], *, prepare: bool, patience: float) -> None:
        """``patience``: seconds to wait for an answer before the connection counts as broken."""
        self._connection = connection
        self._pg = connection.pgconn
        self._transformer = Transformer(connection)
        self._prepare = prepare
        self._prepared: set[bytes] = set()
        self._under_way: deque[bytes | Taker] = deque()
        """What the server will answer, in order: the name of a statement that it prepares, the receiver of the result,
        or empty."""
        self._last: pq.abc.PGresult | None = None
        self._wrong: StorageError | None = None
        self._unread = 0
        """How many batches were sent whose answers are not needed."""
        self._timeout = int(patience * 1000)
        self._readable = select.poll()
        self._readable.register(self._pg.socket, select.POLLIN)
        self._any = select.poll()
        self._any.register(self._pg.socket, select.POLLIN | select.POLLOUT)
        self._pg.nonblocking = 1
        self._pg.enter_pipeline_mode()

    @property
    def idle(self) -> bool:
        """Whether no transaction is open, according to the server's last answer."""
        return self._pg.transaction_status == pq.TransactionStatus.IDLE

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def command(self, text: bytes) -> None:
        """Queue a command without parameters, such as BEGIN."""
        try:
            self._pg.send_query_params(text, None)
        except psycopg.Error as error:
            raise Disconnected(str(error)) from error
        self._under_way.append(b"")

    def send(self, ready: Prepared, values: Values, take: Taker | None = None) -> None:
        """Queue a statement; ``take`` gets its result when it arrives, unless it is an error."""
        pg, name = self._pg, ready.name
        try:
            if not (self._prepare and name):
                pg.send_query_params(ready.text, values, ready.types, ready.formats, 1)
            else:
                if name not in self._prepared and name not in self._under_way:
                    pg.send_prepare(name, ready.text, ready.types)
                    self._under_way.append(name)
                pg.send_query_prepared(name, values, ready.formats, 1)
        except psycopg.Error as error:
            raise Disconnected(str(error)) from error
        self._under_way.append(take or b"")

    def push(self) -> None:
        """Send what is queued so far, so that the server starts on it; ``wait`` reads the answers."""
        try:
            self._flush()
        except psycopg.Error as error:
            raise Disconnected(str(error)) from error

    def wait(self) -> pq.abc.PGresult:
        """Send what is queued and answer the last result; raises the first error."""
        self.dispatch()
        while (result := self.collect()) is None:
            if not self._readable.poll(self._timeout):
                raise Disconnected("the database does not answer")
        return result

    def dispatch(self) -> None:
        """Send what is queued and ask for the answers, which ``collect`` reads."""
        try:
            self._pg.pipeline_sync()
            self._flush()
        except psycopg.Error as error:
            raise Disconnected(str(error)) from error

    def collect(self) -> pq.abc.PGresult | None:
        """The last result of what was dispatched, like ``wait``; ``None`` while it has not arrived completely."""
        pg = self._pg
        try:
            pg.consume_input()
            while not pg.is_busy():
                result = pg.get_result()
                if result is None:
                    if pg.status != pq.ConnStatus.OK:
                        raise Disconnected("the connection to the database broke")
                elif self._take(result):
                    return self._outcome()
        except psycopg.Error as error:
            raise Disconnected(str(error)) from error
        return None

    def leave(self) -> None:
        """Send what is queued and do not wait; its answers are read and dropped with those of the next batch."""
        self.dispatch()
        self._unread += 1

    def is_cut(self) -> bool:
        """Whether the server is known to have closed the connection between two batches."""
        while self._readable.poll(0):
            if not self._unread:
                return True  # no answer is due, so the server closes the connection
            try:
                self._read_left()
            except (psycopg.Error, Disconnected):
                return True
        return False

    def _read_left(self) -> None:
        """Read what has arrived of the answers that are not needed."""
        pg = self._pg
        pg.consume_input()
        while self._unread and not pg.is_busy():
            result = pg.get_result()
            if result is not None:
                self._take(result)
            elif pg.status != pq.ConnStatus.OK:
                raise Disconnected("the connection to the database broke")

    def load(self, result: pq.abc.PGresult, count: int) -> list[Row]:
        """The first ``count`` rows of a result as tuples."""
        transformer = self._transformer
        transformer.set_pgresult(result, set_loaders=True, format=pq.Format.BINARY)
        return transformer.load_rows(0, count, tuple)

    def _flush(self) -> None:
        pg = self._pg
        while pg.flush():
            for _, event in self._any.poll(self._timeout) or [(0, 0)]:
                if not event:
                    raise Disconnected("the database takes nothing more")
                if event & ~select.POLLOUT:
                    pg.consume_input()

    def _take(self, result: pq.abc.PGresult) -> bool:
        """Note one result; whether it was the end of the batch that is waited for."""
        status = result.status
        if status == _SYNC:
            if not self._unread:
                return True
            self._unread -= 1
            self._last = self._wrong = None
            return False
        mark = self._under_way.popleft() if self._under_way else b""
        if status in _GOOD:
            self._last = result
            if isinstance(mark, bytes):
                if mark:
                    self._prepared.add(mark)
            else:
                mark(result)
        elif self._wrong is None and status != _ABORTED:
            self._wrong = self._error(result)
        return False

    def _outcome(self) -> pq.abc.PGresult:
        """The last good result of a batch, or its first error."""
        last, wrong = self._last, self._wrong
        self._last = self._wrong = None
        if wrong is not None:
            raise wrong
        if last is None:
            raise Disconnected("the database answered nothing")
        return last

    def _error(self, result: pq.abc.PGresult) -> StorageError:
        message = (result.error_message or self._pg.error_message).decode(errors="replace").strip()
        if self._pg.status != pq.ConnStatus.OK:
            return Disconnected(message or "the connection to the database broke")
        return translate(
            *(
                (result.error_field(field) or b"").decode(errors="replace")
                for field in (
                    pq.DiagnosticField.SQLSTATE,
                    pq.DiagnosticField.MESSAGE_PRIMARY,
                    pq.DiagnosticField.TABLE_NAME,
                    pq.DiagnosticField.CONSTRAINT_NAME,
                )
            )
        )
