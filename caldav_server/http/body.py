"""Reading a request body under limits: size, time and rate (RFC 9110 §10.1.1, RFC 9112 §6).

Rules of this module: a body that the client promised to be too large is refused before a byte of it is read, and
"100 Continue" goes out only when somebody asked for the body.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import StreamReader, hdrs
from aiohttp.web_protocol import RequestPayloadError

from caldav_server.http.messages import Headers
from protocol.errors import Condition, Refusal


class SlowClient(ConnectionAbortedError):
    """The client took longer than it may; the connection is of no use any more."""


def _too_large(limit: int) -> Refusal:
    return Refusal(Condition.TOO_LARGE, f"The body is larger than the {limit} bytes allowed here.")


class Body:
    """The body of one request, read once and whole."""

    __slots__ = ("_data", "_headers", "_payload", "_seconds", "_send_continue", "rate")

    def __init__(
        self,
        payload: StreamReader,
        headers: Headers,
        send_continue: Callable[[], None],
        seconds: float,
        rate: int,
    ) -> None:
        self._payload = payload
        self._headers = headers
        self._send_continue = send_continue
        self._seconds = seconds
        self.rate = rate
        self._data: bytes | None = None

    @property
    def length(self) -> int | None:
        """The size the client promised; ``None`` for a chunked body."""
        text = self._headers.get(hdrs.CONTENT_LENGTH)
        return int(text) if text is not None else None

    @property
    def is_awaited(self) -> bool:
        """Whether the client holds the body back until it is told to continue."""
        return not self._payload.is_eof() and self._headers.get(hdrs.EXPECT, "").lower() == "100-continue"

    async def read(self, limit: int) -> bytes:
        """The whole body; ``Refusal(TOO_LARGE)`` beyond ``limit`` bytes, ``SlowClient`` when it takes too long.

        A compressed body is refused (RFC 9110 §15.5.16): what it unfolds to has no bound that could be checked first.
        """
        if self._data is None:
            if self._headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
                raise Refusal(Condition.UNSUPPORTED_MEDIA_TYPE, "Send the body without Content-Encoding.")
            if self._payload.is_eof() and self._payload.exception() is None:
                self._data = self._payload.read_nowait()
            else:
                self._data = await self._receive(limit)
        if len(self._data) > limit:
            raise _too_large(limit)
        return self._data

    async def _receive(self, limit: int) -> bytes:
        length = self.length
        if length is not None and length > limit:
            raise _too_large(limit)
        if self.is_awaited:
            self._send_continue()
        loop = asyncio.get_running_loop()
        started = loop.time()
        data = bytearray()
        try:
            while True:
                async with asyncio.timeout_at(started + self._seconds + len(data) / self.rate):
                    chunk = await self._payload.readany()
                if not chunk:
                    return bytes(data)
                data += chunk
                if len(data) > limit:
                    raise _too_large(limit)
        except TimeoutError:
            raise SlowClient("the body arrives too slowly") from None
        except RequestPayloadError as error:
            raise Refusal(Condition.BAD_REQUEST, "The body is not framed as its headers say.") from error

    async def discard(self, most: int, seconds: float) -> bool:
        """Throws away at most ``most`` bytes of what is left, for at most so long; whether that was all of it."""
        taken = 0
        try:
            async with asyncio.timeout(seconds):
                while not self._payload.at_eof():
                    chunk = await self._payload.readany()
                    taken += len(chunk)
                    if taken > most:
                        return False
        except (TimeoutError, RequestPayloadError, ConnectionError):
            return False
        return True
