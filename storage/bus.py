"""What processes tell each other, over Redis when there is one: which calendar moved on to which ``seq``, and counts.

Rules of this module: the only one that knows ``redis``. Nothing here is true by itself: an announcement is a hint, the
database has the last word, so a lost one costs time and never data. Redis that is gone, slow or flushed must not fail a
request nor hold it up: announcements are sent in the background, counters wait at most ``PATIENCE`` and then not at all
for a while. Without Redis one process is complete.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cachetools import FIFOCache

from protocol.model import CalendarId, PrincipalId, Seq

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger("storage")

PATIENCE = 0.04
"""Seconds a request may wait for Redis."""

LONGEST_PAUSE = 10.0
"""Seconds at most before Redis is tried again after it failed."""

_CHANNEL = "caldav-server:changes"
_COUNTER = "caldav-server:count:"
_MESSAGE = struct.Struct(">8s16s16sq")
_MOST_QUEUED = 10_000
_MOST_COUNTERS = 50_000

Listener = Callable[[PrincipalId, CalendarId, Seq], None]


class Bus:
    """Announcements and counters of this process, shared with others through Redis when ``url`` is given."""

    def __init__(self, url: str = "", *, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._origin = os.urandom(8)
        self._listeners: list[Listener] = []
        self._gap_listeners: list[Callable[[], None]] = []
        self._outgoing: deque[bytes] = deque(maxlen=_MOST_QUEUED)
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._counts: FIFOCache[str, tuple[int, float]] = FIFOCache(_MOST_COUNTERS)
        self._client: Redis | None = None
        self._trouble: tuple[type[Exception], ...] = (OSError, asyncio.TimeoutError)
        self._paused_until = 0.0
        self._pause = 0.25
        self.connected = False
        """Whether announcements of other processes arrive now; always false without Redis."""

    async def start(self) -> None:
        """Begin to send and to receive; answers at once, whether Redis is there or not."""
        if not self._url:
            return
        from redis.exceptions import RedisError

        self._trouble = (RedisError, *self._trouble)
        self._client = self._connect(PATIENCE)
        self._tasks = [asyncio.create_task(self._send_all()), asyncio.create_task(self._receive_all())]

    async def close(self) -> None:
        """Stop both and let go of Redis."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._client is not None:
            await _let_go(self._client)
            self._client = None

    # -- announcements

    def listen(self, listener: Listener, gap: Callable[[], None] | None = None) -> None:
        """Call ``listener`` for every announcement, own ones included; ``gap`` when some may have been missed."""
        self._listeners.append(listener)
        if gap is not None:
            self._gap_listeners.append(gap)

    def announce(self, principal_id: PrincipalId, calendar_id: CalendarId, seq: Seq) -> None:
        """Say that a calendar moved on to ``seq``: after the commit, on the event loop. Never waits."""
        self._tell(principal_id, calendar_id, seq)
        if self._client is not None:
            self._outgoing.append(_MESSAGE.pack(self._origin, principal_id, calendar_id, seq))
            self._wake.set()

    def _tell(self, principal_id: PrincipalId, calendar_id: CalendarId, seq: Seq) -> None:
        for listener in self._listeners:
            listener(principal_id, calendar_id, seq)

    def _connect(self, timeout: float | None) -> Redis:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        return Redis.from_url(
            self._url,
            socket_timeout=timeout,
            socket_connect_timeout=1.0 if timeout is None else timeout,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
        )

    async def _send_all(self) -> None:
        client = self._connect(1.0)
        pause = 0.1
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._outgoing:
                    try:
                        await client.publish(_CHANNEL, self._outgoing[0])
                    except self._trouble as error:
                        log.info("announcements wait: %s", error)
                        await asyncio.sleep(pause)
                        pause = min(pause * 2, LONGEST_PAUSE)
                    else:
                        pause = 0.1
                        self._outgoing.popleft()
        finally:
            await _let_go(client)

    async def _receive_all(self) -> None:
        pause = 0.1
        while True:
            client = self._connect(None)
            try:
                async with client.pubsub() as channel:
                    await channel.subscribe(_CHANNEL)
                    async for message in channel.listen():
                        if message["type"] == "subscribe":
                            self.connected, pause = True, 0.1
                            for gap in self._gap_listeners:
                                gap()
                        elif message["type"] == "message":
                            self._received(message["data"])
            except self._trouble as error:
                log.info("no announcements from others: %s", error)
            finally:
                self.connected = False
                await _let_go(client)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _received(self, data: Any) -> None:
        if not isinstance(data, bytes) or len(data) != _MESSAGE.size:
            return
        origin, principal_id, calendar_id, seq = _MESSAGE.unpack(data)
        if origin != self._origin:
            self._tell(PrincipalId(principal_id), CalendarId(calendar_id), Seq(seq))

    # -- counters

    async def count(self, key: str, seconds: int) -> int:
        """Count one more of ``key`` and answer how many there were since its first, at most ``seconds`` ago.

        The greater of this process's own count and the shared one: losing Redis forgives nothing that this process
        has seen.
        """
        own = self._count_here(key, seconds)
        shared = await self._count_shared(key, seconds)
        return own if shared is None else max(own, shared)

    async def forget(self, key: str) -> None:
        """Begin to count ``key`` anew (a successful login)."""
        self._counts.pop(key, None)
        if self._ready():
            await self._ask("DEL", _COUNTER + key)

    def _count_here(self, key: str, seconds: int) -> int:
        now = self._clock()
        count, until = self._counts.get(key, (0, 0.0))
        if until <= now:
            count, until = 0, now + seconds
        self._counts[key] = (count + 1, until)
        return count + 1

    async def _count_shared(self, key: str, seconds: int) -> int | None:
        if not self._ready():
            return None
        found = await self._ask("INCR", _COUNTER + key)
        if found == 1:
            await self._ask("EXPIRE", _COUNTER + key, seconds)
        return found

    def _ready(self) -> bool:
        return self._client is not None and self._clock() >= self._paused_until

    async def _ask(self, *command: str | int) -> int | None:
        """A command's number, or ``None`` when Redis does not answer in time; then it is left alone for a while."""
        client = self._client
        if client is None:
            return None
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await client.execute_command(*command)  # type: ignore[no-untyped-call]
        except self._trouble as error:
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
            self._paused_until = self._clock() + self._pause
            log.info("shared counters rest for %.1f s: %s", self._pause, error)
            return None
        self._pause = 0.25
        return int(answer)


async def _let_go(client: Redis) -> None:
    """Close a client whose server may be gone or silent."""
    with contextlib.suppress(Exception):  # whatever it says, it is let go of
        await client.aclose()
