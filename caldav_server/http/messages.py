"""What a face sees of HTTP: one request, one response (RFC 9110).

Rules of this module: plain data, no sockets; a face needs nothing else of the edge. The body is read by the face,
when it has decided that it wants one and how large it may be: until then the client may still be waiting for
"100 Continue" (RFC 9110 §10.1.1), so that a refused upload costs nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from multidict import CIMultiDictProxy, MultiDict

from caldav_server.http import cookies, forms
from protocol.model import Principal

Headers: TypeAlias = CIMultiDictProxy[str]
"""Header fields of a request: any case finds them, ``getall`` gives repeated ones."""


class BodyReader(Protocol):
    """The body of a request that may still be on its way; it is read once."""

    async def read(self, limit: int) -> bytes:
        """The whole body, at most so many bytes of it."""

    def stream(self, limit: int) -> AsyncIterator[bytes]:
        """The body in pieces as they arrive, at most so many bytes together."""


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
    query_string: str
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
    accounts_version: int | None = None
    """The version of the accounts under which ``principal`` was authenticated."""
    log: dict[str, object] = field(default_factory=dict)
    """What a face wants to see in the access line of this request; never a secret."""
    body: bytes | None = None
    """The body, once it has been read."""

    @property
    def query(self) -> MultiDict[str]:
        """The parameters of the query string, decoded; ``Refusal(BAD_REQUEST)`` when there are too many."""
        return forms.parse_urlencoded(self.query_string)

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies by name."""
        return cookies.parse_cookies(self.headers.getall("Cookie", ()))

    @property
    def viewer(self) -> Principal:
        """Who is asking, for a face that has logins: its requests are authenticated before it sees them."""
        if self.principal is None:
            raise ValueError("this request was not authenticated")
        return self.principal

    async def read(self, limit: int) -> bytes:
        """The whole body, or ``Refusal(TOO_LARGE)`` as soon as it is known to exceed ``limit`` bytes.

        A client that is too slow is cut off: the connection is closed and ``ConnectionError`` ends the request.
        """
        if self.body is None:
            self.body = await self.reader.read(limit)
        return self.body

    def stream(self, limit: int) -> AsyncIterator[bytes]:
        """The body in pieces as they arrive, under the same limits; nothing is kept."""
        return self.reader.stream(limit)

    async def form(self, limit: int) -> MultiDict[str | forms.Upload]:
        """The fields of a form in the body, urlencoded or multipart; raises what ``read`` and ``parse_form`` raise."""
        return forms.parse_form(self.headers.get("Content-Type", ""), await self.read(limit))


@dataclass(slots=True)
class Response:
    """One response; a body that is an iterator is streamed, chunk by chunk, as fast as the client takes it."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | AsyncIterator[bytes] = b""
    length: int | None = None
    """How many bytes a streamed body has, when that is known."""
    cookies: tuple[str, ...] = ()
    """A Set-Cookie header each, as ``cookies.render_cookie`` writes them."""
    compress: bool = False
    """Whether the body may be compressed. Never where a secret stands beside what somebody else wrote (BREACH)."""


class WebSocket(Protocol):
    """An open WebSocket (RFC 6455)."""

    async def receive(self) -> str | bytes | None:
        """The next message; ``None`` when the connection is closed."""

    async def send(self, message: str | bytes) -> None:
        """Sends one message; ``ConnectionError`` when the connection is closed."""

    async def close(self, code: int = 1000) -> None:
        """Closes the connection."""


@dataclass(slots=True, kw_only=True)
class WebSocketResponse(Response):
    """The answer to a request that becomes a WebSocket; requests of other origins and other requests are refused."""

    status: int = 101
    session: Callable[[WebSocket], Awaitable[None]]
    """Speaks with the client; the connection is closed when it returns."""
    protocols: tuple[str, ...] = ()
    """The subprotocols that the session speaks."""
    message_bytes: int = 65_536
    """The largest message that is received."""
