"""The request bodies, as clients send them."""

from __future__ import annotations

import datetime as dt

from conformance_tests.bench.data import Window

NAMESPACES = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CS="http://calendarserver.org/ns/"'
XML = '<?xml version="1.0" encoding="utf-8"?>'

POLL = f"{XML}<D:propfind {NAMESPACES}><D:prop><CS:getctag/><D:sync-token/></D:prop></D:propfind>"
TOKEN = f"{XML}<D:propfind {NAMESPACES}><D:prop><D:sync-token/></D:prop></D:propfind>"
ETAGS = f"{XML}<D:propfind {NAMESPACES}><D:prop><D:getetag/></D:prop></D:propfind>"
MAKE_CALENDAR = (
    f"{XML}<C:mkcalendar {NAMESPACES}><D:set><D:prop><D:displayname>Bench</D:displayname></D:prop></D:set>"
    "</C:mkcalendar>"
)


def _range(name: str, window: Window) -> str:
    start, end = (f"{dt.datetime.fromtimestamp(each, dt.UTC):%Y%m%dT%H%M%SZ}" for each in window)
    return f'<C:{name} start="{start}" end="{end}"/>'


def sync(token: str) -> str:
    """sync-collection with ETags from a token (empty: from the beginning)."""
    return (
        f"{XML}<D:sync-collection {NAMESPACES}><D:sync-token>{token}</D:sync-token>"
        "<D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"
    )


def query(window: Window, *, expand: bool) -> str:
    """calendar-query of the events in a window, with their data as stored or expanded."""
    data = f"<C:calendar-data>{_range('expand', window)}</C:calendar-data>" if expand else "<C:calendar-data/>"
    return (
        f"{XML}<C:calendar-query {NAMESPACES}><D:prop><D:getetag/>{data}</D:prop><C:filter>"
        f'<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">{_range("time-range", window)}</C:comp-filter>'
        "</C:comp-filter></C:filter></C:calendar-query>"
    )


def multiget(hrefs: list[str]) -> str:
    """calendar-multiget with ETags and data."""
    listed = "".join(f"<D:href>{href}</D:href>" for href in hrefs)
    return (
        f"{XML}<C:calendar-multiget {NAMESPACES}><D:prop><D:getetag/><C:calendar-data/></D:prop>{listed}"
        "</C:calendar-multiget>"
    )


def free_busy(window: Window) -> str:
    """free-busy-query over a window."""
    return f"{XML}<C:free-busy-query {NAMESPACES}>{_range('time-range', window)}</C:free-busy-query>"
