"""The batch connection: one PostgreSQL connection on the event loop that runs a ``Batch`` without a thread.

All statements of a batch are sent together with BEGIN and COMMIT: one round trip, and no thread to wake. A batch that
has to run again runs in a storage thread.

Rules of this module: it runs on one event loop, never waits, and runs one batch at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, NoReturn

import psycopg

from storage.database.postgres.pipeline import Disconnected, Pipeline, Retry
from storage.database.postgres.session import ConnectionSource, PostgresTransaction
from storage.database.thread_pool import settle
from storage.database.transaction import Batch
from storage.errors import CommitUnknown, StorageError

log = logging.getLogger("storage")

PendingBatch = tuple[Batch[Any], "asyncio.Future[Any]"]


class BatchConnection:
    """One connection. ``is_free``: it can take a batch now; ``broken``: the engine must open another one."""

    def __init__(
        self, connection: psycopg.Connection[Any], engine: ConnectionSource, *, retry: Callable[[PendingBatch], None]
    ) -> None:
        """``retry`` runs a batch that had no effect so far."""
        self.loop = asyncio.get_running_loop()
        self.broken = False
        self.written = 0
        self._engine = engine
        self._retry = retry
        self._pipeline = Pipeline(connection, prepare=engine.prepare, patience=engine.answer_timeout)
        self._pending: PendingBatch | None = None
        self._result: Any = None
        self._timer: asyncio.TimerHandle | None = None
        self._socket = connection.pgconn.socket
        self.loop.add_reader(self._socket, self._readable)

    @property
    def is_free(self) -> bool:
        """Whether no batch is running."""
        return self._pending is None and not self.broken

    def run(self, batch: Batch[Any]) -> asyncio.Future[Any]:
        """Start a batch; the future gets its result after the commit."""
        future = self.loop.create_future()
        if self._pipeline.is_cut():
            self.close()
            self._retry((batch, future))
            return future
        try:
            self._pipeline.command(b"BEGIN")
            self._result = batch(PostgresTransaction(self))
            self._call_fault_hook("before commit")
            self._pipeline.command(b"COMMIT")
        except BaseException:  # without a COMMIT nothing has changed
            self.close()
            raise
        self._pending = batch, future
        self._timer = self.loop.call_later(self._engine.answer_timeout, self._connection_lost, "no answer")
        try:
            self._pipeline.dispatch()
        except Disconnected as error:
            self._connection_lost(error)
        return future

    def close(self) -> None:
        """Close the connection; the outcome of a running batch is unknown."""
        if self.broken:
            return
        self.broken = True
        if not self.loop.is_closed():
            self.loop.remove_reader(self._socket)
        self._pipeline.close()
        self._settle(None, CommitUnknown("the connection was closed during COMMIT: the outcome is unknown"))

    # -- what ``PostgresTransaction`` needs of a session

    def pipeline(self) -> Pipeline:
        """The connection that the next statement runs on."""
        self._call_fault_hook("statement")
        return self._pipeline

    def execute(self, _statement: object, _params: object) -> NoReturn:
        """Not possible: a unit of work that needs a result is not a batch."""
        raise TypeError("a batch cannot wait for an answer")

    def wait(self) -> NoReturn:
        raise TypeError("a batch cannot wait for an answer")

    # -- answers

    def _readable(self) -> None:
        if self._pending is None:
            if self._pipeline.is_cut():
                self.close()
            return
        try:
            if self._pipeline.collect() is None:
                return
            self._call_fault_hook("after commit")
        except Disconnected as error:
            self._connection_lost(error)
        except StorageError as error:
            self._statement_failed(error)
        else:
            self._settle(self._result, None)
            self._engine.count_written(1)

    def _statement_failed(self, error: StorageError) -> None:
        """A statement failed, so that COMMIT was not done."""
        try:
            self._pipeline.command(b"ROLLBACK")
            self._pipeline.leave()
        except Disconnected:
            self.broken = True
        pending = self._pending
        if isinstance(error, Retry) and pending is not None:
            self._clear()
            try:
                self._retry(pending)
            except StorageError as closing:
                settle(pending[1], None, closing)
        else:
            self._settle(None, error)

    def _connection_lost(self, reason: object) -> None:
        log.warning("a connection to the database broke during COMMIT: %s", reason)
        self.close()

    def _settle(self, result: Any, error: BaseException | None) -> None:
        if self._pending is None:
            return
        _, future = self._pending
        self._clear()
        settle(future, result, error)

    def _clear(self) -> None:
        self._pending = self._result = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _call_fault_hook(self, event: Any) -> None:
        if self._engine.fault is not None:
            self._engine.fault(event)
