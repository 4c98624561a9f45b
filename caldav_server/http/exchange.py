"""One request and its answer: from what aiohttp parsed to a face, and from a face's answer to the transport.

Rules of this module: the order of things for one request; nothing here knows paths, people or conditions.
"""

from __future__ import annotations

import time
from typing import cast
from urllib.parse import quote

from aiohttp import hdrs, web

from caldav_server.http import websocket
from caldav_server.http.body import Body, SlowClient
from caldav_server.http.connection import Connection, Edge, InnerTransport
from caldav_server.http.messages import Request, Response, WebSocketResponse, strip_base_path
from caldav_server.http.sending import send

SMALL_BODY = 65_536
"""Bytes of an unread body that are thrown away rather than the connection closed."""
LINGER_BYTES = 524_288
LINGER_SECONDS = 2.0
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


class _Sent(web.StreamResponse):
    """What aiohttp gets after the answer was sent: it only keeps the connection open, or closes it."""

    def __init__(self, *, keep: bool) -> None:
        super().__init__()
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
    """Whether the client asks for another protocol (RFC 9110 §7.8): what follows is then not read as requests."""
    headers = incoming.headers
    return incoming.method == hdrs.METH_CONNECT or (
        hdrs.UPGRADE in headers and "upgrade" in headers.get(hdrs.CONNECTION, "").lower()
    )


class AiohttpHandler:
    """The handler that ``aiohttp.web.Server`` calls for every request of one process."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._kept = _Sent(keep=True)
        self._closed = _Sent(keep=False)

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
        is_old = incoming.version < (1, 1)
        status, size = 499, 0
        try:
            response = await edge.handler.handle(request)
            status = response.status
            if isinstance(response, WebSocketResponse):
                served = await websocket.serve(edge.handler, connection, incoming, request, response)
                if not isinstance(served, Response):
                    return served
                response, status = served, served.status
            keep = incoming.keep_alive and not edge.draining and not _wants_upgrade(incoming)
            if is_old and not isinstance(response.body, bytes):
                keep = False
            if not body.is_complete:
                keep = await self._settle(body) and keep
            size = await send(edge.handler, connection, request, response, keep=keep, is_old=is_old)
            if not keep and not body.is_complete:
                await self._linger(connection, body)
        except SlowClient:
            status, keep = 408, False
            connection.refuse(status, "The request took too long.", request.request_id)
        except ConnectionError:
            raise
        except Exception as error:
            status, keep = 500, False
            edge.handler.broken(request, error)
            connection.refuse(status, "Internal error.", request.request_id)
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
            body,
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
        """Reads a small body that no face has read, so that the connection can go on; whether it can."""
        if body.is_awaited or (body.length or SMALL_BODY + 1) > SMALL_BODY:
            return False
        return await body.discard(SMALL_BODY, LINGER_SECONDS)

    @staticmethod
    async def _linger(connection: Connection, body: Body) -> None:
        """Reads on for a moment, so that a client that still sends can read its answer (RFC 9112 §9.6)."""
        if connection.transport.can_write_eof():
            connection.transport.write_eof()
        await body.discard(LINGER_BYTES, LINGER_SECONDS)
        connection.close()
