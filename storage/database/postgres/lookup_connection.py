"""The look-up connection: one PostgreSQL connection on the event loop that answers a ``Lookup`` without a thread.

All look-ups of one turn of the loop are sent together (libpq's pipeline mode), so that many concurrent polls wake the
server and this process once. A look-up that fails here runs again in a storage thread, which retries.

Rules of this module: it runs on one event loop, never waits, and only reads.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import pq
from psycopg.adapt import Transformer

from storage.database.postgres.codec import Prepared, prepare
from storage.database.statements import Lookup

log = logging.getLogger("storage")

BATCH = 64
"""How many look-ups are sent together at most."""

PendingLookup = tuple[Lookup[Any], "asyncio.Future[Any]"]
_TUPLES, _SYNC, _DONE = pq.ExecStatus.TUPLES_OK, pq.ExecStatus.PIPELINE_SYNC, pq.ExecStatus.COMMAND_OK


class LookupConnection:
    """One non-blocking connection in pipeline mode. ``broken``: the engine must open another one."""

    def __init__(
        self, connection: psycopg.Connection[Any], *, patience: float, fallback: Callable[[PendingLookup], None]
    ) -> None:
        """``patience``: seconds to wait for an answer; ``fallback`` takes what this connection could not answer."""
        self.loop = asyncio.get_running_loop()
        self.broken = False
        self._connection = connection
        self._pg = connection.pgconn
        self._transformer = Transformer(connection)
        self._patience = patience
        self._fallback = fallback
        self._prepared: set[bytes] = set()
        self._waiting: deque[PendingLookup] = deque()
        self._in_flight: deque[PendingLookup | None] = deque()
        """What the server will answer, in order; ``None`` for the preparation of a statement."""
        self._scheduled = False
        self._batching = False
        """Whether the last batch held several look-ups: then the next one waits for the end of the turn."""
        self._sent_at: float | None = None
        self._timeout_check: asyncio.TimerHandle | None = None
        self._pg.nonblocking = 1
        self._pg.enter_pipeline_mode()
        self._socket = self._pg.socket  # libpq drops it when the connection breaks
        self.loop.add_reader(self._socket, self._readable)

    def ask(self, lookup: Lookup[Any]) -> asyncio.Future[Any]:
        """Send a look-up with the next batch; the future gets its decoded row."""
        future = self.loop.create_future()
        self._waiting.append((lookup, future))
        if self._sent_at is None and not self._scheduled:
            if self._batching:
                self._scheduled = True
                self.loop.call_soon(self._send)
            else:
                self._send()
        return future

    def close(self) -> None:
        """Close the connection; the fallback answers what still waits."""
        if self.broken:
            return
        self.broken = True
        if self._timeout_check is not None:
            self._timeout_check.cancel()
        if not self.loop.is_closed():
            self.loop.remove_reader(self._socket)
            self.loop.remove_writer(self._socket)
        self._connection.close()
        for pending in (*self._in_flight, *self._waiting):
            if pending is not None and not pending[1].done():
                self._fallback(pending)
        self._in_flight.clear()
        self._waiting.clear()

    def _send(self) -> None:
        self._scheduled = False
        if self.broken or not self._waiting:
            return
        pg, in_flight = self._pg, self._in_flight
        count = min(BATCH, len(self._waiting))
        self._batching = count > 1
        try:
            for _ in range(count):
                pending = self._waiting.popleft()
                ready: Prepared = pending[0].statement.postgres or prepare(pending[0].statement)
                if ready.name not in self._prepared:
                    pg.send_prepare(ready.name, ready.text, ready.types)
                    self._prepared.add(ready.name)
                    in_flight.append(None)
                in_flight.append(pending)
                pg.send_query_prepared(ready.name, ready.values(pending[0].params), ready.formats, 1)
            pg.pipeline_sync()
            if pg.flush():
                self.loop.add_writer(self._socket, self._writable)
        except psycopg.Error as error:
            self._break(error)
            return
        self._sent_at = time.monotonic()
        if self._timeout_check is None:
            self._timeout_check = self.loop.call_later(self._patience, self._check_timeout)

    def _check_timeout(self) -> None:
        """Close the connection when a batch is not answered in time; one timer serves many batches."""
        self._timeout_check = None
        if self._sent_at is None:
            return
        left = self._sent_at + self._patience - time.monotonic()
        if left > 0:
            self._timeout_check = self.loop.call_later(left, self._check_timeout)
        else:
            self._break(TimeoutError("no answer"))

    def _writable(self) -> None:
        try:
            if not self._pg.flush():
                self.loop.remove_writer(self._socket)
        except psycopg.Error as error:
            self._break(error)

    def _readable(self) -> None:
        pg = self._pg
        try:
            pg.consume_input()
            while self._sent_at is not None:
                if pg.is_busy():
                    return
                result = pg.get_result()
                if result is None:
                    continue  # the end of one answer
                if result.status == _SYNC:
                    self._batch_answered()
                else:
                    self._answer(result)
        except psycopg.Error as error:
            self._break(error)

    def _batch_answered(self) -> None:
        """Send the next batch after one was answered."""
        self._sent_at = None
        if self._waiting:
            self._send()

    def _answer(self, result: pq.abc.PGresult) -> None:
        pending = self._in_flight.popleft()
        if pending is None:
            if result.status != _DONE:
                self._prepared.clear()
                raise psycopg.OperationalError("a statement could not be prepared")
            return
        lookup, future = pending
        if future.done():
            return
        if result.status != _TUPLES:
            self._fallback(pending)  # the thread will say what is wrong
            return
        try:
            row = None
            if result.ntuples:
                self._transformer.set_pgresult(result, set_loaders=True, format=pq.Format.BINARY)
                row = self._transformer.load_rows(0, 1, tuple)[0]
            future.set_result(lookup.decode(row))
        except Exception as error:
            future.set_exception(error)

    def _break(self, error: Exception) -> None:
        log.warning("the fast connection to the database broke: %s", error)
        self.close()
