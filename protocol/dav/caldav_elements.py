"""The elements inside CalDAV reports as plain data: filter, time-range and calendar-data.

RFC 4791 §9.6, §9.7 and §9.9, draft-daboo-caldav-extensions §3. ``protocol.ical`` has the filter and the request for
data; this module reads them from XML. Tolerated: when a VCALENDAR filter has a test that only inner components can pass
(a time-range, SUMMARY, an alarm), it means "some component, of any type".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NoReturn, TypeVar

from protocol.dav import names
from protocol.dav.xml import Element, text_of
from protocol.errors import Condition, Refusal
from protocol.ical.collations import ASCII_CASEMAP
from protocol.ical.filters.tree import (
    ANY,
    EVERYTHING,
    MATCH_TYPES,
    CompFilter,
    ParamFilter,
    PropFilter,
    Test,
    TextMatch,
)
from protocol.ical.rendering.request import VERBATIM, CalendarDataRequest, CompRequest, PropRequest
from protocol.model import TimeRange

_UTC_DATE_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII)

_TESTS: Mapping[str, Test] = MappingProxyType({"allof": "allof", "anyof": "anyof"})
_YES_NO: Mapping[str, bool] = MappingProxyType({"yes": True, "no": False})

_T = TypeVar("_T")

_CALENDAR = "VCALENDAR"
_CALENDAR_PROPERTIES = frozenset(
    {"VERSION", "PRODID", "CALSCALE", "METHOD", "NAME", "COLOR", "REFRESH-INTERVAL", "SOURCE"}
)
_PARENTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        _CALENDAR: frozenset(),
        **dict.fromkeys(
            ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VTIMEZONE", "VAVAILABILITY", ANY), frozenset({_CALENDAR})
        ),
        "VALARM": frozenset({"VEVENT", "VTODO", ANY, _CALENDAR}),
        "AVAILABLE": frozenset({"VAVAILABILITY", ANY, _CALENDAR}),
        "STANDARD": frozenset({"VTIMEZONE", ANY}),
        "DAYLIGHT": frozenset({"VTIMEZONE", ANY}),
    }
)
"""The possible parents of a component; a component that is not in this table may be anywhere."""

_INNER_COMPONENTS = frozenset({"VALARM", "AVAILABLE"})
_TIMED_PROPERTIES = frozenset({"COMPLETED", "CREATED", "DTEND", "DTSTAMP", "DTSTART", "DUE", "LAST-MODIFIED"})


def parse_utc(text: str | None, condition: Condition) -> int | None:
    """A "date with UTC time" (RFC 5545 §3.3.5 form 2) as epoch seconds; ``None`` for ``None``, else a refusal."""
    if text is None:
        return None
    found = _UTC_DATE_TIME.fullmatch(text.strip())
    try:
        if found is not None:
            year, month, day, hour, minute, second = map(int, found.groups())
            return int(datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC).timestamp())
    except ValueError:
        pass
    raise Refusal(condition, f"{text[:40]!r} is not a date-time in UTC such as 20060104T000000Z.")


def parse_time_range(element: Element, condition: Condition = Condition.VALID_FILTER) -> TimeRange:
    """A CALDAV:time-range (RFC 4791 §9.9): one end may be open, the end must be later than the start."""
    start, end = parse_utc(element.get("start"), condition), parse_utc(element.get("end"), condition)
    if start is None and end is None:
        raise Refusal(condition, "A time-range needs a start or an end.")
    if start is not None and end is not None and start >= end:
        raise Refusal(condition, "The end of a time-range must be later than its start.")
    return TimeRange(start, end)


def parse_filter(element: Element | None) -> CompFilter:
    """A CALDAV:filter (RFC 4791 §9.7); without a filter, or with an empty one, everything matches.

    Refuses ``VALID_FILTER`` for what the grammar forbids, ``SUPPORTED_FILTER`` for unknown elements and
    ``SUPPORTED_COLLATION``.
    """
    if element is None or len(element) == 0:
        return EVERYTHING
    if len(element) > 1 or element[0].tag != names.COMP_FILTER:
        raise Refusal(Condition.VALID_FILTER, "A filter holds exactly one comp-filter.")
    name = _name(element[0])
    if name != _CALENDAR:
        raise Refusal(Condition.VALID_FILTER, f"The outermost comp-filter must be VCALENDAR, not {name[:40]}.")
    return _comp_filter(element[0], name)


def _comp_filter(element: Element, name: str) -> CompFilter:
    time_range: TimeRange | None = None
    is_not_defined = False
    props: list[PropFilter] = []
    comps: list[CompFilter] = []
    for child in element:
        if child.tag == names.COMP_FILTER:
            comps.append(_inner_filter(child, name))
        elif child.tag == names.PROP_FILTER:
            props.append(_prop_filter(child))
        elif child.tag == names.TIME_RANGE and time_range is None:
            time_range = parse_time_range(child)
        elif child.tag == names.IS_NOT_DEFINED:
            is_not_defined = True
        else:
            _refuse_child(child, element)
    test = _choice(element, "test", _TESTS, "allof")
    if name == _CALENDAR and not is_not_defined:
        return _calendar_filter(time_range, props, comps, test)
    return CompFilter(name, is_not_defined, time_range, tuple(props), tuple(comps), test)


def _inner_filter(element: Element, parent: str) -> CompFilter:
    name = _name(element)
    parents = _PARENTS.get(name)
    if parents is not None and parent in _PARENTS and parent not in parents:
        raise Refusal(Condition.VALID_FILTER, f"There is no {name} inside {parent}.")
    return _comp_filter(element, name)


def _calendar_filter(
    time_range: TimeRange | None, props: list[PropFilter], comps: list[CompFilter], test: Test
) -> CompFilter:
    """The VCALENDAR filter; tests that only an inner component can pass move into a filter for any component."""
    own = tuple(item for item in props if item.name in _CALENDAR_PROPERTIES)
    inner_props = tuple(item for item in props if item.name not in _CALENDAR_PROPERTIES)
    direct = tuple(item for item in comps if item.name not in _INNER_COMPONENTS)
    inner_comps = tuple(item for item in comps if item.name in _INNER_COMPONENTS)
    if time_range is not None or inner_props or inner_comps:
        inner = CompFilter(ANY, time_range=time_range, prop_filters=inner_props, comp_filters=inner_comps, test=test)
        direct = (*direct, inner)
    return CompFilter(_CALENDAR, prop_filters=own, comp_filters=direct, test=test)


def _prop_filter(element: Element) -> PropFilter:
    name = _name(element)
    time_range: TimeRange | None = None
    text_match: TextMatch | None = None
    is_not_defined = False
    params: list[ParamFilter] = []
    for child in element:
        if child.tag == names.TEXT_MATCH and text_match is None:
            text_match = _text_match(child)
        elif child.tag == names.PARAM_FILTER:
            params.append(_param_filter(child))
        elif child.tag == names.TIME_RANGE and time_range is None:
            if name not in _TIMED_PROPERTIES:
                raise Refusal(Condition.VALID_FILTER, f"A time-range is not defined for the property {name[:40]}.")
            time_range = parse_time_range(child)
        elif child.tag == names.IS_NOT_DEFINED:
            is_not_defined = True
        else:
            _refuse_child(child, element)
    test = _choice(element, "test", _TESTS, "allof")
    return PropFilter(name, is_not_defined, time_range, text_match, tuple(params), test)


def _param_filter(element: Element) -> ParamFilter:
    text_match: TextMatch | None = None
    is_not_defined = False
    for child in element:
        if child.tag == names.TEXT_MATCH and text_match is None:
            text_match = _text_match(child)
        elif child.tag == names.IS_NOT_DEFINED:
            is_not_defined = True
        else:
            _refuse_child(child, element)
    return ParamFilter(_name(element), is_not_defined, text_match)


def _text_match(element: Element) -> TextMatch:
    return TextMatch(
        text_of(element),
        element.get("collation", ASCII_CASEMAP),
        _choice(element, "negate-condition", _YES_NO, "no"),
        _choice(element, "match-type", MATCH_TYPES, "contains"),
    )


def _name(element: Element) -> str:
    name = (element.get("name") or "").strip().upper()
    if not name:
        raise Refusal(Condition.VALID_FILTER, f"{_local(element)} needs a name.")
    return name


def _choice(element: Element, attribute: str, choices: Mapping[str, _T], default: str) -> _T:
    value = element.get(attribute, default)
    if value not in choices:
        raise Refusal(Condition.VALID_FILTER, f"{attribute} of {_local(element)} must be one of {', '.join(choices)}.")
    return choices[value]


def _local(element: Element) -> str:
    return names.split(str(element.tag))[1]


def _refuse_child(child: Element, parent: Element) -> NoReturn:
    """Refuse an unknown test: without it the answer would have too many members."""
    known = (names.TIME_RANGE, names.TEXT_MATCH, names.PROP_FILTER, names.COMP_FILTER, names.PARAM_FILTER)
    condition = Condition.VALID_FILTER if child.tag in known else Condition.SUPPORTED_FILTER
    raise Refusal(condition, f"{_local(child)} has no place in {_local(parent)}, or is there twice.")


def parse_calendar_data(element: Element) -> CalendarDataRequest:
    """A CALDAV:calendar-data element of a request (RFC 4791 §9.6).

    Refuses ``SUPPORTED_CALENDAR_DATA`` for any media type or version but iCalendar 2.0, and ``BAD_REQUEST`` for what
    the grammar forbids.
    """
    content_type = element.get("content-type", "text/calendar").partition(";")[0].strip().lower()
    version = element.get("version", "2.0").strip()
    if content_type != "text/calendar" or version != "2.0":
        raise Refusal(Condition.SUPPORTED_CALENDAR_DATA, "Calendar data comes as text/calendar, version 2.0.")
    if len(element) == 0:
        return VERBATIM
    comp: CompRequest | None = None
    ranges: dict[str, TimeRange] = {}
    for child in element:
        if child.tag == names.COMP:
            if comp is not None:
                raise Refusal(Condition.BAD_REQUEST, "calendar-data holds at most one comp.")
            comp = _comp_request(child)
        elif child.tag in (names.EXPAND, names.LIMIT_RECURRENCE_SET, names.LIMIT_FREEBUSY_SET):
            ranges[str(child.tag)] = _closed_range(child)
    if names.EXPAND in ranges and names.LIMIT_RECURRENCE_SET in ranges:
        raise Refusal(Condition.BAD_REQUEST, "Ask for expand or for limit-recurrence-set, not for both.")
    return CalendarDataRequest(
        comp=comp,
        expand=ranges.get(names.EXPAND),
        limit_recurrence_set=ranges.get(names.LIMIT_RECURRENCE_SET),
        limit_freebusy_set=ranges.get(names.LIMIT_FREEBUSY_SET),
    )


def _closed_range(element: Element) -> TimeRange:
    """A range whose ends are both required (RFC 4791 §9.6.5 to §9.6.7)."""
    found = parse_time_range(element, Condition.BAD_REQUEST)
    if found.start is None or found.end is None:
        raise Refusal(Condition.BAD_REQUEST, f"{_local(element)} needs a start and an end.")
    return found


def _comp_request(element: Element) -> CompRequest:
    props: list[PropRequest] | None = []
    comps: list[CompRequest] | None = []
    for child in element:
        if child.tag == names.ALL_COMP_PROPERTIES:
            props = None
        elif child.tag == names.ALL_COMPONENTS:
            comps = None
        elif child.tag == names.COMP_PROP and props is not None:
            props.append(PropRequest(_required_name(child), child.get("novalue") == "yes"))
        elif child.tag == names.COMP and comps is not None:
            comps.append(_comp_request(child))
    name = _required_name(element)
    if len(element) == 0:
        return CompRequest(name)
    return CompRequest(name, None if props is None else tuple(props), None if comps is None else tuple(comps))


def _required_name(element: Element) -> str:
    name = (element.get("name") or "").strip().upper()
    if not name:
        raise Refusal(Condition.BAD_REQUEST, f"{_local(element)} in calendar-data needs a name.")
    return name
