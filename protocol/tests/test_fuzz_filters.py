"""Any filter, request or edit on any object: a quick answer or refusal, and bounds that never lose an object."""

from __future__ import annotations

from functools import partial
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Condition, Refusal
from protocol.ical.alarms import due
from protocol.ical.document import Document, parse_calendar, parse_document
from protocol.ical.filters import CompFilter, ParamFilter, PropFilter, TextMatch, bounds, matches, satisfies
from protocol.ical.freebusy import busy_periods, merge, render_freebusy
from protocol.ical.index import index_document
from protocol.ical.instants import wall_range_of
from protocol.ical.recurrence import Budget
from protocol.ical.rendering import CalendarDataRequest, CompRequest, PropRequest, render
from protocol.model import FOREVER, TimeRange
from testing.appendix_b import OBJECTS, US_EASTERN
from testing.builders import calendar, component
from testing.cost import within

ZONES = st.sampled_from([None, ZoneInfo("America/New_York"), ZoneInfo("Pacific/Apia")])
NAMES = st.sampled_from(["VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VALARM", "VTIMEZONE", "VAVAILABILITY", "*", "X"])
TIMED = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VALARM", "VAVAILABILITY", "*")
PROPS = st.sampled_from(
    ["UID", "SUMMARY", "DTSTART", "DTEND", "DUE", "COMPLETED", "CATEGORIES", "ATTENDEE", "RRULE", "STATUS", "TRIGGER"]
)
INSTANTS = st.integers(1_135_000_000, 1_137_500_000) | st.integers(-(10**10), 10**11)
TEXT = st.sampled_from(["", "a", "Event", "example.com", "#", "é", "\\", "NEEDS-ACTION", "20060104"]) | st.text(
    max_size=3
)


@st.composite
def ranges(draw, *, closed: bool = False) -> TimeRange:
    start = draw(INSTANTS)
    end = start + draw(st.integers(1, 40 * 86400) | st.integers(1, 10**11))
    which = 0 if closed else draw(st.integers(0, 2))
    return TimeRange(None if which == 1 else start, None if which == 2 else end)


def text_matches() -> st.SearchStrategy[TextMatch]:
    return st.builds(
        TextMatch,
        TEXT,
        st.sampled_from(["i;ascii-casemap", "i;octet", "i;unicode-casemap", "default"]),
        st.booleans(),
        st.sampled_from(["contains", "equals", "starts-with", "ends-with"]),
    )


@st.composite
def prop_filters(draw) -> PropFilter:
    name, shape = draw(PROPS), draw(st.integers(0, 3))
    params = tuple(
        ParamFilter(draw(st.sampled_from(["PARTSTAT", "TZID", "CN"])), text_match=draw(st.none() | text_matches()))
        for _ in range(draw(st.integers(0, 1)))
    )
    test = draw(st.sampled_from(["allof", "anyof"]))
    if shape == 0:
        return PropFilter(name, is_not_defined=True)
    if shape == 1:
        return PropFilter(name, time_range=draw(ranges()), param_filters=params, test=test)
    return PropFilter(name, text_match=draw(st.none() | text_matches()), param_filters=params, test=test)


@st.composite
def comp_filters(draw, depth: int = 2) -> CompFilter:
    name = draw(NAMES)
    if draw(st.integers(0, 5)) == 0:
        return CompFilter(name, is_not_defined=True)
    window = draw(st.none() | ranges()) if name in TIMED else None
    nested = draw(st.lists(comp_filters(depth - 1), max_size=1)) if depth else []
    return CompFilter(
        name,
        time_range=window,
        prop_filters=tuple(draw(st.lists(prop_filters(), max_size=2))),
        comp_filters=tuple(nested),
        test=draw(st.sampled_from(["allof", "anyof"])),
    )


FILTERS = st.builds(
    CompFilter,
    st.just("VCALENDAR"),
    prop_filters=st.lists(prop_filters(), max_size=1).map(tuple),
    comp_filters=st.lists(comp_filters(), max_size=3).map(tuple),
    test=st.sampled_from(["allof", "anyof"]),
)

VALUES = st.sampled_from(
    ["20060104T140000Z", "20060104", "20060105T000000", "-PT15M", "P1W", "FREQ=DAILY", "FREQ=SECONDLY", "x", "",
     "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "20060104T140000Z/PT1H,20060105T140000Z/P1D", "THIS,AND\\,THAT", "9" * 20,
     "FREQ=WEEKLY;UNTIL=20060301;BYDAY=MO,FR", "99991231T235959Z", "00010101T000000Z"]
)  # fmt: skip
LINE_NAMES = st.sampled_from(
    ["DTSTART", "DTEND", "DURATION", "DUE", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "FREEBUSY", "TRIGGER",
     "REPEAT", "CATEGORIES", "COMPLETED", "CREATED", "STATUS", "TRANSP", "PRIORITY", "BUSYTYPE", "X-Y"]
)  # fmt: skip
PARAMS = st.sampled_from(["", "", ";TZID=US/Eastern", ";TZID=Nowhere", ";VALUE=DATE", ";RELATED=END",
                          ";RANGE=THISANDFUTURE", ";FBTYPE=X"])  # fmt: skip


@st.composite
def raw_objects(draw) -> bytes:
    kind = draw(st.sampled_from(["VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"]))
    members = []
    for number in range(draw(st.integers(1, 2))):
        lines = draw(st.lists(st.builds("{}{}:{}".format, LINE_NAMES, PARAMS, VALUES), max_size=6))
        lines = [line for line in lines if not line.startswith("RECURRENCE-ID") or number]
        if number:
            lines.append("RECURRENCE-ID:20060104T140000Z")
        inner = draw(st.lists(st.builds("{}{}:{}".format, LINE_NAMES, PARAMS, VALUES), max_size=3))
        name = "AVAILABLE" if kind == "VAVAILABILITY" else "VALARM"
        members.append(component(kind, "UID:1", *lines, f"BEGIN:{name}", "UID:2", *inner, f"END:{name}"))
    return calendar(US_EASTERN, *members)


OBJECTS = st.sampled_from(sorted(OBJECTS.values())) | raw_objects()


def parsed(data: bytes) -> Document | None:
    try:
        return parse_document(data).document
    except Refusal:
        return None


@given(filter_=FILTERS, data=OBJECTS, zone=ZONES)
def test_bounds_never_lose_an_object(filter_: CompFilter, data: bytes, zone) -> None:
    document = parsed(data)
    if document is None:
        return
    try:
        found = matches(filter_, document, zone, Budget())
    except Refusal as refusal:
        assert refusal.condition is Condition.MAX_INSTANCES
        return
    limits = bounds(filter_)
    inside = limits.components is None or document.component in limits.components
    if inside and limits.range is not None:
        index = index_document(document, horizon=2_000_000_000)
        walls = wall_range_of(limits.range, zone)
        near = any((walls.wide if row.floating else limits.range).overlaps(row.start, row.end) for row in index.entries)
        last = FOREVER if limits.range.end is None else limits.range.end
        if not near and index.indexed_until <= last + 86400:
            return  # the index ends before that: the object is expanded
        inside = near
    if inside and limits.uid is not None:
        inside = document.uid == limits.uid
    if inside and limits.uid_match is not None:
        inside = satisfies(limits.uid_match, [document.uid])
    if found:
        assert inside
    elif limits.exact and (limits.range is None or wall_range_of(limits.range, zone).exact):
        assert not inside


PROP_REQUESTS = st.none() | st.lists(st.builds(PropRequest, PROPS, st.booleans()), max_size=3).map(tuple)
COMP_REQUESTS = st.builds(
    CompRequest,
    st.just("VCALENDAR"),
    PROP_REQUESTS,
    st.none() | st.lists(st.builds(CompRequest, NAMES, PROP_REQUESTS, st.none()), max_size=3).map(tuple),
)


@given(
    data=OBJECTS,
    comp=st.none() | COMP_REQUESTS,
    window=ranges(closed=True),
    which=st.integers(0, 3),
    by_reference=st.booleans(),
    zone=ZONES,
)
def test_any_request_on_any_object(data: bytes, comp, window: TimeRange, which: int, by_reference: bool, zone) -> None:
    document = parsed(data)
    if document is None:
        return
    request = CalendarDataRequest(
        comp=comp,
        expand=window if which == 1 else None,
        limit_recurrence_set=window if which == 2 else None,
        limit_freebusy_set=window if which == 3 else None,
    )
    try:
        rendered = render(data, lambda: document, request, zone, timezones_by_reference=by_reference)
    except Refusal as refusal:
        assert refusal.condition is Condition.MAX_INSTANCES
        return
    again = parse_calendar(rendered)
    if which == 1:
        assert b"TZID" not in rendered or document.component.name in ("VFREEBUSY", "VAVAILABILITY")
        assert not any(item.first("RRULE") for item in again.components)


@given(data=OBJECTS, window=ranges(closed=True), zone=ZONES)
def test_free_busy_and_alarms_of_any_object(data: bytes, window: TimeRange, zone) -> None:
    document = parsed(data)
    if document is None:
        return
    try:
        merged = merge(busy_periods(document, window, zone, Budget()), (), window)
        assert all(window.start <= start < end <= window.end for start, end, _ in merged)
        parse_calendar(render_freebusy(merged, window, now=0, prodid="-//x//EN"))
        assert all(window.start <= item.at < window.end for item in due(document, window, zone, Budget()))
    except Refusal as refusal:
        assert refusal.condition is Condition.MAX_INSTANCES


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=1000000",
        "FREQ=MINUTELY;INTERVAL=7;BYSECOND=59",
        "FREQ=WEEKLY;BYDAY=MO;BYMONTH=13",
    ],
)
@pytest.mark.parametrize(
    "window", [TimeRange(1_700_000_000, None), TimeRange(None, 4_000_000_000), TimeRange(0, 10**11)]
)
def test_no_rule_makes_a_query_slow(rule: str, window: TimeRange) -> None:
    alarm = ("BEGIN:VALARM", "TRIGGER:-P3000D", "REPEAT:900000", "DURATION:PT1S", "END:VALARM")
    data = calendar(
        component("VEVENT", "UID:1", "DTSTART:19900101T000000Z", "DURATION:PT1S", f"RRULE:{rule}", *alarm),
        component("VEVENT", "UID:1", "RECURRENCE-ID;RANGE=THISANDFUTURE:19910101T000000Z", "DTSTART:19910101T000001Z"),
    )
    never = PropFilter("SUMMARY")
    event = CompFilter("VEVENT", time_range=window, prop_filters=(), comp_filters=(CompFilter("VALARM"),))
    hidden = CompFilter("VEVENT", time_range=window, prop_filters=(never,), test="anyof")
    alarms = CompFilter("VEVENT", comp_filters=(CompFilter("VALARM", time_range=window),))
    by_end = CompFilter("VEVENT", prop_filters=(PropFilter("DTEND", time_range=window),))

    def ask(filter_: CompFilter) -> None:
        try:
            matches(CompFilter("VCALENDAR", comp_filters=(filter_,)), parse_document(data).document, None, Budget())
        except Refusal as refusal:
            assert refusal.condition is Condition.MAX_INSTANCES

    for filter_ in (event, hidden, alarms, by_end):
        assert within(partial(ask, filter_), 0.1), "the bar is 50 ms, without the parsing"
