"""A pool of threads that run units of work. Each thread owns one session (a connection) for its whole life.

Rules of this module: no dialect. A result goes back to the event loop of the caller.
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


class WorkItem:
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
        """Hand the result to the event loop of the caller, which may be closed."""
        try:
            self.loop.call_soon_threadsafe(settle, self.future, result, error)
        except RuntimeError:  # the loop is closed: the caller is gone
            log.debug("nobody waits for this result")


def settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    """Give a future its result or its error, unless it is done or cancelled."""
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


class PoolThread:
    """A thread of the pool and the queue that wakes it up."""

    __slots__ = ("thread", "wakeup")

    def __init__(self, serve: Callable[[PoolThread], None], name: str) -> None:
        self.wakeup: SimpleQueue[None] = SimpleQueue()
        self.thread = threading.Thread(target=serve, args=(self,), name=name, daemon=True)


class ThreadPool:
    """Runs work items in at most ``count`` threads; an item that finds no idle thread waits in order.

    The thread that became idle last takes the next item: its connection, its statements and the pages that it touched
    are still in the caches of the processor, here and in the process of the database. The pool starts a thread and
    opens its connection when it is first needed.
    """

    def __init__(
        self, name: str, count: int, connect: Callable[[], Session], *, patience: float, helper_delay: float = 0.0
    ) -> None:
        """``patience``: seconds that an item may wait for a thread before it is refused as ``Unavailable``.

        ``helper_delay``: seconds that one thread works alone before another one helps. It is for work that several
        threads of this process do no faster than one.
        """
        self._name = name
        self._count = count
        self._connect = connect
        self._patience = patience
        self._helper_delay = helper_delay
        self._lock = threading.Lock()
        self._members: list[PoolThread] = []
        self._idle: list[PoolThread] = []
        self._waiting: deque[WorkItem] = deque()
        self._last_taken = 0.0
        """When a thread last took an item (monotonic clock)."""
        self._watching = False
        self._closing = False

    def submit(self, item: WorkItem) -> asyncio.Future[Any]:
        """Add an item to the queue; answers a future of the running event loop."""
        with self._lock:
            if self._closing:
                raise Unavailable("the database is closed")
            self._waiting.append(item)
            if not self._helper_delay or len(self._members) == len(self._idle):
                self._wake_one()
            elif not self._watching:
                self._watching = True
                item.loop.call_later(self._helper_delay, self._watch)
        return item.future

    def _wake_one(self) -> None:
        """Wake an idle thread, or start one if the pool is not full."""
        if self._idle:
            self._idle.pop().wakeup.put(None)
        elif len(self._members) < self._count:
            member = PoolThread(self._serve, f"{self._name}-{len(self._members)}")
            self._members.append(member)
            member.thread.start()

    def _watch(self) -> None:
        """Wake another thread when items wait and none was taken for a while; check again while any wait."""
        with self._lock:
            self._watching = bool(self._waiting) and not self._closing
            if not self._watching:
                return
            if time.monotonic() - self._last_taken >= self._helper_delay:
                self._wake_one()
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            asyncio.get_running_loop().call_later(self._helper_delay, self._watch)

    def close(self) -> None:
        """Run what is waiting, then stop every thread and close its session."""
        with self._lock:
            self._closing = True
            while self._idle:
                self._idle.pop().wakeup.put(None)
        for member in self._members:
            member.thread.join()

    def take_waiting(self) -> WorkItem | None:
        """The next item, or ``None`` when none is waiting."""
        try:
            item = self._waiting.popleft()
        except IndexError:
            return None
        self._last_taken = time.monotonic()
        return item

    def _next(self, member: PoolThread) -> WorkItem | None:
        """The item that has waited longest; waits for one when there is none. ``None``: stop."""
        while True:
            with self._lock:
                item = self.take_waiting()
                if item is not None or self._closing:
                    return item
                self._idle.append(member)
            member.wakeup.get()

    def _serve(self, member: PoolThread) -> None:
        session: Session | None = None
        while (item := self._next(member)) is not None:
            try:
                if session is None:
                    session = self._connect()
            except BaseException as error:
                item.settle(None, error)
            else:
                self.run(session, item)
            item = None  # an idle thread must not keep a result alive
        if session is not None:
            session.close()

    def run(self, session: Any, item: WorkItem) -> None:
        """Run an item on this thread's session and settle it; never raises."""
        try:
            self.refuse_stale(item)
            result = getattr(session, item.kind)(item.work)
        except BaseException as error:  # the caller decides what an error means
            item.settle(None, error)
        else:
            item.settle(result, None)

    def refuse_stale(self, item: WorkItem) -> None:
        """Refuse an item that waited so long that its client has given up."""
        if time.monotonic() - item.queued > self._patience:
            raise Unavailable("the database is too busy")
