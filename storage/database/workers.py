"""Threads that run units of work: each owns one session (a connection) for its whole life.

Rules of this module: no dialect; a result travels back to the event loop of whoever asked.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Literal, Protocol

from storage.database.transaction import Transaction
from storage.errors import Unavailable

log = logging.getLogger("storage")

Work = Callable[[Transaction], Any]
Kind = Literal["read", "write", "point"]


class Session(Protocol):
    """One connection, used by one thread."""

    def read(self, work: Work) -> Any:
        """Run a unit of work in one read-only snapshot."""

    def write(self, work: Work) -> Any:
        """Run a unit of work and commit it."""

    def point(self, work: Work) -> Any:
        """Run a small read, usually of one statement."""

    def close(self) -> None:
        """Close the connection."""


class Job:
    """A unit of work on its way to a thread and its answer on the way back."""

    __slots__ = ("future", "kind", "loop", "queued", "work")

    def __init__(self, work: Work, *, kind: Kind, future: asyncio.Future[Any] | None = None) -> None:
        """``kind`` is the method of ``Session`` that runs it."""
        self.work = work
        self.kind = kind
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future() if future is None else future
        self.loop = self.future.get_loop()
        self.queued = time.monotonic()

    def settle(self, result: Any, error: BaseException | None) -> None:
        """Hand the answer to the event loop; nobody may be waiting any more."""
        try:
            self.loop.call_soon_threadsafe(_settle, self.future, result, error)
        except RuntimeError:  # the loop is closed: the asker is gone
            log.debug("nobody waits for this answer")


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


Queue = SimpleQueue[Job | None]


class Workers:
    """A fixed number of threads that serve one queue of jobs."""

    def __init__(self, name: str, count: int, connect: Callable[[], Session], *, patience: float) -> None:
        """``patience``: seconds a job may wait in the queue before it is refused as ``Unavailable``."""
        self.queue: Queue = SimpleQueue()
        self._connect = connect
        self._patience = patience
        self._threads = [threading.Thread(target=self._serve, name=f"{name}-{n}", daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> asyncio.Future[Any]:
        """Queue a job; the future is of the running event loop."""
        self.queue.put(job)
        return job.future

    def close(self) -> None:
        """Finish what is queued, then stop every thread and close its session."""
        for _ in self._threads:
            self.queue.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        session: Session | None = None
        while (job := self.queue.get()) is not None:
            try:
                if session is None:
                    session = self._connect()
            except BaseException as error:
                job.settle(None, error)
            else:
                self.run(session, job)
            job = None  # a thread at rest must not keep an answer alive
        if session is not None:
            session.close()

    def run(self, session: Any, job: Job) -> None:
        """Run a job on this thread's session and settle it; never raises."""
        try:
            self.refuse_stale(job)
            result = getattr(session, job.kind)(job.work)
        except BaseException as error:  # the asker decides what an error means
            job.settle(None, error)
        else:
            job.settle(result, None)

    def another(self) -> Job | None:
        """The next job if one is waiting."""
        try:
            job = self.queue.get_nowait()
        except Empty:
            return None
        if job is None:
            self.queue.put(None)  # the sign to stop is for the thread's own loop
        return job

    def refuse_stale(self, job: Job) -> None:
        """Refuse a job that waited so long that its client has given up."""
        if time.monotonic() - job.queued > self._patience:
            raise Unavailable("the database is too busy")
