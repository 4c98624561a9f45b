"""``/.well-known/caldav``: where a client that knows the host alone finds the DAV face (RFC 6764 §5)."""

from __future__ import annotations

from caldav_server.dav.paths import WELL_KNOWN, paths_below
from caldav_server.http.messages import Request, Response
from protocol.errors import Condition, Refusal


async def answer(request: Request) -> Response:
    """The redirect, for every method."""
    if request.raw_path.rstrip("/") != WELL_KNOWN:
        raise Refusal(Condition.NOT_FOUND, "There is nothing at this address.")
    return Response(301, {"Location": paths_below(request.base_path).root, "Cache-Control": "max-age=3600"})
