"""Bounds on CPU that mean the same on every machine, also on a busy one."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from operator import itemgetter

_YARD = 0.003
"""Seconds that ``_yard`` takes on the machine that the bounds were set on."""


def _yard() -> float:
    """A piece of work that is always the same, in seconds of CPU."""
    gc.disable()  # a collection would cost by what else the process holds
    begin = time.process_time()
    made: list[tuple[int, str, object]] = [(number * 7919 % 10_007, str(number), {}) for number in range(10_000)]
    made.sort(key=itemgetter(0))
    spent = time.process_time() - begin
    gc.enable()
    return spent


def within(work: Callable[[], object], limit: float, before: Callable[[], object] | None = None) -> bool:
    """Whether a piece of work takes less than ``limit`` seconds of CPU on the machine that the bounds were set on.

    Its ratio to the yard counts where this machine is slower, or others use it. The yard is taken beside each attempt,
    since the speed changes within a second. A fifth is for the error of both. ``before`` is done before each attempt.
    """
    for _ in range(8):
        if before is not None:
            before()
        begin = time.process_time()
        work()
        spent = time.process_time() - begin
        if spent < limit or spent < limit * 1.2 * max(_yard(), _yard()) / _YARD:
            return True
    return False
