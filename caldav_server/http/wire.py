"""The head of a response as text (RFC 9112 §4 and §6), and the small fixed answers of the edge itself.

Rules of this module: pure text; the one place that writes a status line or a header line, so that no value can smuggle
a line of its own into an answer.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

_REASONS = {status.value: status.phrase for status in HTTPStatus}
STATUS_LINES = {code: f"HTTP/1.1 {code} {reason}\r\n" for code, reason in _REASONS.items()}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
BODILESS = frozenset({204, 304})

_SECURITY = "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
_CONTENT_SECURITY = "Content-Security-Policy"
_NO_CONTENT = f"{_CONTENT_SECURITY}: default-src 'none'; frame-ancestors 'none'\r\n"
_STRICT_TRANSPORT = "Strict-Transport-Security: max-age=31536000\r\n"


class HeaderInjection(ValueError):
    """A header value that a face gave holds a line break: a defect of ours that must not reach the wire."""


@lru_cache(maxsize=1)
def _fixed_lines(second: int) -> str:
    """The lines that every answer has, Date among them (RFC 9110 §6.6.1); made once a second."""
    return f"{_SECURITY}Date: {formatdate(second, usegmt=True)}\r\n"


def render_head(
    status: int,
    headers: dict[str, str],
    request_id: str,
    *,
    length: int | None,
    chunked: bool = False,
    connection: str = "",
    secure: bool = False,
    cookies: tuple[str, ...] = (),
) -> bytes:
    """Status line and headers, ended by the empty line; raises ``HeaderInjection`` on a line break in a value.

    ``length`` is the Content-Length, ``None`` for none; ``connection`` the value of a Connection header, if any. An
    answer without a Content-Security-Policy of its own is data: a browser shall run and load nothing for it.
    """
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    if cookies:
        lines += [f"Set-Cookie: {cookie}\r\n" for cookie in cookies]
    fields = "".join(lines)
    if fields.count("\n") != len(lines) or fields.count("\r") != len(lines) or "\0" in fields:
        raise HeaderInjection("a header value holds a line break")
    framing = ""
    if length is not None:
        framing = f"Content-Length: {length}\r\n"
    elif chunked:
        framing = "Transfer-Encoding: chunked\r\n"
    if connection:
        framing = f"{framing}Connection: {connection}\r\n"
    status_line = STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n"
    policy = "" if _CONTENT_SECURITY in headers else _NO_CONTENT
    return (
        f"{status_line}{fields}{framing}{_STRICT_TRANSPORT if secure else ''}"
        f"{policy}{_fixed_lines(int(time.time()))}X-Request-Id: {request_id}\r\n\r\n"
    ).encode()


def render_plain(status: int, message: str, request_id: str) -> bytes:
    """A whole answer of one line of text that also closes the connection."""
    body = f"{message}\n".encode()
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    return render_head(status, headers, request_id, length=len(body), connection="close") + body
