"""What the server says it can do: the Allow and DAV headers (RFC 4918 §10.1)."""

from __future__ import annotations

from functools import cache

from caldav_server.dav.paths import Location, Place

COMPLIANCE = (
    "1",
    "3",
    "access-control",
    "extended-mkcol",
    "calendar-access",
)
"""RFC 4918 §18.1 and §18.3, RFC 3744 §7.2, RFC 5689 §3.1, RFC 4791 §5.1. What is not built is not in here."""

DAV = ", ".join(COMPLIANCE)

_EVERYWHERE = ("OPTIONS", "GET", "HEAD", "PROPFIND", "REPORT", "MKCOL", "MKCALENDAR")
"""MKCOL and MKCALENDAR too: where no calendar can be, they say which condition stands against it."""
METHODS_AT: dict[Place, tuple[str, ...]] = {
    Place.ROOT: _EVERYWHERE,
    Place.PRINCIPALS: _EVERYWHERE,
    Place.PRINCIPAL: (*_EVERYWHERE, "PROPPATCH"),
    Place.HOMES: _EVERYWHERE,
    Place.HOME: (*_EVERYWHERE, "PROPPATCH"),
    Place.COLLECTION: (
        *_EVERYWHERE,
        "POST",
        "PROPPATCH",
        "DELETE",
        "COPY",
        "MOVE",
    ),
    Place.OBJECT: (*_EVERYWHERE, "PUT", "PROPPATCH", "DELETE", "COPY", "MOVE"),
}
"""Which methods make sense at which place of the map: 405 for every other one."""


@cache
def allow_header(place: Place, without: str = "") -> str:
    """The Allow header for a place (RFC 9110 §10.2.1), less a method that was just refused there."""
    return ", ".join(method for method in METHODS_AT[place] if method != without)


def headers_for(location: Location, without: str = "") -> dict[str, str]:
    """The headers an answer to OPTIONS carries, and one that refuses the method ``without``."""
    return {"Allow": allow_header(location.place, without), "DAV": DAV}
