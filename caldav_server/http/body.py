"""Reading a request body under limits: size, time and rate (RFC 9110 §10.1.1, RFC 9112 §6).

Rules of this module: a body that the client promised to be too large is refused before a byte of it is read, and
"100 Continue" goes out only when somebody asked for the body.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import StreamReader, hdrs

from caldav_server.http.connection import Connection
from caldav_server.http.messages import Headers
from caldav_server.http.wire import CONTINUE
from protocol.errors import Condition, Refusal


class SlowClient(ConnectionAbortedError):
    """The client took longer than it may; the connection is of no use any more."""


def _too_large(limit: int) -> Refusal:
    return Refusal(Condition.TOO_LARGE, f"The body is larger than the {limit} bytes allowed here.")


class Body:
    """The body of one request, read once: whole or as a stream."""

    __slots__ = ("_connection", "_content", "_data", "_headers", "_rate", "_seconds")

    def __init__(
        self, content: StreamReader, headers: Headers, connection: Connection, seconds: float, rate: int
    ) -> None:
        self._content = content
        self._headers = headers
        self._connection = connection
        self._seconds = seconds
        self._rate = rate
        self._data: bytes | None = None

    @property
    def length(self) -> int | None:
        """The size the client promised; ``None`` for a chunked body."""
        text = self._headers.get(hdrs.CONTENT_LENGTH)
        return int(text) if text is not None else None

    @property
    def is_complete(self) -> bool:
        """Whether all of it has arrived."""
        return self._content.is_eof()

    @property
    def is_awaited(self) -> bool:
        """Whether the client holds the body back until it is told to continue."""
        return not self.is_complete and self._headers.get(hdrs.EXPECT, "").lower() == "100-continue"

    async def read(self, limit: int) -> bytes:
        """The whole body; ``Refusal(TOO_LARGE)`` beyond ``limit`` bytes, ``SlowClient`` when it takes too long."""
        if self._data is None:
            content = self._content
            if content.is_eof() and content.exception() is None and hdrs.CONTENT_ENCODING not in self._headers:
                self._data = content.read_nowait()
            else:
                self._data = b"".join([piece async for piece in self.stream(limit)])
        if len(self._data) > limit:
            raise _too_large(limit)
        return self._data

    async def stream(self, limit: int) -> AsyncIterator[bytes]:
        """The body in pieces as they arrive, under the same limits.

        A compressed body is refused (RFC 9110 §15.5.16): its size would be known only after it was unpacked.
        """
        if self._headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
            raise Refusal(Condition.UNSUPPORTED_MEDIA_TYPE, "Send the body without Content-Encoding.")
        if (self.length or 0) > limit:
            raise _too_large(limit)
        if self.is_awaited:
            self._connection.write(CONTINUE)
        started, size = asyncio.get_running_loop().time(), 0
        while piece := await self._next(started + self._seconds + size / self._rate):
            size += len(piece)
            if size > limit:
                raise _too_large(limit)
            yield piece

    async def _next(self, deadline: float) -> bytes:
        """The next piece; empty at the end."""
        try:
            async with asyncio.timeout_at(deadline):
                return await self._content.readany()
        except TimeoutError:
            raise SlowClient("the body arrives too slowly") from None
        except Exception as error:
            if error is not self._content.exception() or isinstance(error, ConnectionError):
                raise
            raise Refusal(Condition.BAD_REQUEST, "The body is not framed as its headers say.") from error

    async def discard(self, most: int, seconds: float) -> bool:
        """Throws away at most ``most`` bytes of what is left, for at most so long; whether that was all of it."""
        deadline, taken = asyncio.get_running_loop().time() + seconds, 0
        try:
            while piece := await self._next(deadline):
                taken += len(piece)
                if taken > most:
                    return False
        except (ConnectionError, Refusal):
            return False
        return True
