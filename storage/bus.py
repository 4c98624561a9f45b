"""What processes tell each other over Redis: a calendar moved on to a ``seq``, accounts changed, something was counted.

Announcements let other processes drop what they remember. They are hints: the database has the last word, so a lost
one costs time and never data. Rules of this module: it is the only one that knows ``redis``; Redis that is gone, slow
or flushed fails no request and delays none. Announcements are sent in the background; a counter waits for at most
``COUNTER_TIMEOUT`` and is not shared for a while after that. Without Redis one process is complete.
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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cachetools import FIFOCache

from protocol.model import CalendarId, PrincipalId, Seq

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger("storage")

COUNTER_TIMEOUT = 0.04
"""Seconds a request may wait for Redis."""

CLOSE_SECONDS = 1.0
"""Seconds that ``close`` may take to send the last announcements."""

MAX_PAUSE = 10.0
"""Seconds at most before Redis is tried again after it failed."""

_FIRST_PAUSE = 0.1
_COUNTER = "caldav-server:count:"
_MAX_QUEUED = 10_000
_MAX_COUNTERS = 50_000

CalendarListener = Callable[[PrincipalId, CalendarId, Seq], None]
AccountsListener = Callable[[int], None]


@dataclass(frozen=True, slots=True, eq=False)
class _Channel:
    """A channel of Redis; a message is the process it comes from and the arguments of the listeners."""

    name: str
    message: struct.Struct


_CALENDARS = _Channel("caldav-server:changes", struct.Struct(">8s16s16sq"))
_ACCOUNTS = _Channel("caldav-server:accounts", struct.Struct(">8sq"))
_CHANNELS = {channel.name.encode(): channel for channel in (_CALENDARS, _ACCOUNTS)}


class Bus:
    """Announcements and counters of this process, shared with others through Redis when ``url`` is given."""

    def __init__(self, url: str = "", *, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._origin = os.urandom(8)
        self._listeners: dict[_Channel, list[Callable[..., None]]] = {one: [] for one in _CHANNELS.values()}
        self._gap_listeners: list[Callable[[], None]] = []
        self._outgoing: deque[tuple[str, bytes]] = deque(maxlen=_MAX_QUEUED)
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._counts: FIFOCache[str, tuple[int, float]] = FIFOCache(_MAX_COUNTERS)
        self._client: Redis | None = None
        self._paused_until = 0.0
        self._pause = 0.25
        self.connected = False
        """Whether announcements of other processes arrive now; always false without Redis."""

    async def start(self) -> None:
        """Begins to send and to receive; returns at once, whether Redis is there or not."""
        if self._url:
            self._client = self._connect(COUNTER_TIMEOUT)
            self._tasks = [asyncio.create_task(self._send_all()), asyncio.create_task(self._receive_all())]

    async def close(self) -> None:
        """Sends the announcements that wait, for at most ``CLOSE_SECONDS``, and closes the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._outgoing:
            await self._send_last()
        if self._client is not None:
            await _close_quietly(self._client)
            self._client = None

    # -- announcements

    def listen(self, listener: CalendarListener, gap: Callable[[], None]) -> None:
        """Calls ``listener`` when a calendar changed, here or elsewhere; ``gap`` when calls may have been missed."""
        self._listeners[_CALENDARS].append(listener)
        self._gap_listeners.append(gap)

    def listen_to_accounts(self, listener: AccountsListener, gap: Callable[[], None]) -> None:
        """Calls ``listener`` with the new version when accounts changed, here or elsewhere; ``gap`` as above."""
        self._listeners[_ACCOUNTS].append(listener)
        self._gap_listeners.append(gap)

    def announce(self, principal_id: PrincipalId, calendar_id: CalendarId, seq: Seq) -> None:
        """Says that a calendar moved on to ``seq``. Call it after the commit, on the event loop; it never waits."""
        self._announce(_CALENDARS, principal_id, calendar_id, seq)

    def announce_accounts(self, version: int) -> None:
        """Says that accounts are at another version now. Call it as ``announce``."""
        self._announce(_ACCOUNTS, version)

    def _announce(self, channel: _Channel, *values: bytes | int) -> None:
        self._tell(channel, *values)
        if self._url:
            self._outgoing.append((channel.name, channel.message.pack(self._origin, *values)))
            self._wake.set()

    def _tell(self, channel: _Channel, *values: bytes | int) -> None:
        for listener in self._listeners[channel]:
            listener(*values)

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
        pause = _FIRST_PAUSE
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._outgoing:
                    try:
                        await self._send_waiting(client)
                    except _trouble():
                        await asyncio.sleep(pause)
                        pause = min(pause * 2, MAX_PAUSE)
                    else:
                        pause = _FIRST_PAUSE
        finally:
            await _close_quietly(client)

    async def _send_waiting(self, client: Redis) -> None:
        while self._outgoing:
            await client.publish(*self._outgoing[0])
            self._outgoing.popleft()

    async def _send_last(self) -> None:
        client = self._connect(CLOSE_SECONDS)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._send_waiting(client)
        except _trouble() as error:
            reason = str(error) or "Redis does not answer"
            log.warning("other processes were not told of the last changes: %s", reason)
        finally:
            await _close_quietly(client)

    async def _receive_all(self) -> None:
        pause, is_reported = _FIRST_PAUSE, False
        while True:
            began = self._clock()
            client = self._connect(None)
            try:
                await self._receive(client)
            except _trouble() as error:
                if self.connected or not is_reported:
                    log.warning("no announcements of other processes: %s", error)
                is_reported = True
            finally:
                self.connected = False
                await _close_quietly(client)
            # a connection that comes and goes must not make everybody forget ten times a second
            pause = _FIRST_PAUSE if self._clock() - began > MAX_PAUSE else min(pause * 2, MAX_PAUSE)
            await asyncio.sleep(pause)

    async def _receive(self, client: Redis) -> None:
        async with client.pubsub() as subscription:
            await subscription.subscribe(*_CHANNELS)
            async for message in subscription.listen():
                if message["type"] == "message":
                    self._received(message["channel"], message["data"])
                elif message["type"] == "subscribe" and message["data"] == len(_CHANNELS):
                    self.connected = True
                    for gap in self._gap_listeners:
                        gap()

    def _received(self, name: bytes, data: Any) -> None:
        channel = _CHANNELS.get(name)
        if channel is None or not isinstance(data, bytes) or len(data) != channel.message.size:
            return
        origin, *values = channel.message.unpack(data)
        if origin != self._origin:
            self._tell(channel, *values)

    # -- counters

    async def count(self, key: str, seconds: int) -> int:
        """Adds one to the count of ``key`` and returns it; a count starts again ``seconds`` after its first.

        The result is the greater of this process's own count and the shared one, so that the loss of Redis loses
        nothing that this process counted.
        """
        own = self._count_here(key, seconds)
        shared = await self._count_shared(key, seconds)
        return own if shared is None else max(own, shared)

    async def reset(self, key: str) -> None:
        """Sets the count of ``key`` to zero (after a successful login)."""
        self._counts.pop(key, None)
        if self._is_ready():
            await self._ask("DEL", _COUNTER + key)

    def _count_here(self, key: str, seconds: int) -> int:
        now = self._clock()
        count, until = self._counts.get(key, (0, 0.0))
        if until <= now:
            count, until = 0, now + seconds
        self._counts[key] = (count + 1, until)
        return count + 1

    async def _count_shared(self, key: str, seconds: int) -> int | None:
        if not self._is_ready():
            return None
        found = await self._ask("INCR", _COUNTER + key)
        if found == 1:
            await self._ask("EXPIRE", _COUNTER + key, seconds)
        return found

    def _is_ready(self) -> bool:
        return self._client is not None and self._clock() >= self._paused_until

    async def _ask(self, *command: str | int) -> int | None:
        """A command's number; ``None`` when Redis does not answer in time, and then it is not asked for a while."""
        client = self._client
        if client is None:
            return None
        try:
            async with asyncio.timeout(COUNTER_TIMEOUT):
                answer = await client.execute_command(*command)  # type: ignore[no-untyped-call]
        except _trouble():
            self._pause = min(self._pause * 2, MAX_PAUSE)
            self._paused_until = self._clock() + self._pause
            return None
        self._pause = 0.25
        return int(answer)


def _trouble() -> tuple[type[Exception], ...]:
    """What a call of Redis raises when Redis is not well."""
    from redis.exceptions import RedisError

    return RedisError, OSError


async def _close_quietly(client: Redis) -> None:
    """Closes a client whose server may be gone or silent."""
    with contextlib.suppress(Exception):  # nobody needs the connection any more
        await client.aclose()
