"""The calendar-query filter: RFC 4791 §7.8's examples, §9.7 and §9.9 row by row, and agreement with the index."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Condition, Refusal
from protocol.ical.components import Property
from protocol.ical.filters import (
    EVERYTHING,
    Bounds,
    CompFilter,
    ParamFilter,
    PropFilter,
    TextMatch,
    bounds,
    matches,
    satisfies,
)
from protocol.ical.index import index_document
from protocol.ical.instants import to_instants, wall_range_of
from protocol.ical.periods import utc_text
from protocol.ical.recurrence import Budget
from protocol.ical.rendering import CalendarDataRequest, render
from protocol.ical.time_range import range_matches
from protocol.model import ALL_COMPONENTS, ComponentKind, TimeRange
from testing.appendix_b import ABCD2, ALARM, OBJECTS, US_EASTERN
from testing.builders import calendar, component
from testing.cost import within
from testing.values import at, between, document

EASTERN = ZoneInfo("America/New_York")


def inside(*comp_filters: CompFilter, test: str = "allof") -> CompFilter:
    return CompFilter("VCALENDAR", comp_filters=comp_filters, test=test)  # type: ignore[arg-type]


def matching(filter_: CompFilter, zone=EASTERN) -> set[str]:
    """The numbers of the Appendix B resources that match."""
    return {name[4:-4] for name, data in OBJECTS.items() if matches(filter_, document(data), zone, Budget())}


def match(filter_: CompFilter, data: bytes, zone=None) -> bool:
    return matches(filter_, document(data), zone, Budget())


def props(name: str, *prop_filters: PropFilter, **more) -> CompFilter:
    return inside(CompFilter(name, prop_filters=prop_filters, **more))


# -- RFC 4791 §7.8


def test_7_8_1_events_by_time_range() -> None:
    window = between("20060104T000000Z", "20060105T000000Z")
    assert matching(inside(CompFilter("VEVENT", time_range=window))) == {"2", "3"}


def test_7_8_4_free_busy_components_by_time_range() -> None:
    window = between("20060102T000000Z", "20060103T000000Z")
    assert matching(inside(CompFilter("VFREEBUSY", time_range=window))) == {"8"}


def by_alarm(window: TimeRange) -> CompFilter:
    return inside(CompFilter("VTODO", comp_filters=(CompFilter("VALARM", time_range=window),)))


def test_7_8_5_todos_by_alarm_time_range() -> None:
    window = between("20060106T100000Z", "20060107T100000Z")
    # The example's answer has a DUE with a time, unlike the same task in Appendix B.
    task = calendar(US_EASTERN, component("VTODO", "UID:1", "DUE;TZID=US/Eastern:20060106T120000", *ALARM))
    assert match(by_alarm(window), task)
    assert not match(by_alarm(between("20060106T165001Z", "20060107T100000Z")), task)
    assert match(by_alarm(between("20060106T165000Z", "20060106T165001Z")), task)


def test_7_8_5_a_date_is_its_midnight() -> None:
    # RFC 5545 §3.8.6.3: relative to 00:00:00 in the user's zone.
    assert matching(by_alarm(between("20060106T044500Z", "20060106T050000Z"))) == {"5"}
    assert matching(by_alarm(between("20060106T050000Z", "20060107T050000Z"))) == set()


def test_7_8_6_event_by_uid() -> None:
    uid = TextMatch("DC6C50A017428C5216A2F1CD@example.com", "i;octet")
    assert matching(props("VEVENT", PropFilter("UID", text_match=uid))) == {"3"}


def test_7_8_7_events_by_partstat() -> None:
    partstat = ParamFilter("PARTSTAT", text_match=TextMatch("NEEDS-ACTION"))
    lisa = PropFilter("ATTENDEE", text_match=TextMatch("mailto:lisa@example.com"), param_filters=(partstat,))
    assert matching(props("VEVENT", lisa)) == {"3"}
    cyrus = PropFilter("ATTENDEE", text_match=TextMatch("mailto:cyrus@example.com"), param_filters=(partstat,))
    assert matching(props("VEVENT", cyrus)) == set()


def test_7_8_8_events_only() -> None:
    assert matching(inside(CompFilter("VEVENT"))) == {"1", "2", "3"}


def test_7_8_9_pending_todos() -> None:
    pending = props(
        "VTODO",
        PropFilter("COMPLETED", is_not_defined=True),
        PropFilter("STATUS", text_match=TextMatch("CANCELLED", negate=True)),
    )
    assert matching(pending) == {"4", "5"}


def test_7_8_10_a_property_nobody_knows_is_text() -> None:
    guid = PropFilter("X-ABC-GUID", text_match=TextMatch("ABC"))
    assert matching(props("VEVENT", guid)) == set()
    guid = PropFilter("x-abc-guid", text_match=TextMatch("hz@EXAMPLE"))
    assert matching(props("VEVENT", guid)) == {"3"}


def test_the_collection_itself() -> None:
    assert matching(EVERYTHING) == set("12345678")
    assert matching(CompFilter("VEVENT")) == set()
    assert matching(CompFilter("VCALENDAR", is_not_defined=True)) == set()


# -- RFC 4791 §9.7: structure


def test_a_moved_occurrence_does_not_match_where_it_was() -> None:
    old_place = between("20060104T170000Z", "20060104T180000Z")
    new_place = between("20060104T190000Z", "20060104T200000Z")
    assert not match(inside(CompFilter("VEVENT", time_range=old_place)), ABCD2)
    assert match(inside(CompFilter("VEVENT", time_range=new_place)), ABCD2)


def test_range_and_text_are_asked_of_the_same_component() -> None:
    bis = PropFilter("SUMMARY", text_match=TextMatch("bis"))

    def found(start: str, end: str) -> bool:
        filter_ = CompFilter("VEVENT", time_range=between(start, end), prop_filters=(bis,))
        return match(inside(filter_), ABCD2)

    assert found("20060104T000000Z", "20060105T000000Z")
    assert not found("20060103T000000Z", "20060104T000000Z")


def test_time_zone_component_and_components_that_are_not_there() -> None:
    assert matching(inside(CompFilter("VTIMEZONE"))) == {"1", "2", "3"}
    assert matching(inside(CompFilter("VTIMEZONE", is_not_defined=True))) == set("45678")
    assert matching(inside(CompFilter("VEVENT", is_not_defined=True))) == set("45678")
    zone = PropFilter("TZID", text_match=TextMatch("eastern"))
    assert matching(inside(CompFilter("VEVENT"), CompFilter("VTIMEZONE", prop_filters=(zone,)))) == {"1", "2", "3"}
    nested = CompFilter("VTIMEZONE", comp_filters=(CompFilter("DAYLIGHT"),))
    assert matching(inside(nested)) == {"1", "2", "3"}


def test_alarm_is_not_defined() -> None:
    without = CompFilter("VTODO", comp_filters=(CompFilter("VALARM", is_not_defined=True),))
    assert matching(inside(without)) == {"6", "7"}


def test_several_comp_filters_are_anded_or_ored() -> None:
    assert matching(inside(CompFilter("VEVENT"), CompFilter("VTODO"))) == set()
    assert matching(inside(CompFilter("VEVENT"), CompFilter("VTODO"), test="anyof")) == set("1234567")
    done = PropFilter("STATUS", text_match=TextMatch("COMPLETED"))
    cancelled = PropFilter("STATUS", text_match=TextMatch("CANCELLED"))
    assert matching(props("VTODO", done, cancelled)) == set()
    assert matching(props("VTODO", done, cancelled, test="anyof")) == {"6", "7"}


def test_any_component() -> None:
    summary = PropFilter("SUMMARY", text_match=TextMatch("#3"))
    assert matching(inside(CompFilter("*", prop_filters=(summary,)))) == {"3", "6"}
    window = between("20060102T000000Z", "20060103T000000Z")
    assert matching(inside(CompFilter("*", time_range=window))) == {"1", "2", "8"}


def test_properties_of_the_calendar() -> None:
    product = PropFilter("PRODID", text_match=TextMatch("example corp"))
    assert matching(CompFilter("VCALENDAR", prop_filters=(product,))) == set("12345678")
    assert matching(CompFilter("VCALENDAR", prop_filters=(PropFilter("METHOD"),))) == set()


# -- RFC 4791 §9.7.5: text


TEXTS = calendar(
    component(
        "VEVENT",
        "UID:texts",
        "DTSTART:20260101T100000Z",
        "SUMMARY:Fish\\, chips\\nand Straße \\\\ ÉTÉ",
        "CATEGORIES:Work,A\\,B",
        "CATEGORIES:Home",
        'LOCATION;ALTREP="http://example.com/a,b";LANGUAGE=de:Köln',
        'ATTENDEE;CN=Zoë ^\'Z^\';MEMBER="mailto:a@x","mailto:b@x":mailto:zoe@example.com',
        "X-OTHER;VALUE=URI:geo:1\\,2",
    )
)


@pytest.mark.parametrize(
    ("prop", "wanted", "found"),
    [
        (TextMatch("fish, chips\nand"), "SUMMARY", True),
        (TextMatch("\\,"), "SUMMARY", False),
        (TextMatch("STRAßE"), "SUMMARY", True),
        (TextMatch("été"), "SUMMARY", False),
        (TextMatch("été", "i;unicode-casemap"), "SUMMARY", True),
        (TextMatch("e\u0301te\u0301", "i;unicode-casemap"), "SUMMARY", True),
        (TextMatch("ÉTÉ", "i;octet"), "SUMMARY", True),
        (TextMatch("fish", "i;octet"), "SUMMARY", False),
        (TextMatch("fish", match_type="starts-with"), "SUMMARY", True),
        (TextMatch("chips", match_type="starts-with"), "SUMMARY", False),
        (TextMatch("\\ ÉTÉ", match_type="ends-with"), "SUMMARY", True),
        (TextMatch("a,b", match_type="equals"), "CATEGORIES", True),
        (TextMatch("work,a", match_type="contains"), "CATEGORIES", False),
        (TextMatch("home", match_type="equals"), "CATEGORIES", True),
        (TextMatch("köln"), "LOCATION", True),
        (TextMatch("kÖln"), "LOCATION", False),
        (TextMatch("kÖln", "i;unicode-casemap"), "LOCATION", True),
        (TextMatch("geo:1\\,2", match_type="equals"), "X-OTHER", True),
        (TextMatch("", match_type="equals"), "SUMMARY", False),
        (TextMatch(""), "SUMMARY", True),
        (TextMatch("fish", negate=True), "SUMMARY", False),
        (TextMatch("meat", negate=True), "SUMMARY", True),
    ],
)
def test_text_match(prop: TextMatch, wanted: str, found: bool) -> None:
    assert match(props("VEVENT", PropFilter(wanted, text_match=prop)), TEXTS) is found


def test_negate_is_asked_of_one_property() -> None:
    no_work = PropFilter("CATEGORIES", text_match=TextMatch("work", negate=True))
    assert match(props("VEVENT", no_work), TEXTS)  # the second CATEGORIES
    absent = PropFilter("COMMENT", text_match=TextMatch("x", negate=True))
    assert not match(props("VEVENT", absent), TEXTS)  # no property, nothing that matches


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        (ParamFilter("CN", text_match=TextMatch('zoë "z"')), True),
        (ParamFilter("MEMBER", text_match=TextMatch("mailto:b@x", match_type="equals")), True),
        (ParamFilter("MEMBER", text_match=TextMatch("mailto:c@x", negate=True)), True),
        (ParamFilter("MEMBER", text_match=TextMatch("mailto:b", negate=True)), False),
        (ParamFilter("PARTSTAT", is_not_defined=True), True),
        (ParamFilter("CN", is_not_defined=True), False),
        (ParamFilter("cn"), True),
        (ParamFilter("PARTSTAT"), False),
        (ParamFilter("PARTSTAT", text_match=TextMatch("x", negate=True)), False),
    ],
)
def test_param_filter(filter_: ParamFilter, found: bool) -> None:
    assert match(props("VEVENT", PropFilter("ATTENDEE", param_filters=(filter_,))), TEXTS) is found


def test_any_test_of_a_property() -> None:
    german = ParamFilter("LANGUAGE", text_match=TextMatch("fr"))
    either = PropFilter("LOCATION", text_match=TextMatch("Köln"), param_filters=(german,), test="anyof")
    both = PropFilter("LOCATION", text_match=TextMatch("Köln"), param_filters=(german,))
    assert match(props("VEVENT", either), TEXTS)
    assert not match(props("VEVENT", both), TEXTS)


# -- refusals


@pytest.mark.parametrize(
    ("make", "condition"),
    [
        (lambda: TextMatch("x", "i;klingon"), Condition.SUPPORTED_COLLATION),
        (lambda: TextMatch("x", match_type="like"), Condition.VALID_FILTER),  # type: ignore[arg-type]
        (lambda: PropFilter("DTSTART", time_range=TimeRange()), Condition.VALID_FILTER),
        (lambda: CompFilter("VEVENT", time_range=TimeRange(10, 10)), Condition.VALID_FILTER),
        (lambda: CompFilter("VEVENT", is_not_defined=True, time_range=TimeRange(1, 2)), Condition.VALID_FILTER),
        (lambda: PropFilter("X", is_not_defined=True, text_match=TextMatch("x")), Condition.VALID_FILTER),
        (lambda: ParamFilter("X", is_not_defined=True, text_match=TextMatch("x")), Condition.VALID_FILTER),
        (lambda: PropFilter("X", time_range=TimeRange(1, 2), text_match=TextMatch("x")), Condition.VALID_FILTER),
        (lambda: CompFilter(""), Condition.VALID_FILTER),
        (lambda: CompFilter("VTIMEZONE", time_range=TimeRange(1, 2)), Condition.SUPPORTED_FILTER),
        (lambda: CompFilter("VCALENDAR", time_range=TimeRange(1, 2)), Condition.SUPPORTED_FILTER),
        (lambda: CompFilter("VEVENT", prop_filters=(PropFilter("X"),) * 500), Condition.SUPPORTED_FILTER),
    ],
)
def test_refused(make, condition: Condition) -> None:
    with pytest.raises(Refusal) as refused:
        make()
    assert refused.value.condition is condition


def test_depth_is_limited() -> None:
    filter_ = CompFilter("VALARM")
    with pytest.raises(Refusal) as refused:
        for _ in range(20):
            filter_ = CompFilter("VEVENT", comp_filters=(filter_,))
    assert refused.value.condition is Condition.SUPPORTED_FILTER


# -- RFC 4791 §9.9: time ranges of properties

DATES = calendar(
    US_EASTERN,
    component(
        "VEVENT",
        "UID:dates",
        "DTSTAMP:20260101T000000Z",
        "CREATED:20250101T000000Z",
        "DTSTART;TZID=US/Eastern:20260105T100000",
        "DURATION:PT1H",
        "RRULE:FREQ=WEEKLY",
    ),
)


@pytest.mark.parametrize(
    ("name", "start", "end", "found"),
    [
        ("DTSTAMP", "20260101T000000Z", "20260101T000001Z", True),
        ("DTSTAMP", "20260101T000001Z", None, False),
        ("CREATED", None, "20250101T000000Z", False),
        ("CREATED", None, "20250101T000001Z", True),
        ("COMPLETED", "20000101T000000Z", None, False),
        ("DTSTART", "20260105T150000Z", "20260105T150001Z", True),
        ("DTSTART", "20260105T150001Z", "20260105T160000Z", False),
        ("DTSTART", "20290108T150000Z", "20290108T150001Z", True),
        ("DTSTART", "20290108T150001Z", "20290108T160000Z", False),
        ("DTEND", "20290108T160000Z", "20290108T160001Z", True),
        ("DTEND", "20290108T155959Z", "20290108T160000Z", False),
        ("DTEND", "20290101T000000Z", None, True),
        ("DUE", "20000101T000000Z", None, False),
        ("SUMMARY", "20000101T000000Z", None, False),
    ],
)
def test_property_time_range(name: str, start: str | None, end: str | None, found: bool) -> None:
    assert match(props("VEVENT", PropFilter(name, time_range=between(start, end))), DATES) is found


# -- RFC 4791 §9.9: alarms

ALARMS = calendar(
    US_EASTERN,
    component(
        "VEVENT",
        "UID:alarms",
        "DTSTART;TZID=US/Eastern:20260105T100000",
        "DTEND;TZID=US/Eastern:20260105T113000",
        "RRULE:FREQ=WEEKLY;COUNT=3",
        *("BEGIN:VALARM", "TRIGGER:-PT15M", "REPEAT:2", "DURATION:PT5M", "ACTION:DISPLAY", "END:VALARM"),
        *("BEGIN:VALARM", "TRIGGER;RELATED=END:PT10M", "ACTION:DISPLAY", "END:VALARM"),
        *("BEGIN:VALARM", "TRIGGER;VALUE=DATE-TIME:20260201T120000Z", "ACTION:DISPLAY", "END:VALARM"),
    ),
    component(
        "VEVENT",
        "UID:alarms",
        "RECURRENCE-ID;TZID=US/Eastern:20260112T100000",
        "DTSTART;TZID=US/Eastern:20260113T100000",
        "DTEND;TZID=US/Eastern:20260113T110000",
        *("BEGIN:VALARM", "TRIGGER:-P1D", "ACTION:DISPLAY", "END:VALARM"),
    ),
)


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        ("20260105T144500Z", "20260105T144501Z", True),
        ("20260105T144501Z", "20260105T145000Z", False),
        ("20260105T145000Z", "20260105T145001Z", True),
        ("20260105T145500Z", "20260105T145501Z", True),
        ("20260105T150000Z", "20260105T150001Z", False),
        ("20260105T164000Z", "20260105T164001Z", True),
        ("20260201T120000Z", "20260201T120001Z", True),
        ("20260112T144500Z", "20260112T144600Z", False),  # the override has other alarms
        ("20260112T150000Z", "20260112T150001Z", True),
        ("20260119T144500Z", "20260119T144501Z", True),
        ("20260126T000000Z", "20260127T000000Z", False),
        ("20260120T000000Z", None, True),
        ("20260202T000000Z", None, False),
        (None, "20260105T144500Z", False),
    ],
)
def test_alarm_time_range(start: str | None, end: str | None, found: bool) -> None:
    alarm = CompFilter("VALARM", time_range=between(start, end))
    assert match(inside(CompFilter("VEVENT", comp_filters=(alarm,))), ALARMS) is found


def test_days_of_a_trigger_are_days_of_the_calendar() -> None:
    # The clocks of New York go forward on 8 March 2026 at 02:00.
    data = calendar(
        US_EASTERN,
        component(
            "VEVENT",
            "UID:1",
            "DTSTART;TZID=US/Eastern:20260308T100000",
            *("BEGIN:VALARM", "TRIGGER:-P1D", "ACTION:DISPLAY", "END:VALARM"),
        ),
    )
    alarm = CompFilter("VALARM", time_range=between("20260307T150000Z", "20260307T150001Z"))
    assert match(inside(CompFilter("VEVENT", comp_filters=(alarm,))), data)


# -- open ends and long ranges


def test_open_ended_ranges_on_endless_series() -> None:
    data = calendar(
        component("VEVENT", "UID:1", "DTSTART:19900101T000000Z", "RRULE:FREQ=DAILY"),
        component("VEVENT", "UID:1", "RECURRENCE-ID:20260101T000000Z", "DTSTART:20260101T120000Z", "SUMMARY:moved"),
    )
    moved = PropFilter("SUMMARY", text_match=TextMatch("moved"))

    def found(start: str | None, end: str | None, *prop_filters: PropFilter) -> bool:
        filter_ = CompFilter("VEVENT", time_range=between(start, end), prop_filters=prop_filters)
        return match(inside(filter_), data)

    assert found("20260101T000000Z", None)
    assert found(None, "19900101T000001Z")
    assert not found(None, "19900101T000000Z")
    assert found("20000101T000000Z", None, moved)
    assert found(None, "20300101T000000Z", moved)
    assert not found("20260102T000000Z", None, moved)


# -- VAVAILABILITY (RFC 7953)


def test_availability() -> None:
    data = calendar(
        component(
            "VAVAILABILITY",
            "UID:1",
            "DTSTART:20260101T000000Z",
            "DTEND:20260201T000000Z",
            *("BEGIN:AVAILABLE", "UID:2", "DTSTART:20260105T090000Z", "DTEND:20260105T170000Z"),
            *("RRULE:FREQ=DAILY", "END:AVAILABLE"),
        )
    )

    def found(start: str, end: str) -> tuple[bool, bool]:
        window = between(start, end)
        whole = CompFilter("VAVAILABILITY", time_range=window)
        part = CompFilter("VAVAILABILITY", comp_filters=(CompFilter("AVAILABLE", time_range=window),))
        return match(inside(whole), data), match(inside(part), data)

    assert found("20260106T090000Z", "20260106T100000Z") == (True, True)
    assert found("20260106T050000Z", "20260106T060000Z") == (True, False)
    assert found("20260104T090000Z", "20260104T170000Z") == (True, False)
    assert found("20251231T230000Z", "20260101T000000Z") == (False, False)


# -- bounds

WEEK = TimeRange(1000, 2000)
EVENT, TODO = frozenset({ComponentKind.VEVENT}), frozenset({ComponentKind.VTODO})
UID = PropFilter("UID", text_match=TextMatch("a-1", "i;octet", match_type="equals"))


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        (EVERYTHING, Bounds(exact=True)),
        (CompFilter("VEVENT"), Bounds(components=frozenset(), exact=True)),
        (inside(CompFilter("VEVENT")), Bounds(EVENT, exact=True)),
        (inside(CompFilter("VEVENT", time_range=WEEK)), Bounds(EVENT, WEEK, exact=True)),
        (inside(CompFilter("*", time_range=WEEK)), Bounds(None, WEEK, exact=True)),
        (inside(CompFilter("VEVENT", is_not_defined=True)), Bounds(ALL_COMPONENTS - EVENT, exact=True)),
        (inside(CompFilter("VTIMEZONE")), Bounds()),
        (inside(CompFilter("VEVENT"), CompFilter("VTODO")), Bounds(frozenset(), exact=True)),
        (inside(CompFilter("VEVENT"), CompFilter("VTODO"), test="anyof"), Bounds(EVENT | TODO, exact=True)),
        (
            inside(CompFilter("VEVENT", time_range=WEEK), CompFilter("VTODO", time_range=WEEK), test="anyof"),
            Bounds(EVENT | TODO, WEEK, exact=True),
        ),
        (inside(CompFilter("VEVENT", time_range=WEEK), CompFilter("VTODO"), test="anyof"), Bounds(EVENT | TODO)),
        (
            inside(
                CompFilter("VEVENT", time_range=WEEK),
                CompFilter("VTODO", time_range=TimeRange(1500, None)),
                test="anyof",
            ),
            Bounds(EVENT | TODO, TimeRange(1000, None)),
        ),
        (
            inside(CompFilter("VEVENT", time_range=WEEK), CompFilter("VEVENT", time_range=TimeRange(5, 6))),
            Bounds(EVENT, WEEK),
        ),
        (inside(CompFilter("VEVENT"), CompFilter("VTIMEZONE")), Bounds(EVENT)),
        (inside(CompFilter("VEVENT", time_range=WEEK, prop_filters=(PropFilter("X"),))), Bounds(EVENT, WEEK)),
        (
            inside(CompFilter("VEVENT", time_range=WEEK, prop_filters=(PropFilter("X"),), test="anyof")),
            Bounds(EVENT),
        ),
        (inside(CompFilter("VEVENT", comp_filters=(CompFilter("VALARM", time_range=WEEK),))), Bounds(EVENT)),
        (CompFilter("VCALENDAR", prop_filters=(PropFilter("METHOD"),)), Bounds()),
        (props("VEVENT", UID), Bounds(EVENT, uid="a-1")),
    ],
)
def test_bounds(filter_: CompFilter, expected: Bounds) -> None:
    assert bounds(filter_) == expected


def test_bounds_of_a_uid() -> None:
    part = TextMatch("a-1")
    found = bounds(props("VEVENT", PropFilter("UID", text_match=part)))
    assert found == Bounds(EVENT, uid_match=part)
    assert satisfies(part, ["XA-1"])
    folded = TextMatch("a-1", match_type="equals")
    assert bounds(props("VEVENT", PropFilter("UID", text_match=folded))).uid is None
    digits = TextMatch("12-3", match_type="equals")
    assert bounds(props("VEVENT", PropFilter("UID", text_match=digits))).uid == "12-3"
    negated = TextMatch("a", "i;octet", negate=True, match_type="equals")
    assert bounds(props("VEVENT", PropFilter("UID", text_match=negated))) == Bounds(EVENT)
    escaped = TextMatch("a,b", "i;octet", match_type="equals")
    assert bounds(props("VEVENT", PropFilter("UID", text_match=escaped))) == Bounds(EVENT)


def test_ids_are_epoch_seconds() -> None:
    assert at("19700102T000000Z") == 86400


# -- the tables of RFC 4791 §9.9, written out literally

TIMES = st.integers(0, 40).map(lambda step: 1_767_225_600 + step * 900)


def zulu(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


@st.composite
def ranges(draw) -> TimeRange:
    start, end = draw(TIMES), draw(TIMES)
    which = draw(st.sampled_from(["both", "start", "end"]))
    if which == "both":
        return TimeRange(min(start, end), max(start, end) + 900)
    return TimeRange(start, None) if which == "start" else TimeRange(None, end)


@st.composite
def todos(draw) -> dict[str, int]:
    names = draw(st.sets(st.sampled_from(["DTSTART", "DUE", "DURATION", "COMPLETED", "CREATED"])))
    if "DTSTART" not in names or "DUE" in names:
        names.discard("DURATION")
    values = {name: draw(TIMES) for name in names - {"DURATION"}}
    if "DURATION" in names:
        values["DURATION"] = draw(st.sampled_from([0, 900, 4500]))
    if "DTSTART" in values and "DUE" in values:
        values["DUE"] = max(values["DUE"], values["DTSTART"])
    return values


def todo_overlaps(todo: dict[str, int], window: TimeRange) -> bool:
    """The VTODO table, row by row."""
    start = -(10**15) if window.start is None else window.start
    end = 10**15 if window.end is None else window.end
    begin, due, completed, created = (todo.get(name) for name in ("DTSTART", "DUE", "COMPLETED", "CREATED"))
    if begin is not None and "DURATION" in todo:
        last = begin + todo["DURATION"]
        return start <= last and (end > begin or end >= last)
    if begin is not None and due is not None:
        return (start < due or start <= begin) and (end > begin or end >= due)
    if begin is not None:
        return start <= begin and end > begin
    if due is not None:
        return start < due and end >= due
    if completed is not None and created is not None:
        return (start <= created or start <= completed) and (end >= created or end >= completed)
    if completed is not None:
        return start <= completed and end >= completed
    return created is None or end > created


@given(todo=todos(), window=ranges())
def test_vtodo_table(todo: dict[str, int], window: TimeRange) -> None:
    lines = [f"{name}:PT{value}S" if name == "DURATION" else f"{name}:{zulu(value)}" for name, value in todo.items()]
    data = calendar(component("VTODO", "UID:1", *lines))
    assert match(inside(CompFilter("VTODO", time_range=window)), data) is todo_overlaps(todo, window)


@given(start=TIMES, length=st.sampled_from([None, 0, 900, 9000]), by_end=st.booleans(), window=ranges())
def test_vevent_table(start: int, length: int | None, by_end: bool, window: TimeRange) -> None:
    lines = [f"DTSTART:{zulu(start)}"]
    if length is not None:
        lines.append(f"DTEND:{zulu(start + length)}" if by_end and length else f"DURATION:PT{length}S")
    low = -(10**15) if window.start is None else window.start
    high = 10**15 if window.end is None else window.end
    expected = (low < start + length if length else low <= start) and high > start
    data = calendar(component("VEVENT", "UID:1", *lines))
    assert match(inside(CompFilter("VEVENT", time_range=window)), data) is expected


@given(start=TIMES, end=TIMES, with_ends=st.booleans(), window=ranges())
def test_vfreebusy_table(start: int, end: int, with_ends: bool, window: TimeRange) -> None:
    start, end = min(start, end), max(start, end) + 900
    low = -(10**15) if window.start is None else window.start
    high = 10**15 if window.end is None else window.end
    lines = [f"FREEBUSY:{zulu(start)}/{zulu(end)}"]
    expected = low < end and high > start
    if with_ends:
        lines = [f"DTSTART:{zulu(start)}", f"DTEND:{zulu(end)}"]
        expected = low <= end and high > start
    data = calendar(component("VFREEBUSY", "UID:1", *lines))
    assert match(inside(CompFilter("VFREEBUSY", time_range=window)), data) is expected


# -- the index and the filter agree where bounds are exact

RULES = st.sampled_from(["", "RRULE:FREQ=DAILY;COUNT=5", "RRULE:FREQ=HOURLY;INTERVAL=7", "RRULE:FREQ=WEEKLY"])
ENDS = st.sampled_from(["", "DURATION:PT0S", "DURATION:PT90M", "DURATION:P1D", "END"])
FORMS = st.sampled_from(["utc", "zoned", "floating", "date"])


def when(name: str, seconds: int, form: str) -> str:
    text = zulu(seconds)
    if form == "date":
        return f"{name};VALUE=DATE:{text[:8]}"
    if form == "zoned":
        return f"{name};TZID=US/Eastern:{text[:-1]}"
    return f"{name}:{text[:-1] if form == 'floating' else text}"


@st.composite
def objects(draw) -> tuple[str, bytes]:
    kind = draw(st.sampled_from(["VEVENT", "VTODO", "VJOURNAL"]))
    form, start, rule, end = draw(FORMS), draw(TIMES), draw(RULES), draw(ENDS)
    lines = [when("DTSTART", start, form), rule]
    if kind != "VJOURNAL" and not (form == "date" and end.startswith("DURATION:PT")):
        name = "DUE" if kind == "VTODO" else "DTEND"
        lines.append(when(name, start + 2 * 86400, form) if end == "END" else end)
    members = [component(kind, "UID:1", *filter(None, lines))]
    if rule and draw(st.booleans()):
        moved = draw(TIMES)
        override = (when("RECURRENCE-ID", start + 86400, form), when("DTSTART", moved, form), "SUMMARY:moved")
        members.append(component(kind, "UID:1", *override))
    return kind, calendar(US_EASTERN, *members)


@given(item=objects(), start=st.integers(-200, 1000), length=st.integers(1, 300), zoned=st.booleans())
def test_index_and_filter_agree(item: tuple[str, bytes], start: int, length: int, zoned: bool) -> None:
    kind, data = item
    low = 1_767_225_600 + start * 900
    window = TimeRange(low, low + length * 900)
    zone = EASTERN if zoned else None
    parsed = document(data)
    index = index_document(parsed, horizon=window.end + 30 * 86400)
    assert index.indexed_until > window.end
    walls = wall_range_of(window, zone)
    possible, sure = (
        any((wall if entry.floating else window).overlaps(entry.start, entry.end) for entry in index.entries)
        for wall in walls
    )
    filter_ = inside(CompFilter(kind, time_range=window))
    assert bounds(filter_).exact
    decided = matches(filter_, document(data), zone, Budget())
    assert (sure <= decided <= possible) and (not walls.exact or sure is possible)
    expanded = render(data, lambda: document(data), CalendarDataRequest(expand=window), zone)
    assert (f"BEGIN:{kind}".encode() in expanded) is decided


BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = at("20240331T010000Z"), at("20241027T010000Z")


@pytest.mark.parametrize(
    ("wall", "start", "end", "expected"),
    [
        ("20241027T023500", "20241027T003000Z", "20241027T011500Z", True),
        ("20241027T021000", "20241027T003000Z", "20241027T011500Z", False),
        ("20241027T021000", "20241027T010500Z", "20241027T013000Z", False),
        ("20241027T021000", "20241027T001000Z", "20241027T001100Z", True),
        ("20241027T030000", "20241027T013000Z", "20241027T020000Z", False),
        ("20241027T030000", "20241027T013000Z", "20241027T020001Z", True),
        ("20240331T023000", "20240331T012500Z", "20240331T014500Z", True),
        ("20240331T023000", "20240331T005500Z", "20240331T011000Z", False),
        ("20240331T031000", "20240331T010000Z", "20240331T011500Z", True),
        ("20240331T031000", "20240331T012000Z", "20240331T014500Z", False),
    ],
)
@pytest.mark.parametrize("rule", ["", "RRULE:FREQ=DAILY;COUNT=1", "RDATE:20200101T000000"])
def test_9_8_floating_time_is_where_the_clock_first_shows_it(
    wall: str, start: str, end: str, expected: bool, rule: str
) -> None:
    """RFC 4791 §9.8, RFC 5545 §3.3.5: the first pass of an overlap, in a gap the offset before it."""
    data = calendar(component("VEVENT", "UID:1", f"DTSTART:{wall}", "DURATION:PT5M", *filter(None, [rule])))
    assert match(inside(CompFilter("VEVENT", time_range=between(start, end))), data, BERLIN) is expected


@given(
    kind=st.sampled_from(["VEVENT", "VTODO", "VJOURNAL"]),
    near=st.sampled_from([SPRING, AUTUMN]),
    begin=st.integers(-60, 60),
    length=st.none() | st.integers(0, 60),
    low=st.integers(-60, 60),
    width=st.integers(1, 60),
    slip=st.sampled_from([-1, 0, 1]),
    rule=st.sampled_from([(), ("RRULE:FREQ=DAILY;COUNT=3",)]),
)
def test_floating_time_near_a_transition(kind, near, begin, length, low, width, slip, rule) -> None:
    """It matches like the instants of its times; the index loses nothing and is never wrongly sure."""
    first = near + 5400 + begin * 180  # wall time
    last = first if length is None or kind == "VJOURNAL" else first + length * 180
    ends = (
        () if length is None or kind == "VJOURNAL" else (when("DUE" if kind == "VTODO" else "DTEND", last, "floating"),)
    )
    data = calendar(component(kind, "UID:1", when("DTSTART", first, "floating"), *ends, *rule))
    window = TimeRange(near + low * 180 + slip, near + (low + width) * 180 + slip)
    starts, stops = to_instants(first, last, True, BERLIN)
    fixed = calendar(
        component(
            kind,
            "UID:1",
            f"DTSTART:{utc_text(starts)}",
            *(line.replace(line.partition(":")[2], utc_text(stops)) for line in ends),
        )
    )
    filter_ = inside(CompFilter(kind, time_range=window))
    decided = match(filter_, data, BERLIN)
    assert decided is match(filter_, fixed, BERLIN)
    entries = index_document(document(data), horizon=near + 30 * 86400).entries
    possible, sure = (
        any(wall.overlaps(each.start, each.end) for each in entries) for wall in wall_range_of(window, BERLIN)
    )
    assert sure <= decided <= possible


def test_available_blocks_near_a_transition() -> None:
    """RFC 7953 §3.1: AVAILABLE is found at the place of its floating time."""
    block = ("BEGIN:AVAILABLE", "UID:2", "DTSTART:20241027T023500", "DURATION:PT5M", "END:AVAILABLE")
    data = calendar(component("VAVAILABILITY", "UID:1", *block))

    def found(start: str, end: str) -> bool:
        inner = CompFilter("AVAILABLE", time_range=between(start, end))
        return match(inside(CompFilter("VAVAILABILITY", comp_filters=(inner,))), data, BERLIN)

    assert found("20241027T003000Z", "20241027T011500Z")
    assert not found("20241027T010500Z", "20241027T020000Z")


def test_wall_time_decides_alone_but_at_transitions() -> None:
    for zone in (None, UTC, EASTERN, BERLIN, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Pacific/Apia")):
        days = range(at("20230101T000000Z"), at("20250101T000000Z"), 86400)
        exact = [wall_range_of(TimeRange(day, day + 7 * 86400), zone).exact for day in days]
        assert exact.count(False) <= 4
    assert not wall_range_of(TimeRange(SPRING, None), BERLIN).exact
    assert wall_range_of(TimeRange(SPRING - 2, SPRING + 3602), BERLIN).exact
    assert not wall_range_of(TimeRange(None, AUTUMN + 3600), BERLIN).exact
    assert wall_range_of(TimeRange(at("99990301T000000Z"), None), BERLIN).exact


def test_a_series_described_by_a_this_and_future_override() -> None:
    data = calendar(
        component("VEVENT", "UID:1", "DTSTART:19900101T000000Z", "RRULE:FREQ=DAILY", "SUMMARY:old"),
        component(
            "VEVENT", "UID:1", "RECURRENCE-ID;RANGE=THISANDFUTURE:19910101T000000Z", "DTSTART:19910102T000000Z",
            "SUMMARY:new",
        ),
    )  # fmt: skip

    def found(title: str, start: str, end: str | None) -> bool:
        summary = PropFilter("SUMMARY", text_match=TextMatch(title))
        filter_ = CompFilter("VEVENT", time_range=between(start, end), prop_filters=(summary,))
        return match(inside(filter_), data)

    assert found("old", "19901231T000000Z", None)
    assert not found("old", "19910101T000000Z", None)
    assert found("new", "20300101T000000Z", None)
    assert found("new", "19910102T000000Z", "19910102T000001Z")
    assert not found("new", "19900101T000000Z", "19910101T000000Z")


def test_an_override_without_times_of_its_own_stays_where_it_was() -> None:
    data = calendar(
        component("VTODO", "UID:1", "DTSTART:20260101T000000Z", "DUE:20260101T010000Z", "RRULE:FREQ=DAILY"),
        component("VTODO", "UID:1", "RECURRENCE-ID:20260105T000000Z", "SUMMARY:done"),
    )
    done = PropFilter("SUMMARY", text_match=TextMatch("done"))

    def found(start: str | None, end: str | None) -> bool:
        return match(inside(CompFilter("VTODO", time_range=between(start, end), prop_filters=(done,))), data)

    assert found("20260105T003000Z", None)
    assert found(None, "20260105T000001Z")
    assert not found("20260105T010000Z", None)
    assert not found(None, "20260105T000000Z")


def test_a_component_in_a_place_where_nothing_is_known_of_its_time() -> None:
    window = between("20000101T000000Z", "20400101T000000Z")
    odd = calendar(
        component("VEVENT", "UID:1", "DTSTART:20260101T000000Z", "BEGIN:VTODO", "DUE:20260101T000000Z", "END:VTODO")
    )
    assert not match(inside(CompFilter("VEVENT", comp_filters=(CompFilter("VTODO", time_range=window),))), odd)
    assert not match(inside(CompFilter("VALARM", time_range=window)), odd)
    both = CompFilter("VEVENT", comp_filters=(CompFilter("*", time_range=window),))
    assert not match(inside(both), odd)


def test_effective_due() -> None:
    data = calendar(component("VTODO", "UID:1", "DTSTART:20260101T000000Z", "DURATION:PT2H"))
    window = between("20260101T020000Z", "20260101T020001Z")
    assert match(props("VTODO", PropFilter("DUE", time_range=window)), data)
    with_param = PropFilter("DUE", time_range=window, param_filters=(ParamFilter("X"),))
    assert not match(props("VTODO", with_param), data)
    assert not match(props("VTODO", PropFilter("DTEND", time_range=window)), data)


def test_an_unfolded_title_case() -> None:
    match_ = TextMatch("\u01c6", "i;unicode-casemap")  # dz with caron: upper, title and lower differ
    assert satisfies(match_, ["\u01c4"])
    assert satisfies(match_, ["\u01c5"])
    assert not satisfies(TextMatch("ss", "i;unicode-casemap"), ["\u00df"])
    assert satisfies(TextMatch("ABC", "i;unicode-casemap"), ["abc"])


def test_bounds_of_nothing_and_anything() -> None:
    nothing = CompFilter("*", is_not_defined=True)
    assert bounds(inside(nothing)) == Bounds(frozenset(), exact=True)
    assert bounds(CompFilter("VCALENDAR", is_not_defined=True)) == Bounds(frozenset(), exact=True)
    assert bounds(CompFilter("VEVENT", is_not_defined=True)) == Bounds(exact=True)
    assert bounds(inside(nothing, CompFilter("VEVENT"), test="anyof")) == Bounds(EVENT, exact=True)
    assert bounds(inside(CompFilter("VEVENT"), nothing, test="anyof")) == Bounds(EVENT, exact=True)
    assert bounds(inside(CompFilter("*"), CompFilter("VEVENT"), test="anyof")) == Bounds(exact=True)


def test_the_index_knows_such_an_override_too() -> None:
    data = calendar(
        component("VTODO", "UID:1", "DTSTART:20260101T000000Z", "DUE:20260101T010000Z", "RRULE:FREQ=DAILY;COUNT=2"),
        component("VTODO", "UID:1", "RECURRENCE-ID:20260102T000000Z", "SUMMARY:done"),
    )
    index = index_document(document(data), horizon=at("20270101T000000Z"))
    days = [(at(f"2026010{day}T000000Z"), at(f"2026010{day}T010000Z")) for day in (1, 2)]
    assert [(entry.start, entry.end) for entry in index.entries] == days


def test_a_recurring_todo_meets_the_second_it_ends_at() -> None:
    data = calendar(component("VTODO", "UID:1", "DTSTART:20260101T000000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY"))

    def found(start: str, end: str) -> bool:
        return match(inside(CompFilter("VTODO", time_range=between(start, end))), data)

    assert found("20260105T010000Z", "20260105T020000Z")
    assert not found("20260105T010001Z", "20260105T020000Z")
    moment = calendar(component("VTODO", "UID:1", "DTSTART:20260101T000000Z", "DURATION:PT0S", "RRULE:FREQ=DAILY"))
    assert match(inside(CompFilter("VTODO", time_range=between("20260104T120000Z", "20260105T000000Z"))), moment)


def test_times_that_nobody_can_read_meet_no_range() -> None:
    parsed = document(calendar(component("VEVENT", "UID:1", "DTSTART:20260101T000000Z", "DTEND:20260102T000000Z")))
    master = parsed.master
    master.properties = [
        Property("DTSTART", "soon", (), "DTSTART:soon") if line.name == "DTSTART" else line
        for line in master.properties
    ]
    window = between("20000101T000000Z", "20400101T000000Z")
    for filter_ in (
        CompFilter("VEVENT", time_range=window),
        CompFilter("VEVENT", prop_filters=(PropFilter("DTSTART", time_range=window),)),
        CompFilter("VEVENT", prop_filters=(PropFilter("DTEND", time_range=window),)),
    ):
        assert not matches(inside(filter_), parsed, None, Budget())


def test_a_property_in_local_time_of_its_zone() -> None:
    data = calendar(
        US_EASTERN, component("VEVENT", "UID:1", "DTSTART:20260101T000000Z", "X-DUE;TZID=US/Eastern:20260105T100000")
    )
    window = between("20260105T150000Z", "20260105T150001Z")
    assert match(props("VEVENT", PropFilter("X-DUE", time_range=window)), data)


@pytest.mark.parametrize("range_", ["", ";RANGE=THISANDFUTURE"])
def test_many_overrides_are_looked_at_once(range_: str) -> None:
    """RFC 4791 §9.7.1: each override is a component to match, and an open range tests them all."""
    days = [f"{at('20240101T100000Z') + day * 86400}" for day in range(1500)]
    stamps = [utc_text(int(day)) for day in days]
    overrides = [component("VEVENT", "UID:1", f"RECURRENCE-ID{range_}:{day}", f"DTSTART:{day}") for day in stamps]
    master = component("VEVENT", "UID:1", "DTSTART:20240101T100000Z", "RRULE:FREQ=DAILY")
    parsed = document(
        calendar(
            master, *overrides, component("VEVENT", "UID:1", f"RECURRENCE-ID:{LAST}", f"DTSTART:{LAST}", "X-FOO:x")
        )
    )
    filter_ = inside(
        CompFilter("VEVENT", time_range=between("20280101T000000Z", None), prop_filters=(PropFilter("X-BAR"),))
    )
    assert not matches(filter_, parsed, None, Budget())
    calls = 0

    def counted(*args):
        nonlocal calls
        calls += 1
        return range_matches(*args)

    everything = CompFilter(
        "VEVENT",
        time_range=between("20330101T000000Z", None),
        prop_filters=(PropFilter("DTSTART"), PropFilter("RECURRENCE-ID")),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("protocol.ical.filters.matching.range_matches", counted)
        assert matches(inside(everything), parsed, None, Budget()) is bool(range_)
    assert calls <= 8
    assert within(partial(matches, inside(everything), parsed, None, Budget()), 0.35, parsed.cache.clear)
    foo = CompFilter("VEVENT", time_range=between("20280101T000000Z", None), prop_filters=(PropFilter("X-FOO"),))
    assert matches(inside(foo), parsed, None, Budget())


LAST = "20300101T100000Z"
