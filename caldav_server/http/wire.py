"""The head of a response as text (RFC 9112 §4 and §6), and the small fixed answers of the edge itself.

Rules of this module: pure text; the one place that writes a status line or a header line, so that no value can smuggle
a line of its own into an answer.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from http import HTTPStatus

_REASONS = {status.value: status.phrase for status in HTTPStatus}
STATUS_LINES = {code: f"HTTP/1.1 {code} {reason}\r\n" for code, reason in _REASONS.items()}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
BODILESS = frozenset({204, 304})

_SECURITY = (
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
)
_STRICT_TRANSPORT = "Strict-Transport-Security: max-age=31536000\r\n"


class HeaderInjection(ValueError):
    """A header value that a face gave holds a line break: a defect of ours that must not reach the wire."""


class Clock:
    """The Date line, made once a second (RFC 9110 §6.6.1)."""

    __slots__ = ("_line", "_second")

    def __init__(self) -> None:
        self._second = 0
        self._line = ""

    def date_line(self) -> str:
        """``Date: ...`` with its line break."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._line = f"Date: {formatdate(second, usegmt=True)}\r\n"
        return self._line


_clock = Clock()


def render_head(
    status: int,
    headers: dict[str, str],
    request_id: str,
    *,
    length: int | None,
    chunked: bool = False,
    connection: str = "",
    secure: bool = False,
) -> bytes:
    """Status line and headers, ended by the empty line; raises ``HeaderInjection`` on a line break in a value.

    ``length`` is the Content-Length, ``None`` for none; ``connection`` the value of a Connection header, if any.
    """
    lines = [STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in headers.items()]
    count = len(lines)
    if length is not None:
        lines.append(f"Content-Length: {length}\r\n")
    elif chunked:
        lines.append("Transfer-Encoding: chunked\r\n")
    if connection:
        lines.append(f"Connection: {connection}\r\n")
    if secure:
        lines.append(_STRICT_TRANSPORT)
    head = "".join(lines)
    expected = count + (length is not None or chunked) + bool(connection) + secure
    if head.count("\n") != expected or head.count("\r") != expected or "\0" in head:
        raise HeaderInjection("a header value holds a line break")
    return f"{head}{_SECURITY}{_clock.date_line()}X-Request-Id: {request_id}\r\n\r\n".encode()


def render_plain(status: int, message: str, request_id: str) -> bytes:
    """A whole answer of one line of text that also closes the connection."""
    body = f"{message}\n".encode()
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    return render_head(status, headers, request_id, length=len(body), connection="close") + body
