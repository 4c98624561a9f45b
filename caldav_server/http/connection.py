"""One client connection: aiohttp's parser below, one request after the other above, and a time limit on every wait.

The base class reads and parses (and answers for request smuggling); this one replaces its request loop, which makes
a task, a request and a response object per request, by one that goes straight from the parsed head to a face and
from its answer to the transport. Rules of this module: whatever a client may be slow at has a limit here (head,
body, taking the answer, being idle); nothing here knows paths, people or conditions.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from aiohttp import HttpVersion10, StreamReader, hdrs
from aiohttp.http_exceptions import BadHttpMethod
from aiohttp.http_parser import RawRequestMessage
from aiohttp.web_protocol import RequestHandler

from caldav_server.http.body import Body, SlowClient
from caldav_server.http.messages import Request, Response, strip_base_path
from caldav_server.http.wire import BODILESS, CONTINUE, HeaderInjection, render_head, render_plain

if TYPE_CHECKING:
    from caldav_server.http.server import EdgeServer

SMALL_BODY = 65_536
"""Bytes of an unread body that are thrown away rather than the connection closed; also the size of one write."""
LINGER_BYTES = 524_288
LINGER_SECONDS = 2.0
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


_REQUEST_LINE = re.compile(r"b'[A-Za-z-]+ \S+ HTTP/1\.[01]'")
"""What the parser shows of a request it does not understand, where that is a whole request line but for its method."""


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


def split_target(target: str) -> tuple[str, str, str]:
    """``(authority, path, query)`` of a request target (RFC 9112 §3.2), the path as ASCII text.

    Octets outside ASCII, which some clients send bare, become their percent-encoding.
    """
    authority = ""
    if target[0] != "/" and target != "*":
        _, _, rest = target.partition("://")
        authority, slash, path = rest.partition("/")
        target = slash + path or "/"
    path, _, query = target.partition("?")
    if not path.isascii():
        path = quote(path.encode("utf-8", "surrogateescape"), safe=_PRINTABLE)
    return authority, path, query


class Connection(RequestHandler):
    """One connection from accept to close."""

    __slots__ = ("_edge", "_header_timer", "_peer", "_reading", "_secure", "_trusted")

    def __init__(self, edge: EdgeServer) -> None:
        super().__init__(edge, loop=edge.loop, access_log=None, **edge.parser_options)  # type: ignore[arg-type] # None: no log
        self._edge = edge
        self._header_timer: asyncio.TimerHandle | None = None
        self._reading: StreamReader | None = None
        self._peer = ""
        self._secure = False
        self._trusted = False

    # -- events of the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Starts the loop below and the clock of the first head."""
        super().connection_made(transport)
        edge = self._edge
        if edge.is_full:
            self.cut()
            return
        peer = self.peername
        self._peer = peer[0] if isinstance(peer, tuple) else "unix"
        self._secure = self.ssl_context is not None
        self._trusted = edge.proxies.trusts(self._peer)
        self._header_timer = self._loop.call_later(edge.timeouts.header_seconds, self._head_is_late)

    def data_received(self, data: bytes) -> None:
        """Parses; starts the clock of a head whose end is not here yet."""
        super().data_received(data)
        waiter = self._waiter
        if waiter is not None and self._header_timer is None and not waiter.done():
            self._header_timer = self._loop.call_later(self._edge.timeouts.header_seconds, self._head_is_late)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Ends a read in progress: the request that waits for its body learns that none will come."""
        if self._header_timer is not None:
            self._header_timer.cancel()
        if self._reading is not None and not self._reading.is_eof():
            self._reading.set_exception(ConnectionResetError("the client closed the connection"))
        super().connection_lost(exc)

    def _head_is_late(self) -> None:
        self._header_timer = None
        if self.transport is not None and (self._waiter is not None or self._task_handler is None):
            self.transport.write(render_plain(408, "The request took too long.", self._edge.new_id()))
            self.cut(keep_output=True)

    def _process_keepalive(self) -> None:
        """Closes an idle connection, even one whose client never takes its last answer."""
        transport = self.transport
        super()._process_keepalive()
        if self.transport is None and transport is not None and transport.get_write_buffer_size():
            transport.abort()

    def cut(self, *, keep_output: bool = False) -> None:
        """Closes at once; what the client has not taken is dropped, or with ``keep_output`` still offered."""
        transport = self.transport
        self.force_close()
        if transport is None:
            return
        if keep_output:
            self._close_soon(transport)
        else:
            transport.abort()

    def _close_soon(self, transport: asyncio.Transport) -> None:
        """Closes once the client has taken what was written, or has had the time to."""
        transport.close()
        if transport.get_write_buffer_size():
            self._loop.call_later(self._edge.timeouts.write_seconds, transport.abort)

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The task that serves this connection; ``None`` when it is over."""
        return self._task_handler

    def close_if_idle(self) -> None:
        """For a graceful stop: a connection that serves no request goes now, others after their answer."""
        if self._waiter is not None and not self._waiter.done():
            self.force_close()

    # -- the loop

    async def start(self) -> None:
        """Serves one request after the other until either side has had enough."""
        try:
            while await self._serve_one():
                pass
        except asyncio.CancelledError:
            # force_close cancels the wait for the next request; anything else is a real cancellation
            if not self._force_close:
                self.cut()
                raise
        except ConnectionError:
            pass
        finally:
            self._reading = None
            self._task_handler = None
            if self.transport is not None:
                self._close_soon(self.transport)

    async def _serve_one(self) -> bool:
        """Waits for a request and answers it; whether the connection stays open."""
        if self._force_close:
            return False
        messages = self._messages
        if not messages:
            if self._edge.draining:
                return False
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        message, payload = messages.popleft()
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None
        if self._parser is not None:
            self._parser.message_consumed()
        if self._buffer_paused and len(messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()
        if not isinstance(message, RawRequestMessage):
            method = isinstance(message.exc, BadHttpMethod) and _REQUEST_LINE.search(message.message) is not None
            self._answer_garbage(message.message, unknown_method=method)
            return False
        self._reading = payload
        if not await self._exchange(message, payload):
            return False
        self._reading = None
        self._next_keepalive_close_time = close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(close_time, self._process_keepalive)
        return True

    def _answer_garbage(self, reason: str, *, unknown_method: bool) -> None:
        """400, or 501 for a method that no server here has heard of (RFC 9110 §15.6.2)."""
        request_id = self._edge.new_id()
        self._edge.handler.refused(self._peer, request_id, reason)
        if self.transport is not None:
            answer = (501, "This method is not known.") if unknown_method else (400, "Bad request.")
            self.transport.write(render_plain(*answer, request_id))

    async def _exchange(self, message: RawRequestMessage, payload: StreamReader) -> bool:
        started = time.perf_counter()
        edge = self._edge
        headers = message.headers
        timeouts = edge.timeouts
        body = Body(payload, headers, self._send_continue, timeouts.body_seconds, timeouts.body_rate)
        authority, path, query = split_target(message.path)
        request = Request(
            message.method,
            path,
            query,
            headers,
            body.read,
            edge.new_id(),
            self._peer,
            "https" if self._secure else "http",
            authority or headers.get(hdrs.HOST, ""),
            edge.base_path,
        )
        if self._trusted:
            edge.proxies.apply(request)
        if request.base_path:
            request.raw_path = strip_base_path(path, request.base_path)
        status, size = 499, 0
        try:
            response = await edge.handler.handle(request)
            keep = not message.should_close and not message.upgrade and not edge.draining
            if message.version == HttpVersion10 and not isinstance(response.body, bytes):
                keep = False
            if not payload.is_eof():
                keep = await self._settle(body) and keep
            status = response.status
            size = await self._send(message, request, response, keep)
            if not keep and not payload.is_eof():
                await self._linger(body)
        except SlowClient:
            status = 408
            if self.transport is not None:
                self.transport.write(render_plain(408, "The request took too long.", request.request_id))
                self.cut(keep_output=True)
            return False
        finally:
            edge.handler.finished(request, status, size, time.perf_counter() - started)
        return keep and self.transport is not None

    def _send_continue(self) -> None:
        if self.transport is not None:
            self.transport.write(CONTINUE)

    async def _settle(self, body: Body) -> bool:
        """Takes in a small body that nobody wanted, so that the connection can go on; whether it can."""
        if body.is_awaited or (body.length or SMALL_BODY + 1) > SMALL_BODY:
            return False
        return await body.discard(SMALL_BODY, LINGER_SECONDS)

    async def _linger(self, body: Body) -> None:
        """Lets a client that is still sending read its answer: a close now would reset it away (RFC 9112 §9.6)."""
        transport = self.transport
        if transport is not None and transport.can_write_eof():
            transport.write_eof()
        await body.discard(LINGER_BYTES, LINGER_SECONDS)
        self.cut(keep_output=True)

    # -- the answer

    async def _send(self, message: RawRequestMessage, request: Request, response: Response, keep: bool) -> int:
        """Writes the answer at the client's pace; the bytes of body that were sent."""
        status, content = response.status, response.body
        is_old = message.version == HttpVersion10
        has_body = message.method != hdrs.METH_HEAD and status not in BODILESS
        is_whole = isinstance(content, bytes)
        try:
            head = render_head(
                status,
                response.headers,
                request.request_id,
                length=len(content) if isinstance(content, bytes) and status not in BODILESS else None,
                chunked=not is_whole and has_body and not is_old,
                connection=("keep-alive" if is_old else "") if keep else "close",
                secure=self._secure,
            )
        except HeaderInjection as error:
            self._edge.handler.broken(request, error)
            head, content, has_body = render_plain(500, "Internal error.", request.request_id), b"", True
            keep = False
        if isinstance(content, bytes):
            return await self._send_whole(head, content if has_body else b"")
        if has_body:
            return await self._send_stream(request, head, content, b"" if is_old else b"\r\n")
        with contextlib.suppress(AttributeError):
            await content.aclose()  # type: ignore[attr-defined] # generators have it, other iterators need it not
        return await self._send_whole(head, b"")

    async def _send_whole(self, head: bytes, content: bytes) -> int:
        size = len(content)
        if size <= SMALL_BODY:
            self._write(head + content if content else head)
        else:
            self._write(head)
            view = memoryview(content)
            for start in range(0, size, SMALL_BODY):
                self._write(view[start : start + SMALL_BODY])
                if self._paused:
                    await self._drain()
        if self._paused:
            await self._drain()
        return size

    async def _send_stream(self, request: Request, head: bytes, content: AsyncIterator[bytes], mark: bytes) -> int:
        """Chunks as they come (RFC 9112 §7.1); with an empty ``mark`` unframed, ended by the close (HTTP/1.0)."""
        size = 0
        pending = head
        try:
            async for chunk in content:
                if chunk:
                    size += len(chunk)
                    framed = b"%s%x\r\n%s\r\n" % (pending, len(chunk), chunk) if mark else pending + chunk
                    pending = b""
                    self._write(framed)
                    if self._paused:
                        await self._drain()
        except ConnectionError:
            raise
        except Exception as error:
            # the head has promised an answer that cannot be given: only a cut tells the client so
            self._edge.handler.broken(request, error)
            self.cut()
            raise ConnectionAbortedError("the answer broke off") from error
        finally:
            with contextlib.suppress(AttributeError):
                await content.aclose()  # type: ignore[attr-defined] # as above
        self._write(pending + b"0\r\n\r\n" if mark else pending)
        if self._paused:
            await self._drain()
        return size

    def _write(self, data: bytes | memoryview) -> None:
        transport = self.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client closed the connection")
        transport.write(data)

    async def _drain(self) -> None:
        """Waits until the client has taken most of what was written; cuts it off when it does not."""
        try:
            async with asyncio.timeout(self._edge.timeouts.write_seconds):
                await self._drain_helper()
        except TimeoutError:
            self.cut()
            raise ConnectionAbortedError("the client does not take its answer") from None
