"""The values of properties: from plain data to escaped XML text, and back for those that clients set.

RFC 4918 §15, RFC 3744 §5, RFC 4791 §5.2 and §7.5, RFC 3253 §3.1.5, RFC 6638 §9.1. Rules of this module: every
``render`` function returns the *content* of the property element, already escaped; every ``parse`` function takes
the property element as the client sent it and refuses with the condition the property's RFC names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache, lru_cache

from protocol.dav import names
from protocol.dav.privileges import render_privilege_names
from protocol.dav.xml import Element, escape, text_of
from protocol.errors import Condition, Refusal
from protocol.ical.collations import COLLATIONS
from protocol.model import ComponentKind

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY_SECONDS = 86400


def render_text(text: str) -> str:
    """A text value."""
    return escape(text)


def render_integer(value: int) -> str:
    """A number."""
    return str(value)


def render_href(href: str) -> str:
    """One DAV:href."""
    return f"<D:href>{escape(href)}</D:href>"


def render_hrefs(hrefs: Iterable[str]) -> str:
    """Any number of DAV:href elements."""
    return "".join(map(render_href, hrefs))


def render_etag(etag: str) -> str:
    """DAV:getetag: a strong entity tag, given without its quotes (RFC 4918 §15.6)."""
    return f'"{escape(etag)}"'


@lru_cache(maxsize=1024)
def _http_day(day: int) -> str:
    moment = datetime.fromtimestamp(day * _DAY_SECONDS, UTC)
    return f"{_DAYS[moment.weekday()]}, {moment.day:02d} {_MONTHS[moment.month - 1]} {moment.year:04d}"


def render_http_date(epoch: int) -> str:
    """Epoch seconds as DAV:getlastmodified and the Last-Modified header want them (RFC 9110 §5.6.7)."""
    day, second = divmod(epoch, _DAY_SECONDS)
    return f"{_http_day(day)} {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d} GMT"


def render_iso_date(epoch: int) -> str:
    """Epoch seconds as DAV:creationdate wants them (RFC 3339)."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def render_utc(epoch: int) -> str:
    """Epoch seconds as an iCalendar UTC date-time: CALDAV:min-date-time and max-date-time."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y%m%dT%H%M%SZ").rjust(16, "0")


@cache
def render_elements(element_names: tuple[str, ...]) -> str:
    """Empty elements, as in DAV:resourcetype."""
    return "".join(map(names.empty, element_names))


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


class Subject(Enum):
    """Whom an ACE is about, other than a named principal (RFC 3744 §5.5.1); the value is its XML."""

    ALL = "<D:all/>"
    AUTHENTICATED = "<D:authenticated/>"
    UNAUTHENTICATED = "<D:unauthenticated/>"
    SELF = "<D:self/>"
    OWNER = "<D:property><D:owner/></D:property>"


@dataclass(frozen=True, slots=True)
class Ace:
    """One grant of an access control list (RFC 3744 §5.5); the server denies nothing explicitly."""

    principal: Subject | str
    """A subject, or the href of a principal."""
    privileges: tuple[str, ...]
    """Clark names."""
    protected: bool = False
    inherited: str | None = None
    """The href of the resource whose grant this is."""


def render_acl(aces: Iterable[Ace]) -> str:
    """The content of DAV:acl."""
    return "".join(map(_ace, aces))


def _ace(ace: Ace) -> str:
    principal = ace.principal.value if isinstance(ace.principal, Subject) else render_href(ace.principal)
    protected = "<D:protected/>" if ace.protected else ""
    inherited = "" if ace.inherited is None else f"<D:inherited>{render_href(ace.inherited)}</D:inherited>"
    return (
        f"<D:ace><D:principal>{principal}</D:principal><D:grant>{render_privilege_names(ace.privileges)}</D:grant>"
        f"{protected}{inherited}</D:ace>"
    )


ACL_RESTRICTIONS = "<D:grant-only/><D:no-invert/>"
"""The content of DAV:acl-restrictions (RFC 3744 §5.6)."""


def parse_text(element: Element) -> str:
    """The text of a property that a client sets, white space kept."""
    return text_of(element)


_KINDS = {kind.name: kind for kind in ComponentKind}
_NOT_OF_CALENDARS = frozenset({"VTIMEZONE", "VALARM", "AVAILABLE"})
"""Components that every calendar holds inside others; a client that lists them asks for nothing more."""


def parse_component_set(element: Element) -> frozenset[ComponentKind]:
    """CALDAV:supported-calendar-component-set of a new calendar.

    Refuses ``SUPPORTED_CALENDAR_COMPONENT`` for an empty set and for components the server cannot store.
    """
    listed = {(comp.get("name") or "").strip().upper() for comp in element.iterchildren(names.COMP)}
    unknown = listed - _KINDS.keys() - _NOT_OF_CALENDARS
    found = frozenset(_KINDS[name] for name in listed if name in _KINDS)
    if unknown or not found:
        shown = ", ".join(sorted(unknown))[:100] or "nothing"
        raise Refusal(Condition.SUPPORTED_CALENDAR_COMPONENT, f"A calendar cannot be made to hold {shown}.")
    return found


def parse_transparency(element: Element) -> bool:
    """CALDAV:schedule-calendar-transp: true for transparent (RFC 6638 §9.1)."""
    kinds = {child.tag for child in element} & {names.caldav("transparent"), names.caldav("opaque")}
    if len(kinds) != 1:
        raise Refusal(Condition.BAD_REQUEST, "schedule-calendar-transp holds either opaque or transparent.")
    return names.caldav("transparent") in kinds


def parse_hrefs(element: Element) -> tuple[str, ...]:
    """The DAV:href values inside a property, as sent."""
    return tuple(text_of(href).strip() for href in element.iterchildren(names.HREF))
