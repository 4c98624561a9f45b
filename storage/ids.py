"""Ids and tokens: the application makes UUIDv7 (RFC 9562 §5.7), so that an id needs no database.

Rules of this module: no other module of ``storage`` reads a clock or randomness.
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

    ``now_ns`` is the Unix time in nanoseconds, by default from the clock. The 12 bits after the milliseconds hold the
    fraction of the millisecond. When the clock stands still or goes back, the number counts on.
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
    """A random text that identifies one history of the database (made at creation and at restore)."""
    return secrets.token_hex(6)
