"""Ids and tokens: UUIDv7 made by the application (RFC 9562 §5.7), because no database sequence has a meaning here.

Rules of this module: the only place of ``storage`` that reads a clock or randomness; both can be given by a caller.
"""

from __future__ import annotations

import os
import secrets
import threading
import time

_lock = threading.Lock()
_last = 0

_RAND_B_BITS = 62
_TICK_BITS = 12


def new_id(now_ns: int | None = None) -> bytes:
    """A UUIDv7 as 16 bytes; within one process each is greater than the one before (RFC 9562 §6.2 method 3).

    ``now_ns`` is the Unix time in nanoseconds, by default the clock's. The 12 bits after the milliseconds hold the
    fraction of the millisecond; a clock that stands still or goes back is answered by counting on.
    """
    global _last
    ns = time.time_ns() if now_ns is None else now_ns
    millis, rest = divmod(ns, 1_000_000)
    tick = (millis << _TICK_BITS) | (rest << _TICK_BITS) // 1_000_000
    with _lock:
        if tick <= _last:
            tick = _last + 1
        _last = tick
    random = int.from_bytes(os.urandom(8), "big") & ((1 << _RAND_B_BITS) - 1)
    millis, fraction = tick >> _TICK_BITS, tick & 0xFFF
    return ((millis << 80) | (0x7 << 76) | (fraction << 64) | (0b10 << _RAND_B_BITS) | random).to_bytes(16, "big")


def new_epoch() -> str:
    """The random text that tells one history of this database from another (made at creation and at restore)."""
    return secrets.token_hex(6)
