"""METHODS: every method of the DAV face, one row each (RFC 4918 §9)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from caldav_server.dav.call import Call
from caldav_server.dav.methods import collections, moving, reading, writing
from caldav_server.http.messages import Response

METHODS: dict[str, Callable[[Call], Awaitable[Response]]] = {
    "OPTIONS": reading.options,
    "GET": reading.get,
    "HEAD": reading.get,
    "PROPFIND": reading.propfind,
    "REPORT": reading.report,
    "PUT": writing.put,
    "POST": writing.post,
    "DELETE": writing.delete,
    "MKCOL": collections.mkcol,
    "MKCALENDAR": collections.mkcalendar,
    "PROPPATCH": collections.proppatch,
    "COPY": moving.copy,
    "MOVE": moving.move,
}
