"""The bodies of all reports as plain data: a dataclass and a parser for each; ``PARSERS`` is the table.

RFC 3253 §3.8 (expand-property), RFC 3744 §9 (principals), RFC 4791 §7.8 to §7.10 (calendars), RFC 6578 §3
(sync-collection), RFC 5323 §5.17 (limit), RFC 7809 §4.3 (timezone-id). Unknown elements are ignored, except in a
filter. Rules of this module: it only reads, and decides nothing about a resource.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from protocol.dav import names
from protocol.dav.caldav_elements import parse_calendar_data, parse_filter, parse_time_range
from protocol.dav.headers import Depth
from protocol.dav.requests import NO_PROPERTIES, PropFind, PropKind, property_names, wanted_properties
from protocol.dav.xml import Element, parse, text_of
from protocol.errors import Condition, Refusal
from protocol.ical.filters.tree import MATCH_TYPES, CompFilter, MatchType
from protocol.ical.rendering.request import CalendarDataRequest
from protocol.model import TimeRange


@dataclass(frozen=True, slots=True)
class CalendarQuery:
    """The members of a calendar that match a filter (RFC 4791 §7.8)."""

    wanted: PropFind
    filter: CompFilter
    calendar_data: CalendarDataRequest | None = None
    """``None`` when CALDAV:calendar-data is not asked for."""
    timezone: str | None = None
    """An iCalendar text with the VTIMEZONE for floating times of this query."""
    timezone_id: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class CalendarMultiget:
    """Named members of a calendar (RFC 4791 §7.9)."""

    wanted: PropFind
    hrefs: tuple[str, ...]
    """As sent, in order, each once."""
    calendar_data: CalendarDataRequest | None = None


@dataclass(frozen=True, slots=True)
class FreeBusyQuery:
    """The busy time of a collection (RFC 4791 §7.10); one end of the range may be open."""

    range: TimeRange


@dataclass(frozen=True, slots=True)
class SyncCollection:
    """What changed since ``token`` (RFC 6578 §3.2); an empty token asks for everything."""

    token: str
    level: Depth | None
    """``ONE`` or ``INFINITY``; ``None`` when an old client uses the Depth header instead (RFC 6578 §3.3)."""
    wanted: PropFind
    limit: int | None = None
    calendar_data: CalendarDataRequest | None = None


@dataclass(frozen=True, slots=True)
class ExpandedProperty:
    """A property to report; hrefs in its value become responses with the ``children`` (RFC 3253 §3.8)."""

    name: str
    children: tuple[ExpandedProperty, ...] = ()


@dataclass(frozen=True, slots=True)
class ExpandProperty:
    """A tree of properties to follow."""

    properties: tuple[ExpandedProperty, ...]


@dataclass(frozen=True, slots=True)
class PropertySearch:
    """A text to find in properties of a principal; each of them must contain it (RFC 3744 §9.4)."""

    properties: tuple[str, ...]
    match: str
    match_type: MatchType = "contains"


@dataclass(frozen=True, slots=True)
class PrincipalPropertySearch:
    """Principals whose properties contain given texts (RFC 3744 §9.4)."""

    searches: tuple[PropertySearch, ...]
    """Without any, every principal matches: the RFC requires one, but python-caldav lists all principals so."""
    wanted: PropFind
    any_of: bool = False
    """CalendarServer's ``test="anyof"``: one matching search is enough."""
    apply_to_principal_collection_set: bool = False
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class PrincipalSearchPropertySet:
    """The properties that principal-property-search can search (RFC 3744 §9.5)."""


@dataclass(frozen=True, slots=True)
class PrincipalMatch:
    """The members that are the current user, or whose ``property`` names the current user (RFC 3744 §9.3)."""

    property: str | None
    """``None``: DAV:self, the member itself."""
    wanted: PropFind


@dataclass(frozen=True, slots=True)
class AclPrincipalPropSet:
    """Properties of the principals in a resource's ACL (RFC 3744 §9.2)."""

    wanted: PropFind


ReportBody: TypeAlias = (
    CalendarQuery
    | CalendarMultiget
    | FreeBusyQuery
    | SyncCollection
    | ExpandProperty
    | PrincipalPropertySearch
    | PrincipalSearchPropertySet
    | PrincipalMatch
    | AclPrincipalPropSet
)


def parse_report(body: bytes) -> ReportBody:
    """The report that a body asks for; refuses ``SUPPORTED_REPORT`` for one that is not in ``PARSERS``."""
    root = parse(body)
    parser = PARSERS.get(str(root.tag))
    if parser is None:
        raise Refusal(Condition.SUPPORTED_REPORT, f"There is no report {str(root.tag)[:200]}.")
    return parser(root)


def _calendar_query(root: Element) -> CalendarQuery:
    wanted = wanted_properties(root) or NO_PROPERTIES
    timezone, timezone_id = root.find(names.TIMEZONE), root.find(names.TIMEZONE_ID)
    return CalendarQuery(
        wanted,
        parse_filter(root.find(names.FILTER)),
        _calendar_data(wanted),
        text_of(timezone) if timezone is not None else None,
        text_of(timezone_id).strip() if timezone_id is not None else None,
        _limit(root),
    )


def _calendar_multiget(root: Element) -> CalendarMultiget:
    wanted = wanted_properties(root) or NO_PROPERTIES
    hrefs = dict.fromkeys(text_of(href).strip() for href in root.iterchildren(names.HREF))
    hrefs.pop("", None)
    return CalendarMultiget(wanted, tuple(hrefs), _calendar_data(wanted))


def _calendar_data(wanted: PropFind) -> CalendarDataRequest | None:
    if names.CALENDAR_DATA not in wanted.names:
        return None
    element = wanted.element(names.CALENDAR_DATA)
    return CalendarDataRequest() if element is None else parse_calendar_data(element)


def _free_busy_query(root: Element) -> FreeBusyQuery:
    ranges = root.findall(names.TIME_RANGE)
    if len(ranges) != 1:
        raise Refusal(Condition.BAD_REQUEST, "A free-busy-query needs exactly one time-range.")
    return FreeBusyQuery(parse_time_range(ranges[0]))


_LEVELS = {"1": Depth.ONE, "infinite": Depth.INFINITY, "infinity": Depth.INFINITY}


def _sync_collection(root: Element) -> SyncCollection:
    token, level = root.find(names.SYNC_TOKEN), root.find(names.SYNC_LEVEL)
    if token is None:
        raise Refusal(Condition.BAD_REQUEST, "A sync-collection needs a sync-token, empty for the first time.")
    depth: Depth | None = None
    if level is not None:
        depth = _LEVELS.get(text_of(level).strip())
        if depth is None:
            raise Refusal(Condition.BAD_REQUEST, "sync-level must be 1 or infinite.")
    wanted = wanted_properties(root) or NO_PROPERTIES
    return SyncCollection(text_of(token).strip(), depth, wanted, _limit(root), _calendar_data(wanted))


def _limit(root: Element) -> int | None:
    """The DAV:nresults of a DAV:limit (RFC 5323 §5.17), at least one."""
    limit = root.find(names.LIMIT)
    count = None if limit is None else limit.find(names.NRESULTS)
    if count is None:
        return None
    text = text_of(count).strip()
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text)):
        raise Refusal(Condition.BAD_REQUEST, "nresults must be a positive number.")
    return int(text)


def _expand_property(root: Element) -> ExpandProperty:
    return ExpandProperty(_expanded(root))


def _expanded(parent: Element) -> tuple[ExpandedProperty, ...]:
    found = []
    for child in parent.iterchildren(names.PROPERTY):
        local = (child.get("name") or "").strip()
        namespace = child.get("namespace", names.DAV)
        if not local or names.NOT_NCNAME.search(local):
            raise Refusal(Condition.BAD_REQUEST, "A property of expand-property needs the name of an element.")
        found.append(ExpandedProperty(f"{{{namespace}}}{local}" if namespace else local, _expanded(child)))
    return tuple(found)


def _principal_property_search(root: Element) -> PrincipalPropertySearch:
    return PrincipalPropertySearch(
        tuple(map(_property_search, root.iterchildren(names.PROPERTY_SEARCH))),
        _wanted_of_principals(root),
        any_of=root.get("test") == "anyof",
        apply_to_principal_collection_set=root.find(names.APPLY_TO_PRINCIPAL_COLLECTION_SET) is not None,
        limit=_limit(root),
    )


_SEARCH_MARKUP = frozenset({names.PROP, names.PROPERTY_SEARCH, names.APPLY_TO_PRINCIPAL_COLLECTION_SET, names.LIMIT})


def _wanted_of_principals(root: Element) -> PropFind:
    """The properties to answer; python-caldav 3.6 writes them beside an empty DAV:prop instead of inside."""
    wanted = wanted_properties(root) or NO_PROPERTIES
    if wanted == NO_PROPERTIES and root.find(names.PROP) is not None:
        return PropFind(PropKind.PROP, tuple(name for name in property_names(root) if name not in _SEARCH_MARKUP))
    return wanted


def _property_search(element: Element) -> PropertySearch:
    prop, match = element.find(names.PROP), element.find(names.MATCH)
    if prop is None or match is None or len(prop) == 0:
        raise Refusal(Condition.BAD_REQUEST, "A property-search needs a prop with properties and a match.")
    match_type = MATCH_TYPES.get(match.get("match-type", "contains"))
    if match_type is None:
        raise Refusal(Condition.BAD_REQUEST, f"match-type must be one of {', '.join(MATCH_TYPES)}.")
    return PropertySearch(property_names(prop), text_of(match), match_type)


def _principal_search_property_set(root: Element) -> PrincipalSearchPropertySet:
    return PrincipalSearchPropertySet()


def _principal_match(root: Element) -> PrincipalMatch:
    wanted = wanted_properties(root) or NO_PROPERTIES
    holder = root.find(names.PRINCIPAL_PROPERTY)
    if (holder is None) is (root.find(names.SELF) is None):
        raise Refusal(Condition.BAD_REQUEST, "A principal-match needs either self or a principal-property.")
    if holder is None:
        return PrincipalMatch(None, wanted)
    if len(holder) != 1:
        raise Refusal(Condition.BAD_REQUEST, "A principal-property names exactly one property.")
    return PrincipalMatch(str(holder[0].tag), wanted)


def _acl_principal_prop_set(root: Element) -> AclPrincipalPropSet:
    return AclPrincipalPropSet(wanted_properties(root) or NO_PROPERTIES)


PARSERS: Mapping[str, Callable[[Element], ReportBody]] = MappingProxyType(
    {
        names.CALENDAR_QUERY: _calendar_query,
        names.CALENDAR_MULTIGET: _calendar_multiget,
        names.FREE_BUSY_QUERY: _free_busy_query,
        names.SYNC_COLLECTION: _sync_collection,
        names.EXPAND_PROPERTY: _expand_property,
        names.PRINCIPAL_PROPERTY_SEARCH: _principal_property_search,
        names.PRINCIPAL_SEARCH_PROPERTY_SET: _principal_search_property_set,
        names.PRINCIPAL_MATCH: _principal_match,
        names.ACL_PRINCIPAL_PROP_SET: _acl_principal_prop_set,
    }
)
"""The Clark name of each report, and the parser of its root element."""
