"""Requests that become WebSockets (RFC 6455), by aiohttp's implementation.

Rules of this module: the handshake, its refusal, and the end; what is said is the session's business.
"""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit

from aiohttp import WSCloseCode, WSMsgType, web

from caldav_server.http.connection import Connection, Handler
from caldav_server.http.messages import Request, Response, WebSocketResponse

HEARTBEAT_SECONDS = 30.0
"""How often a silent client is asked whether it is still there; it has half of that to answer."""
_TEXT = {"Content-Type": "text/plain; charset=utf-8"}


class _Socket:
    """``messages.WebSocket`` over aiohttp's."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def receive(self) -> str | bytes | None:
        message = await self._socket.receive()
        data: str | bytes | None = message.data if message.type in (WSMsgType.TEXT, WSMsgType.BINARY) else None
        return data

    async def send(self, message: str | bytes) -> None:
        if isinstance(message, str):
            await self._socket.send_str(message)
        else:
            await self._socket.send_bytes(message)

    async def close(self, code: int = 1000) -> None:
        await self._socket.close(code=code)


async def serve(
    handler: Handler,
    connection: Connection,
    incoming: web.BaseRequest,
    request: Request,
    response: WebSocketResponse,
) -> web.WebSocketResponse | Response:
    """Runs the session until either side closes; or the refusal of what is no WebSocket request, or a foreign page's.

    A browser sends cookies whoever's page opens the connection: the page must be of this origin (RFC 6455 §10.2).
    """
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc.lower() != request.authority.lower():
        return Response(403, dict(_TEXT), b"Not from pages of another origin.\n")
    socket = web.WebSocketResponse(
        heartbeat=HEARTBEAT_SECONDS, protocols=response.protocols, max_msg_size=response.message_bytes, compress=False
    )
    if not socket.can_prepare(incoming):
        return Response(426, {"Upgrade": "websocket", **_TEXT}, b"This address speaks WebSocket only.\n")
    socket.headers["X-Request-Id"] = request.request_id
    socket.headers.extend([("Set-Cookie", cookie) for cookie in response.cookies])
    loop, code = asyncio.get_running_loop(), WSCloseCode.OK
    connection.upgrade(lambda: loop.create_task(socket.close(code=WSCloseCode.GOING_AWAY)))
    await socket.prepare(incoming)
    try:
        await response.session(_Socket(socket))
    except ConnectionError:
        pass
    except Exception as error:
        handler.broken(request, error)
        code = WSCloseCode.INTERNAL_ERROR
    finally:
        with contextlib.suppress(ConnectionError):
            await socket.close(code=code)
    return socket
