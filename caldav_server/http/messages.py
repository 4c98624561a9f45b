"""What a face sees of HTTP: one request, one response (RFC 9110).

Rules of this module: plain data, no sockets; a face needs nothing else of the edge. The body is read by the face,
when it has decided that it wants one and how large it may be: until then the client may still be waiting for
"100 Continue" (RFC 9110 §10.1.1), so that a refused upload costs nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from multidict import CIMultiDictProxy

from protocol.model import Principal

Headers: TypeAlias = CIMultiDictProxy[str]
"""Header fields of a request: any case finds them, ``getall`` gives repeated ones."""

BodyReader: TypeAlias = Callable[[int], Awaitable[bytes]]
"""Reads the whole body, at most so many bytes of it."""


def strip_base_path(path: str, base_path: str) -> str:
    """The raw path below ``base_path``; one that does not begin with it is returned as it is: a proxy stripped it."""
    if base_path and path.startswith(base_path):
        rest = path[len(base_path) :]
        if not rest or rest[0] == "/":
            return rest or "/"
    return path


@dataclass(slots=True)
class Request:
    """One request, its head parsed and checked, its body not yet read."""

    method: str
    """Upper case as sent; methods are case-sensitive."""
    raw_path: str
    """The path of the request target below ``base_path``, percent-encoding untouched; ``*`` for the asterisk form."""
    query: str
    """What follows ``?`` in the request target, undecoded; empty without one."""
    headers: Headers
    reader: BodyReader
    request_id: str
    remote: str
    """The address of the client, behind the trusted proxies."""
    scheme: str
    """``http`` or ``https``, as the client sees it."""
    authority: str
    """Host and port as the client wrote them; empty when an HTTP/1.0 client named none."""
    base_path: str = ""
    """The path before ``raw_path`` in the URLs that the client sees, such as ``/cal``; empty at the root of a host."""
    principal: Principal | None = None
    """Who is asking; ``None`` until authentication, or for the few paths that need none."""
    log: dict[str, object] = field(default_factory=dict)
    """What a face wants to see in the access line of this request; never a secret."""
    body: bytes | None = None
    """The body, once it has been read."""

    async def read(self, limit: int) -> bytes:
        """The whole body, or ``Refusal(TOO_LARGE)`` as soon as it is known to exceed ``limit`` bytes.

        A client that is too slow is cut off: the connection is closed and ``ConnectionError`` ends the request.
        """
        if self.body is None:
            self.body = await self.reader(limit)
        return self.body


@dataclass(slots=True)
class Response:
    """One response; a body that is an iterator is streamed, chunk by chunk, as fast as the client takes it."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | AsyncIterator[bytes] = b""
