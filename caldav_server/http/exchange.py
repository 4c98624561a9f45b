"""One request and its answer: from what aiohttp parsed to a face, and from a face's answer to the transport.

The answer is written here and not by aiohttp's response classes: streams are cut when they fail, the client's pace is
kept, and a request costs half as much. Rules of this module: nothing here knows paths, people or conditions.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from typing import cast
from urllib.parse import quote

from aiohttp import hdrs, web

from caldav_server.http.body import Body, SlowClient
from caldav_server.http.connection import Connection, Edge, InnerTransport
from caldav_server.http.messages import Request, Response, strip_base_path
from caldav_server.http.wire import BODILESS, HeaderInjection, render_head, render_plain

SMALL_BODY = 65_536
"""Bytes of an unread body that are thrown away rather than the connection closed; also the size of one write."""
LINGER_BYTES = 524_288
LINGER_SECONDS = 2.0
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


class _Written(web.StreamResponse):
    """What aiohttp is told after an answer was written here: nothing is left to do but to go on, or to close."""

    def __init__(self, *, keep: bool) -> None:
        super().__init__()
        if not keep:
            self.force_close()
        self._keep = keep

    @property
    def keep_alive(self) -> bool | None:
        return self._keep

    async def prepare(self, request: web.BaseRequest) -> None:
        """Nothing to begin."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing to end."""


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


def _wants_upgrade(incoming: web.BaseRequest) -> bool:
    """Whether the client asks to speak something else afterwards (RFC 9110 §7.8): nothing that follows is a request."""
    headers = incoming.headers
    return incoming.method == hdrs.METH_CONNECT or (
        hdrs.UPGRADE in headers and "upgrade" in headers.get(hdrs.CONNECTION, "").lower()
    )


class Exchanges:
    """The handler that ``aiohttp.web.Server`` calls for every request of one process."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._kept = _Written(keep=True)
        self._closed = _Written(keep=False)

    async def __call__(self, incoming: web.BaseRequest) -> web.StreamResponse:
        """Answers one request; ``ConnectionError`` when the client is gone."""
        started = time.perf_counter()
        if incoming.transport is None:
            raise ConnectionResetError("the client closed the connection")
        connection = cast(InnerTransport, incoming.transport).connection
        connection.begin()
        edge = self._edge
        timeouts = edge.timeouts
        body = Body(incoming.content, incoming.headers, connection, timeouts.body_seconds, timeouts.body_rate)
        request = self._request(incoming, connection, body)
        written = _Answer(edge, connection, request, is_old=incoming.version < (1, 1))
        status, size = 499, 0
        try:
            response = await edge.handler.handle(request)
            keep = incoming.keep_alive and not edge.draining and not _wants_upgrade(incoming)
            if not body.is_complete:
                keep = await self._settle(body) and keep
            status = response.status
            size, keep = await written.send(response, keep)
            if not keep and not body.is_complete:
                await self._linger(connection, body)
        except SlowClient:
            status, keep = 408, False
            connection.refuse(408, "The request took too long.", request.request_id)
        finally:
            connection.end()
            edge.handler.finished(request, status, size, time.perf_counter() - started)
        return self._kept if keep else self._closed

    def _request(self, incoming: web.BaseRequest, connection: Connection, body: Body) -> Request:
        edge = self._edge
        authority, path, query = split_target(incoming.raw_path)
        request = Request(
            incoming.method,
            path,
            query,
            incoming.headers,
            body.read,
            edge.new_id(),
            connection.peer,
            "https" if connection.is_secure else "http",
            authority or incoming.headers.get(hdrs.HOST, ""),
            edge.base_path,
        )
        if connection.is_trusted:
            edge.proxies.apply(request)
        if request.base_path:
            request.raw_path = strip_base_path(path, request.base_path)
        return request

    @staticmethod
    async def _settle(body: Body) -> bool:
        """Takes in a small body that nobody wanted, so that the connection can go on; whether it can."""
        if body.is_awaited or (body.length or SMALL_BODY + 1) > SMALL_BODY:
            return False
        return await body.discard(SMALL_BODY, LINGER_SECONDS)

    @staticmethod
    async def _linger(connection: Connection, body: Body) -> None:
        """Lets a client that is still sending read its answer: a close now would reset it away (RFC 9112 §9.6)."""
        if connection.transport.can_write_eof():
            connection.transport.write_eof()
        await body.discard(LINGER_BYTES, LINGER_SECONDS)
        connection.close()


class _Answer:
    """Writes one answer at the client's pace."""

    __slots__ = ("_connection", "_edge", "_is_old", "_request")

    def __init__(self, edge: Edge, connection: Connection, request: Request, *, is_old: bool) -> None:
        self._edge = edge
        self._connection = connection
        self._request = request
        self._is_old = is_old

    async def send(self, response: Response, keep: bool) -> tuple[int, bool]:
        """The bytes of body that were sent, and whether the connection can go on."""
        request, status, content = self._request, response.status, response.body
        has_body = request.method != hdrs.METH_HEAD and status not in BODILESS
        is_whole = isinstance(content, bytes)
        if self._is_old and not is_whole:
            keep = False
        try:
            head = render_head(
                status,
                response.headers,
                request.request_id,
                length=len(content) if isinstance(content, bytes) and status not in BODILESS else None,
                chunked=not is_whole and has_body and not self._is_old,
                connection=("keep-alive" if self._is_old else "") if keep else "close",
                secure=self._connection.is_secure,
            )
        except HeaderInjection as error:
            self._edge.handler.broken(request, error)
            head, content, keep = render_plain(500, "Internal error.", request.request_id), b"", False
        if isinstance(content, bytes):
            return await self._send_whole(head, content if has_body else b""), keep
        if has_body:
            return await self._send_stream(head, content), keep
        await _close(content)
        return await self._send_whole(head, b""), keep

    async def _send_whole(self, head: bytes, content: bytes) -> int:
        connection, size = self._connection, len(content)
        if size <= SMALL_BODY:
            connection.write(head + content if content else head)
        else:
            connection.write(head)
            view = memoryview(content)
            for start in range(0, size, SMALL_BODY):
                connection.write(view[start : start + SMALL_BODY])
                await connection.drain()
        await connection.drain()
        return size

    async def _send_stream(self, head: bytes, content: AsyncIterator[bytes]) -> int:
        """Chunks as they come (RFC 9112 §7.1); to HTTP/1.0 unframed, ended by the close."""
        connection, size, pending = self._connection, 0, head
        try:
            async for chunk in content:
                if chunk:
                    size += len(chunk)
                    framed = pending + chunk if self._is_old else b"%s%x\r\n%s\r\n" % (pending, len(chunk), chunk)
                    pending = b""
                    connection.write(framed)
                    await connection.drain()
        except ConnectionError:
            raise
        except Exception as error:
            # the head has promised an answer that cannot be given: only a cut tells the client so
            self._edge.handler.broken(self._request, error)
            connection.transport.abort()
            raise ConnectionAbortedError("the answer broke off") from error
        finally:
            await _close(content)
        connection.write(pending if self._is_old else pending + b"0\r\n\r\n")
        await connection.drain()
        return size


async def _close(content: AsyncIterator[bytes]) -> None:
    """Ends an iterator that may not have been used up."""
    with contextlib.suppress(AttributeError):
        await content.aclose()  # type: ignore[attr-defined] # generators have it, other iterators need it not
