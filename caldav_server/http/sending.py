"""Writing one answer to the transport, at the client's pace.

It is written here and not by aiohttp's response classes (decision 0011): a stream that fails is cut, not ended, and a
client that does not take its answer is let go. Rules of this module: bytes and framing.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from caldav_server.http.compression import compress
from caldav_server.http.connection import Connection, Handler
from caldav_server.http.messages import Request, Response
from caldav_server.http.wire import BODILESS, HeaderInjection, render_head

PIECE = 65_536
"""The size of one write."""


async def send(
    handler: Handler, connection: Connection, request: Request, response: Response, *, keep: bool, is_old: bool
) -> int:
    """The bytes of body that were sent; ``ConnectionError`` when the client is gone or was cut off.

    ``keep`` says whether the connection goes on, ``is_old`` that the client speaks HTTP/1.0.
    """
    status, given = response.status, response.body
    has_body = status not in BODILESS and request.method != "HEAD"
    try:
        if response.compress:
            await compress(request.headers, response)
        body = response.body
        length = len(body) if isinstance(body, bytes) else response.length
        chunked = has_body and length is None and not is_old
        head = render_head(
            status,
            response.headers,
            request.request_id,
            cookies=response.cookies,
            length=None if status in BODILESS else length,
            chunked=chunked,
            connection=("keep-alive" if is_old else "") if keep else "close",
            secure=connection.is_secure,
        )
        if isinstance(body, bytes):
            return await _send_whole(connection, head, body if has_body else b"")
        if has_body:
            return await _send_stream(connection, head, body, length, chunked=chunked)
        return await _send_whole(connection, head, b"")
    except HeaderInjection as error:
        handler.broken(request, error)
        connection.refuse(500, "Internal error.", request.request_id)
        return 0
    except ConnectionError:
        raise
    except Exception as error:
        # the head has promised an answer that cannot be given: only a cut tells the client so
        handler.broken(request, error)
        connection.cut()
        raise ConnectionAbortedError("the answer broke off") from error
    finally:
        if not isinstance(given, bytes):
            with contextlib.suppress(AttributeError):
                await given.aclose()  # type: ignore[attr-defined] # generators have it, other iterators need it not


async def _send_whole(connection: Connection, head: bytes, body: bytes) -> int:
    size = len(body)
    if size <= PIECE:
        connection.write(head + body)
    else:
        connection.write(head)
        view = memoryview(body)
        for start in range(0, size, PIECE):
            connection.write(view[start : start + PIECE])
            await connection.drain()
    if connection.is_behind:
        await connection.drain()
    return size


async def _send_stream(
    connection: Connection, head: bytes, body: AsyncIterator[bytes], length: int | None, *, chunked: bool
) -> int:
    """Pieces as they come, in chunks (RFC 9112 §7.1) or unframed: then their length or the close ends them."""
    size, pending = 0, head
    async for piece in body:
        if piece:
            size += len(piece)
            connection.write(b"%s%x\r\n%s\r\n" % (pending, len(piece), piece) if chunked else pending + piece)
            pending = b""
            await connection.drain()
    if length is not None and size != length:
        raise ValueError(f"the body has {size} bytes, not {length}")
    connection.write(pending + b"0\r\n\r\n" if chunked else pending)
    await connection.drain()
    return size
