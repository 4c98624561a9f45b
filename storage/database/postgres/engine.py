"""The PostgreSQL engine: it opens connections and decides which of them runs a unit of work.

Rules of this module: what a connection does is in ``session``, ``lookup_connection`` and ``batch_connection``. The
engine refuses a server that may lose acknowledged writes. Plans are generic plans over indexes: a plan that was chosen
while a table was empty must not scan the table when it has grown.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg

from storage.database.postgres.batch_connection import BatchConnection
from storage.database.postgres.lookup_connection import LookupConnection
from storage.database.postgres.pipeline import Disconnected
from storage.database.postgres.session import PostgresSession
from storage.database.statements import Lookup
from storage.database.thread_pool import Kind, ThreadPool, Work, WorkItem
from storage.database.transaction import Batch, FaultHook
from storage.errors import NotDurable, StorageError

log = logging.getLogger("storage")

SETTINGS = (
    # Every statement reads a few index pages: what helps large scans only costs here.
    "-c jit=off -c max_parallel_workers_per_gather=0 -c random_page_cost=1.1"
    " -c enable_seqscan=off -c enable_bitmapscan=off -c plan_cache_mode=force_generic_plan"
    " -c idle_in_transaction_session_timeout=60000 -c lock_timeout={lock} -c statement_timeout={statement}"
)
"""Of every session; milliseconds."""


_GROWTH_STEPS = (50, 400, 3200, 25600)
"""After so many rows written by this process, take the statistics of a young database again."""

_BATCH_CONNECTIONS = 2
"""How many batch connections there are at most; threads run the batches beyond that."""

_YOUNG = 50_000
"""Objects: with more than that PostgreSQL's own autovacuum is quick enough."""


class PostgresEngine:
    """The threads and connections of one PostgreSQL database."""

    dialect = "postgresql"

    def __init__(
        self,
        url: str,
        *,
        pool_size: int,
        lock_timeout: float,
        patience: float,
        allow_unsafe: bool,
        prepare: bool,
    ) -> None:
        self.url = url
        self.prepare = prepare
        self.fault: FaultHook | None = None
        self.answer_timeout = 4 * lock_timeout + 5
        """Seconds: a little longer than the server's own ``statement_timeout``."""
        self._options = SETTINGS.format(lock=int(lock_timeout * 1000), statement=int(lock_timeout * 4000))
        self._refused_until = 0.0
        self._patience = patience
        self._closed = False
        self._lookup_connection: LookupConnection | None = None
        self._may_open_lookup_connection = self._may_open_batch_connection = prepare
        self._batch_connections: list[BatchConnection] = []
        self._written = 0
        self._growth_steps = list(_GROWTH_STEPS)
        self._check(allow_unsafe=allow_unsafe)
        self._threads = ThreadPool("storage", pool_size, lambda: PostgresSession(self), patience=patience)

    def connect(self) -> psycopg.Connection[Any]:
        """A new connection; fails at once when the last attempt has just failed, so that callers do not wait."""
        if time.monotonic() < self._refused_until:
            raise Disconnected("the database cannot be reached")
        extra: dict[str, Any] = {"options": self._options} if self.prepare else {}
        try:
            return psycopg.connect(
                self.url,
                autocommit=True,
                client_encoding="UTF8",
                connect_timeout=5,
                tcp_user_timeout=10000,
                keepalives_idle=30,
                **extra,
            )
        except psycopg.OperationalError as error:
            self._refused_until = time.monotonic() + 0.5
            raise Disconnected(f"the database cannot be reached: {error}") from error

    def _check(self, *, allow_unsafe: bool) -> None:
        with self.connect() as connection:
            found = {
                name: connection.execute(f"SHOW {name}").fetchone()
                for name in ("fsync", "full_page_writes", "synchronous_commit", "server_encoding")
            }
        if found["server_encoding"] != ("UTF8",):
            raise NotDurable("the database must be made with ENCODING 'UTF8'")
        off = [name for name, value in found.items() if value == ("off",)]
        if off and not allow_unsafe:
            raise NotDurable(f"PostgreSQL may lose acknowledged writes: {', '.join(off)} must not be off")

    def count_written(self, rows: int) -> None:
        """Count rows that were written; take statistics at each step of growth."""
        self._written += rows
        if self._growth_steps and self._written >= self._growth_steps[0]:
            self._growth_steps = [step for step in self._growth_steps if step > self._written]
            threading.Thread(target=self._analyze, name="storage-analyze", daemon=True).start()

    def _analyze(self) -> None:
        """Take the statistics of a young database: plans made while it was empty choose an index by chance."""
        try:
            with self.connect() as connection:
                row = connection.execute("SELECT reltuples FROM pg_class WHERE oid = 'objects'::regclass").fetchone()
                if row is None or row[0] > _YOUNG:
                    self._growth_steps = []
                    return
                connection.execute("SET default_statistics_target = 10")
                connection.execute("ANALYZE calendars, objects, occurrences, versions")
        except (psycopg.Error, StorageError) as error:
            log.info("no statistics this time: %s", error)

    async def read(self, work: Work) -> Any:
        return await self._threads.submit(WorkItem(work, kind="read"))

    async def write(self, work: Work) -> Any:
        if type(work) is Batch and (connection := self._free_batch_connection()) is not None:
            return await connection.run(work)
        return await self._threads.submit(WorkItem(work, kind="write"))

    async def point(self, work: Work) -> Any:
        if type(work) is Lookup and (lookups := self._lookup_connection) is not None:
            if lookups.loop is asyncio.get_running_loop() and not lookups.broken:
                return await lookups.ask(work)
            self._lookup_connection = None
        item = WorkItem(work, kind="point")
        if self._lookup_connection is None and self._may_open_lookup_connection:
            self._open_lookup_connection()
        return await self._threads.submit(item)

    def _open_lookup_connection(self) -> None:
        """Open the look-up connection in the background; threads answer until it is there."""
        self._may_open_lookup_connection = False

        def made(connection: psycopg.Connection[Any] | None) -> None:
            self._may_open_lookup_connection = True
            if connection is not None:
                self._lookup_connection = LookupConnection(
                    connection, patience=self._patience, fallback=partial(self._run_in_thread, "point")
                )

        self._connect_soon(made)

    def _free_batch_connection(self) -> BatchConnection | None:
        """An idle batch connection. When there is none, open another in the background; threads work meanwhile."""
        loop = asyncio.get_running_loop()
        for connection in self._batch_connections:
            if connection.is_free and connection.loop is loop:
                return connection
        self._batch_connections = [each for each in self._batch_connections if not each.broken and each.loop is loop]
        if self._may_open_batch_connection and len(self._batch_connections) < _BATCH_CONNECTIONS:
            self._may_open_batch_connection = False

            def made(connection: psycopg.Connection[Any] | None) -> None:
                self._may_open_batch_connection = True
                if connection is not None:
                    self._batch_connections.append(
                        BatchConnection(connection, self, retry=partial(self._run_in_thread, "write"))
                    )

            self._connect_soon(made)
        return None

    def _connect_soon(self, made: Callable[[psycopg.Connection[Any] | None], None]) -> None:
        """Open a connection in the background and pass it on in the event loop; ``None`` when that failed."""

        def opened(done: asyncio.Future[psycopg.Connection[Any]]) -> None:
            connection = None if done.cancelled() or done.exception() is not None else done.result()
            if connection is not None and self._closed:
                connection.close()
                connection = None
            made(connection)

        asyncio.get_running_loop().run_in_executor(None, self.connect).add_done_callback(opened)

    def _run_in_thread(self, kind: Kind, pending: tuple[Work, asyncio.Future[Any]]) -> None:
        """Run in a thread what failed on the event loop."""
        work, future = pending
        self._threads.submit(WorkItem(work, kind=kind, future=future))

    def version(self) -> None:
        """``None``: only a statement could tell whether another process wrote."""

    def schema_revision(self) -> str | None:
        """The migration this database is at; ``None`` before the first."""
        with self.connect() as connection:
            if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
                return None
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])

    def close(self) -> None:
        """Run what threads have queued and close every connection; the outcome of a running batch is unknown."""
        self._closed = True
        if self._lookup_connection is not None:
            self._lookup_connection.close()
            self._lookup_connection = None
        for connection in self._batch_connections:
            connection.close()
        self._threads.close()
