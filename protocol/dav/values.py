"""The values of properties: from plain data to escaped XML text.

RFC 4918 §15, RFC 3744 §5, RFC 4791 §5.2 and §7.5, RFC 3253 §3.1.5, RFC 6638 §9.1. Rules of this module: every
``render`` function returns the *content* of the property element, already escaped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache

from protocol.dav import names
from protocol.dav.privileges import render_privilege_names
from protocol.dav.xml import escape
from protocol.ical.collations import COLLATIONS
from protocol.model import DAY, HOUR, ComponentKind

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def render_text(text: str) -> str:
    """A text value."""
    return escape(text)


def render_href(href: str) -> str:
    """One DAV:href."""
    return f"<D:href>{escape(href)}</D:href>"


def render_hrefs(hrefs: Iterable[str]) -> str:
    """Any number of DAV:href elements."""
    return "".join(map(render_href, hrefs))


@lru_cache(maxsize=1024)
def _http_day(day: int) -> str:
    moment = datetime.fromtimestamp(day * DAY, UTC)
    return f"{_DAYS[moment.weekday()]}, {moment.day:02d} {_MONTHS[moment.month - 1]} {moment.year:04d}"


def render_http_date(epoch: int) -> str:
    """Epoch seconds in the form of DAV:getlastmodified and the Last-Modified header (RFC 9110 §5.6.7)."""
    day, second = divmod(epoch, DAY)
    return f"{_http_day(day)} {second // HOUR:02d}:{second // 60 % 60:02d}:{second % 60:02d} GMT"


def render_iso_date(epoch: int) -> str:
    """Epoch seconds in the form of DAV:creationdate (RFC 3339)."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


@cache
def render_component_set(components: frozenset[ComponentKind]) -> str:
    """CALDAV:supported-calendar-component-set (RFC 4791 §5.2.3)."""
    return "".join(f'<C:comp name="{kind.name}"/>' for kind in sorted(components))


def render_component_sets(sets: Iterable[frozenset[ComponentKind]]) -> str:
    """CALDAV:supported-calendar-component-sets of a home: the sets a new calendar may have."""
    name = names.SUPPORTED_CALENDAR_COMPONENT_SET
    return "".join(names.element(name, render_component_set(components)) for components in sets)


SUPPORTED_CALENDAR_DATA = '<C:calendar-data content-type="text/calendar" version="2.0"/>'
"""The content of CALDAV:supported-calendar-data (RFC 4791 §5.2.4)."""

SUPPORTED_COLLATIONS = "".join(f"<C:supported-collation>{name}</C:supported-collation>" for name in COLLATIONS)
"""The content of CALDAV:supported-collation-set (RFC 4791 §7.5.1)."""

TRANSPARENT = "<C:transparent/>"
OPAQUE = "<C:opaque/>"


def render_transparency(transparent: bool) -> str:
    """CALDAV:schedule-calendar-transp (RFC 6638 §9.1)."""
    return TRANSPARENT if transparent else OPAQUE


@cache
def render_supported_reports(reports: tuple[str, ...]) -> str:
    """DAV:supported-report-set from the Clark names of the reports (RFC 3253 §3.1.5)."""
    return "".join(
        f"<D:supported-report><D:report>{names.empty(name)}</D:report></D:supported-report>" for name in reports
    )


@dataclass(frozen=True, slots=True)
class Ace:
    """One grant of an access control list (RFC 3744 §5.5); the server has no explicit denials."""

    principal: str
    """Its href."""
    privileges: tuple[str, ...]
    """Clark names."""
    protected: bool = False


def render_acl(aces: Iterable[Ace]) -> str:
    """The content of DAV:acl."""
    return "".join(map(_ace, aces))


def _ace(ace: Ace) -> str:
    protected = "<D:protected/>" if ace.protected else ""
    return (
        f"<D:ace><D:principal>{render_href(ace.principal)}</D:principal>"
        f"<D:grant>{render_privilege_names(ace.privileges)}</D:grant>{protected}</D:ace>"
    )


ACL_RESTRICTIONS = "<D:grant-only/><D:no-invert/>"
"""The content of DAV:acl-restrictions (RFC 3744 §5.6)."""
