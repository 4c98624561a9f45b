"""One client connection: aiohttp's protocol inside, and a clock around every wait on the client.

``Connection`` is the protocol of the real transport. It hands what arrives to the protocol that ``aiohttp.web.Server``
makes. It limits three waits that aiohttp does not limit: for the end of a head, for a client that does not take its
answer, and for the end of a connection that is being closed (decision 0011). Rules of this module: transport and
clocks. The only answers it writes are those to what never became a request.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from caldav_server.http.messages import Request, Response
from caldav_server.http.proxies import Proxies
from caldav_server.http.wire import render_plain
from caldav_server.settings import TimeoutSettings

_REQUEST_LINE = re.compile(rb"b'[A-Za-z-]+ \S+ HTTP/1\.[01]'")
"""How aiohttp quotes a request line that is whole but for its method, in its answer to it."""
_INVALID_METHOD = b"Invalid method"


class Handler(Protocol):
    """What answers requests: the application, or a stand-in in tests."""

    async def handle(self, request: Request) -> Response:
        """The answer; raises nothing but ``ConnectionError`` (the client is gone) and cancellation."""

    def finished(self, request: Request, status: int, size: int, seconds: float) -> None:
        """Called when the answer has been handed to the operating system, or could not be."""

    def refused(self, remote: str, request_id: str, reason: str) -> None:
        """Called for what was not even a request."""

    def broken(self, request: Request, error: Exception) -> None:
        """Called when an answer could not be written as it was given: a defect of ours."""


@dataclass(slots=True)
class Edge:
    """What all connections of one process share."""

    handler: Handler
    timeouts: TimeoutSettings
    proxies: Proxies
    base_path: str
    most_connections: int
    on_closed: Callable[[], None]
    """Called when a connection is over."""
    draining: bool = False
    connections: set[Connection] = field(default_factory=set)
    _id_prefix: str = field(default_factory=lambda: secrets.token_hex(5))
    _ids: itertools.count[int] = field(default_factory=itertools.count)

    def new_id(self) -> str:
        """A request id: unique over processes and restarts, cheap."""
        return f"{self._id_prefix}{next(self._ids):06x}"


class Connection(asyncio.Protocol):
    """One connection from accept to close."""

    transport: asyncio.Transport

    def __init__(self, edge: Edge, inner: asyncio.Protocol) -> None:
        """``inner`` is aiohttp's protocol."""
        self._edge = edge
        self._inner = inner
        self._loop = asyncio.get_running_loop()
        self.task: asyncio.Task[Any] | None = None
        """What serves a request now; ``None`` between requests."""
        self._go_away: Callable[[], object] | None = None
        """How a WebSocket is closed for a graceful stop; ``None`` on a connection of requests."""
        self._is_refused = False
        self._head_since = self._paused_since = self._closing_since = 0.0
        """When each wait began, on the loop's clock; 0 when there is none."""
        self._drained: asyncio.Future[None] | None = None
        self._clock: asyncio.TimerHandle | None = None

    # -- events of the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Starts aiohttp's protocol and the clock of the first head; closes one connection too many at once."""
        edge = self._edge
        self.transport = cast(asyncio.Transport, transport)
        if len(edge.connections) >= edge.most_connections:
            self.transport.abort()
            return
        edge.connections.add(self)
        peer = transport.get_extra_info("peername")
        self.peer: str = peer[0] if isinstance(peer, tuple) else "unix"
        self.is_secure = transport.get_extra_info("sslcontext") is not None
        self.is_trusted = edge.proxies.trusts(self.peer)
        self._head_since = self._loop.time()
        self._inner.connection_made(cast(asyncio.Transport, InnerTransport(self)))
        self._check_clocks()

    def data_received(self, data: bytes) -> None:
        """Hands on what arrived; between requests it is the beginning of a head."""
        if not self._head_since and self.task is None:
            self._head_since = self._loop.time()
        self._inner.data_received(data)

    def eof_received(self) -> None:
        """The client sends no more: the transport closes, as the client is taken to be gone."""

    def pause_writing(self) -> None:
        """The client is behind with taking its answer."""
        self._paused_since = self._loop.time()
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """The client has taken most of what was written."""
        self._paused_since = 0.0
        self._wake()
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends every wait."""
        self._edge.on_closed()
        if self not in self._edge.connections:  # one too many
            return
        self._edge.connections.remove(self)
        if self._clock is not None:
            self._clock.cancel()
        self._wake()
        # a request that waits for its body gets a ConnectionError, whatever the reason was
        self._inner.connection_lost(ConnectionResetError("the client closed the connection"))

    # -- the clocks

    def _check_clocks(self) -> None:
        """Ends a wait that took too long, and sets the timer for the next one that may."""
        now, timeouts = self._loop.time(), self._edge.timeouts
        next_check = min(timeouts.header_seconds, timeouts.write_seconds)
        waits = (
            (self._head_since, timeouts.header_seconds, self._refuse_late_head),
            (self._paused_since, timeouts.write_seconds, self.cut),
            (self._closing_since, timeouts.write_seconds, self.cut),
        )
        for since, most, act in waits:
            if since:
                left = since + most - now
                if left <= 0:
                    act()
                else:
                    next_check = min(next_check, left)
        self._clock = self._loop.call_later(next_check, self._check_clocks)

    def _refuse_late_head(self) -> None:
        self._head_since = 0.0
        self.refuse(408, "The request took too long.", self._edge.new_id())

    # -- for those who serve requests

    def begin(self) -> None:
        """A request is being served: the head is complete. ``ConnectionError`` when nobody waits for the answer."""
        if self.transport.is_closing():
            raise ConnectionResetError("the client closed the connection")
        self._head_since = 0.0
        self.task = asyncio.current_task()

    def end(self) -> None:
        """The request has been answered."""
        self.task = None

    def upgrade(self, go_away: Callable[[], object]) -> None:
        """From now on this is a WebSocket, which aiohttp serves; ``go_away`` begins to close it."""
        self._go_away = go_away

    @property
    def is_behind(self) -> bool:
        """Whether the client has yet to take most of what was written."""
        return self._paused_since > 0

    def write(self, data: bytes | memoryview) -> None:
        """Writes; ``ConnectionError`` when the connection is being closed."""
        if self.transport.is_closing():
            raise ConnectionResetError("the client closed the connection")
        self.transport.write(data)

    async def drain(self) -> None:
        """Waits until the client has taken most of what was written; ``ConnectionError`` when it never does."""
        if self._paused_since:
            self._drained = self._loop.create_future()
            await self._drained
        if self.transport.is_closing():
            raise ConnectionAbortedError("the client does not take its answer")

    def refuse(self, status: int, message: str, request_id: str) -> None:
        """Answers with one line of text and closes."""
        if not self.transport.is_closing():
            self.transport.write(render_plain(status, message, request_id))
            self.close()

    def cut(self) -> None:
        """Closes at once; what the client has not taken is dropped."""
        self._wake()  # whoever writes learns of it before the connection is gone
        self.transport.abort()

    def close(self) -> None:
        """Closes once the client has taken what was written, or has had the time to."""
        if not self.transport.is_closing() and self.transport.get_write_buffer_size():
            self._closing_since = self._loop.time()
        self.transport.close()

    def close_if_idle(self) -> None:
        """For a graceful stop: a connection that serves no request goes now, others after their answer."""
        if self.task is None:
            self.close()
        elif self._go_away is not None:
            self._go_away()

    def write_from_aiohttp(self, data: bytes) -> None:
        """What aiohttp writes itself: to a WebSocket, or its answer to what was no request, in place of which we write
        400, or 501 for an unknown method (RFC 9110 §15.6.2)."""
        if self._go_away is not None:
            self.transport.write(data)
        elif not self._is_refused:
            self._is_refused = True
            reason = data.partition(b"\r\n\r\n")[2]
            request_id = self._edge.new_id()
            self._edge.handler.refused(self.peer, request_id, reason.decode("utf-8", "replace"))
            if reason.startswith(_INVALID_METHOD) and _REQUEST_LINE.search(reason):
                self.refuse(501, "This method is not known.", request_id)
            else:
                self.refuse(400, "Bad request.", request_id)

    def _wake(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None


class InnerTransport:
    """The transport that aiohttp's protocol sees: what aiohttp writes and closes passes through ``Connection``."""

    __slots__ = ("_is_reading_paused", "connection")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._is_reading_paused = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection.transport, name)

    def pause_reading(self) -> None:
        """Takes nothing from the client for a while."""
        self._is_reading_paused = True
        self.connection.transport.pause_reading()

    def resume_reading(self) -> None:
        """Goes on; aiohttp calls it for every body, paused or not."""
        if self._is_reading_paused:
            self._is_reading_paused = False
            self.connection.transport.resume_reading()

    def write(self, data: bytes) -> None:
        """What aiohttp writes itself."""
        self.connection.write_from_aiohttp(data)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        """The same in pieces."""
        self.write(b"".join(pieces))

    def close(self) -> None:
        """Closes once the client has taken what was written."""
        self.connection.close()
