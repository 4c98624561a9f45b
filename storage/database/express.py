"""The express: one PostgreSQL connection on the event loop that runs ``Batch``es without a thread.

All statements of a batch travel together with BEGIN and COMMIT: one round trip, and nobody to wake but the server.
Whatever has to be tried again is done in a storage thread, which knows how.

Rules of this module: runs on one event loop only; never waits; one batch at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, NoReturn

import psycopg

from storage.database.pipe import Disconnected, Pipe, Retry
from storage.database.session import Owner, PostgresTransaction
from storage.database.transaction import Batch
from storage.database.workers import settle
from storage.errors import CommitUnknown, StorageError

log = logging.getLogger("storage")

Asked = tuple[Batch[Any], "asyncio.Future[Any]"]


class Express:
    """One connection; ``is_free`` says whether it can take a batch now, ``broken`` that another one has to be made."""

    def __init__(self, connection: psycopg.Connection[Any], engine: Owner, *, again: Callable[[Asked], None]) -> None:
        """``again`` runs a batch of which nothing has happened."""
        self.loop = asyncio.get_running_loop()
        self.broken = False
        self.written = 0
        self._engine = engine
        self._again = again
        self._pipe = Pipe(connection, prepare=engine.prepare, patience=engine.answer_timeout)
        self._asked: Asked | None = None
        self._result: Any = None
        self._timer: asyncio.TimerHandle | None = None
        self._socket = connection.pgconn.socket
        self.loop.add_reader(self._socket, self._readable)

    @property
    def is_free(self) -> bool:
        """Whether no batch is under way."""
        return self._asked is None and not self.broken

    def run(self, batch: Batch[Any]) -> asyncio.Future[Any]:
        """Begin a batch; the future gets its result when it is committed."""
        future = self.loop.create_future()
        if self._pipe.is_cut():
            self.close()
            self._again((batch, future))
            return future
        try:
            self._pipe.command(b"BEGIN")
            self._result = batch(PostgresTransaction(self))
            self._meet("before commit")
            self._pipe.command(b"COMMIT")
        except BaseException:  # without a COMMIT nothing has happened
            self.close()
            raise
        self._asked = batch, future
        self._timer = self.loop.call_later(self._engine.answer_timeout, self._lose, "no answer")
        try:
            self._pipe.dispatch()
        except Disconnected as error:
            self._lose(error)
        return future

    def close(self) -> None:
        """Give the connection up; of a batch under way nobody knows what became."""
        if self.broken:
            return
        self.broken = True
        if not self.loop.is_closed():
            self.loop.remove_reader(self._socket)
        self._pipe.close()
        self._settle(None, CommitUnknown("the connection was closed during COMMIT: the outcome is unknown"))

    # -- what ``PostgresTransaction`` needs of a session

    def pipe(self) -> Pipe:
        """The connection on which a statement is about to run."""
        self._meet("statement")
        return self._pipe

    def execute(self, _statement: object, _params: object) -> NoReturn:
        """A batch asks nothing: what wants an answer is an ordinary unit of work."""
        raise TypeError("a batch cannot wait for an answer")

    def wait(self) -> NoReturn:
        raise TypeError("a batch cannot wait for an answer")

    # -- answers

    def _readable(self) -> None:
        if self._asked is None:
            if self._pipe.is_cut():
                self.close()
            return
        try:
            if self._pipe.collect() is None:
                return
            self._meet("after commit")
        except Disconnected as error:
            self._lose(error)
        except StorageError as error:
            self._undone(error)
        else:
            self._settle(self._result, None)
            self._engine.wrote(1)

    def _undone(self, error: StorageError) -> None:
        """A statement failed, so that COMMIT was not done."""
        try:
            self._pipe.command(b"ROLLBACK")
            self._pipe.leave()
        except Disconnected:
            self.broken = True
        asked = self._asked
        if isinstance(error, Retry) and asked is not None:
            self._forget()
            try:
                self._again(asked)
            except StorageError as closing:
                settle(asked[1], None, closing)
        else:
            self._settle(None, error)

    def _lose(self, reason: object) -> None:
        log.warning("a connection to the database broke during COMMIT: %s", reason)
        self.close()

    def _settle(self, result: Any, error: BaseException | None) -> None:
        if self._asked is None:
            return
        _, future = self._asked
        self._forget()
        settle(future, result, error)

    def _forget(self) -> None:
        self._asked = self._result = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _meet(self, event: Any) -> None:
        if self._engine.fault is not None:
            self._engine.fault(event)
