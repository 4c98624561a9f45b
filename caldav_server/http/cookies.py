"""Cookies as they travel (RFC 6265): the Cookie header read, a Set-Cookie header written.

Rules of this module: pure text; a cookie is as closed as it can be unless the caller opens it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]*")
_PATH = re.compile(r"/[ -:<-~]*")


def parse_cookies(headers: Iterable[str]) -> dict[str, str]:
    """Names and values of Cookie headers; of several with one name the first, which has the longest path."""
    found: dict[str, str] = {}
    for header in headers:
        for pair in header.split(";"):
            name, equals, value = pair.strip().partition("=")
            if equals:
                found.setdefault(name, value.strip('"'))
    return found


def render_cookie(
    name: str,
    value: str,
    *,
    path: str = "/",
    max_age: int | None = None,
    secure: bool = True,
    http_only: bool = True,
    same_site: str = "Lax",
) -> str:
    """The value of a Set-Cookie header; ``max_age`` in seconds, ``None`` until the browser is closed, 0 removes it.

    Raises ``ValueError`` for a name, value or path that the syntax has no room for.
    """
    if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value) and _PATH.fullmatch(path)):
        raise ValueError(f"not a cookie: {name!r} on {path!r}")
    parts = [f"{name}={value}", f"Path={path}"]
    if max_age is not None:
        parts.append(f"Max-Age={max_age}")
    if secure:
        parts.append("Secure")
    if http_only:
        parts.append("HttpOnly")
    return "; ".join([*parts, f"SameSite={same_site}"])
