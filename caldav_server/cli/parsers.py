"""Processes that parse a large import beside the one that stores it."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress

from caldav_server.cli.common import Failure

PARALLEL_FROM = 2000
"""The number of objects from which on the processes are worth their start."""

MAX_PARSERS = 4
"""One process that stores cannot follow more."""

_RARE_COLLECTIONS = (100_000, 20, 20)
"""Thresholds of the garbage collector."""

_PR_SET_PDEATHSIG = 1


@contextmanager
def parsers(total: int) -> Iterator[ProcessPoolExecutor | None]:
    """The processes for an import of so many objects; ``None`` where they are not worth their start."""
    spare = min((os.cpu_count() or 1) - 1, MAX_PARSERS)
    if total < PARALLEL_FROM or spare < 1:
        yield None
        return
    # spawned, not forked: storage threads hold locks, and a forked process would wait for them for ever
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(spare, mp_context=context, initializer=_prepare, initargs=(os.getpid(),)) as pool:
        try:
            yield pool
        except BrokenProcessPool:
            raise Failure("a process that parses the file was ended; import again, what is stored stays") from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _prepare(parent: int) -> None:
    """In a parser: ignores interrupts, which are for the command, and ends when the command ends."""
    gc.set_threshold(*_RARE_COLLECTIONS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError, AttributeError):  # another system than Linux
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the command ended before the line above
        os._exit(0)


@contextmanager
def rare_collections() -> Iterator[None]:
    """An import makes millions of rows and no cycles; the usual search for cycles would be a tenth of its work."""
    usual = gc.get_threshold()
    gc.set_threshold(*_RARE_COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
