"""Storage threads: how many work, which one, and what becomes of work items when the database is closed."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from storage.database.thread_pool import Session, ThreadPool, Work, WorkItem
from storage.errors import Unavailable


class Thread(Session):
    """A session without a database: work is called with nothing."""

    def read(self, work: Work) -> Any:
        return work(None)  # type: ignore[arg-type]

    write = point = read

    def close(self) -> None:
        pass


def pool(count: int, *, helper_delay: float = 0.0, patience: float = 10.0) -> ThreadPool:
    return ThreadPool("test", count, Thread, patience=patience, helper_delay=helper_delay)


def who(_tx: object) -> str:
    return threading.current_thread().name


async def test_one_after_the_other_needs_one_thread() -> None:
    threads = pool(8)
    names = set()
    for _ in range(50):
        names.add(await threads.submit(WorkItem(who, kind="read")))
        await asyncio.sleep(0.005)  # the thread has answered and is about to rest
    assert len(names) <= 2
    threads.close()


async def test_many_at_once_work_at_once_and_no_more_than_allowed() -> None:
    threads = pool(4)
    meeting = threading.Barrier(4)
    for _ in range(2):
        found = [threads.submit(WorkItem(lambda _tx: (meeting.wait(10), who(_tx))[1], kind="read")) for _ in range(8)]
        assert set(await asyncio.gather(*found)) == {"test-0", "test-1", "test-2", "test-3"}
    threads.close()


async def test_a_calm_thread_is_left_alone_until_it_takes_long() -> None:
    threads = pool(4, helper_delay=0.2)
    gate = threading.Event()
    first = threads.submit(WorkItem(lambda _tx: gate.wait(10), kind="read"))
    second = threads.submit(WorkItem(who, kind="read"))
    await asyncio.sleep(0.02)
    assert not second.done()
    assert await asyncio.wait_for(second, 5) == "test-1"
    assert not first.done()
    gate.set()
    assert await first
    threads.close()


async def test_as_many_help_as_take_long() -> None:
    threads = pool(3, helper_delay=0.05)
    gate = threading.Event()
    slow = [threads.submit(WorkItem(lambda _tx: gate.wait(10), kind="read")) for _ in range(2)]
    assert await asyncio.wait_for(threads.submit(WorkItem(who, kind="read")), 5) == "test-2"
    gate.set()
    await asyncio.gather(*slow)
    threads.close()


async def test_what_waits_is_done_before_the_end_and_nothing_after_it() -> None:
    threads = pool(1)
    waiting = [threads.submit(WorkItem(lambda _tx: time.sleep(0.01), kind="read")) for _ in range(10)]
    await asyncio.to_thread(threads.close)
    await asyncio.gather(*waiting)
    with pytest.raises(Unavailable):
        threads.submit(WorkItem(who, kind="read"))


async def test_who_waited_too_long_is_refused() -> None:
    threads = pool(1, patience=0.05)
    first = threads.submit(WorkItem(lambda _tx: time.sleep(0.2), kind="read"))
    second = threads.submit(WorkItem(who, kind="read"))
    await first
    with pytest.raises(Unavailable):
        await second
    threads.close()
