"""Threads that run units of work: each owns one session (a connection) for its whole life.

Rules of this module: no dialect; a result travels back to the event loop of whoever asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
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
            self.loop.call_soon_threadsafe(settle, self.future, result, error)
        except RuntimeError:  # the loop is closed: the asker is gone
            log.debug("nobody waits for this answer")


def settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    """Give a future its result or its error; nobody may be waiting any more."""
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


class Worker:
    """A thread and the bell that calls it back to work."""

    __slots__ = ("bell", "thread")

    def __init__(self, serve: Callable[[Worker], None], name: str) -> None:
        self.bell: SimpleQueue[None] = SimpleQueue()
        self.thread = threading.Thread(target=serve, args=(self,), name=name, daemon=True)


class Workers:
    """As many threads as are needed at once, up to a number; jobs that find none free wait in order.

    A job goes to the thread that has rested the shortest: its connection, its statements and the pages it touched are
    still in the caches of the processor, here and in the database's process. Threads that are never needed are never
    started, nor their connections opened.
    """

    def __init__(
        self, name: str, count: int, connect: Callable[[], Session], *, patience: float, calm: float = 0.0
    ) -> None:
        """``patience``: seconds a job may wait for a thread before it is refused as ``Unavailable``.

        ``calm``: seconds that one thread is left to work alone before another one helps: for work that several threads
        of this process can do no faster than one.
        """
        self._name = name
        self._count = count
        self._connect = connect
        self._patience = patience
        self._calm = calm
        self._lock = threading.Lock()
        self._workers: list[Worker] = []
        self._resting: list[Worker] = []
        self._waiting: deque[Job] = deque()
        self._taken = 0.0
        """When a thread last took a job."""
        self._watched = False
        self._closing = False

    def submit(self, job: Job) -> asyncio.Future[Any]:
        """Hand over a job; the future is of the running event loop."""
        with self._lock:
            if self._closing:
                raise Unavailable("the database is closed")
            self._waiting.append(job)
            if not self._calm or len(self._workers) == len(self._resting):
                self._call()
            elif not self._watched:
                self._watched = True
                job.loop.call_later(self._calm, self._watch)
        return job.future

    def _call(self) -> None:
        """Have one more thread work, if there is one."""
        if self._resting:
            self._resting.pop().bell.put(None)
        elif len(self._workers) < self._count:
            worker = Worker(self._serve, f"{self._name}-{len(self._workers)}")
            self._workers.append(worker)
            worker.thread.start()

    def _watch(self) -> None:
        """Have another thread help when jobs wait and none was taken for a while; look again as long as any wait."""
        with self._lock:
            self._watched = bool(self._waiting) and not self._closing
            if not self._watched:
                return
            if time.monotonic() - self._taken >= self._calm:
                self._call()
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody is left to wait
            asyncio.get_running_loop().call_later(self._calm, self._watch)

    def close(self) -> None:
        """Finish what is waiting, then stop every thread and close its session."""
        with self._lock:
            self._closing = True
            while self._resting:
                self._resting.pop().bell.put(None)
        for worker in self._workers:
            worker.thread.join()

    def another(self) -> Job | None:
        """The next job if one is waiting."""
        try:
            job = self._waiting.popleft()
        except IndexError:
            return None
        self._taken = time.monotonic()
        return job

    def _next(self, worker: Worker) -> Job | None:
        """The job that has waited longest, or else whichever comes; ``None`` to stop."""
        while True:
            with self._lock:
                job = self.another()
                if job is not None or self._closing:
                    return job
                self._resting.append(worker)
            worker.bell.get()

    def _serve(self, worker: Worker) -> None:
        session: Session | None = None
        while (job := self._next(worker)) is not None:
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

    def refuse_stale(self, job: Job) -> None:
        """Refuse a job that waited so long that its client has given up."""
        if time.monotonic() - job.queued > self._patience:
            raise Unavailable("the database is too busy")
