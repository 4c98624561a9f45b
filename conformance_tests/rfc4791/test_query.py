"""calendar-query: filters of every kind, RFC 4791 §7.8 and §9.7."""

import pytest

from conformance_tests.client import Calendar, Client, time_range, vcalendar_filter
from conformance_tests.dav import NAMESPACES
from testing.builders import calendar as vcalendar
from testing.builders import component, event, journal, new_uid, todo

ALARM = "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-PT15M\nEND:VALARM"


@pytest.fixture
def filled(calendar: Calendar) -> Calendar:
    """Five objects of three types."""
    calendar.add("plain.ics", event(summary="Plain"))
    calendar.add(
        "rich.ics",
        event(
            summary="Rich Büro",
            more="LOCATION:Room 1\nCATEGORIES:WORK,Travel\nATTENDEE;CN=Ann;PARTSTAT=ACCEPTED:mailto:ann@example.com\n"
            f"ATTENDEE;CN=Bob;PARTSTAT=DECLINED:mailto:bob@example.com\nX-COLOUR:red\n{ALARM}",
        ),
    )
    calendar.add("late.ics", event(start="DTSTART:20260601T100000Z", end="DTEND:20260601T110000Z", summary="Late"))
    calendar.add("task.ics", todo(lines="SUMMARY:Task\nDUE:20260105T120000Z"))
    calendar.add("note.ics", journal(lines="SUMMARY:Note\nDTSTART:20260105T000000Z"))
    return calendar


ALL = {"plain.ics", "rich.ics", "late.ics", "task.ics", "note.ics"}
EVENTS = {"plain.ics", "rich.ics", "late.ics"}
DEFINED = '<C:prop-filter name="{}"/>'
UNDEFINED = '<C:prop-filter name="{}"><C:is-not-defined/></C:prop-filter>'
TEXT = '<C:prop-filter name="{}"><C:text-match {}>{}</C:text-match></C:prop-filter>'
NO = 'negate-condition="yes"'
PARAM = (
    '<C:prop-filter name="ATTENDEE"><C:param-filter name="{}"><C:text-match>{}</C:text-match></C:param-filter>'
    "</C:prop-filter>"
)

CASES = {
    "no test": ("", EVENTS),
    "defined": (DEFINED.format("LOCATION"), {"rich.ics"}),
    "defined lower case": (DEFINED.format("location"), {"rich.ics"}),
    "not defined": (UNDEFINED.format("LOCATION"), {"plain.ics", "late.ics"}),
    "contains": (TEXT.format("SUMMARY", "", "lai"), {"plain.ics"}),
    "any case": (TEXT.format("SUMMARY", "", "PLAIN"), {"plain.ics"}),
    "negate": (TEXT.format("SUMMARY", NO, "plain"), {"rich.ics", "late.ics"}),
    "negate needs a property": (TEXT.format("LOCATION", NO, "nowhere"), {"rich.ics"}),
    "and": (TEXT.format("SUMMARY", "", "rich") + DEFINED.format("LOCATION"), {"rich.ics"}),
    "and fails": (TEXT.format("SUMMARY", "", "plain") + DEFINED.format("LOCATION"), set()),
    "list value": (TEXT.format("CATEGORIES", "", "travel"), {"rich.ics"}),
    "x-property": (TEXT.format("X-COLOUR", "", "red"), {"rich.ics"}),
    "parameter": (PARAM.format("PARTSTAT", "DECLINED"), {"rich.ics"}),
    "parameter none has": (PARAM.format("PARTSTAT", "TENTATIVE"), set()),
    "parameter defined": ('<C:prop-filter name="ATTENDEE"><C:param-filter name="CN"/></C:prop-filter>', {"rich.ics"}),
    "parameter not defined": (
        '<C:prop-filter name="SUMMARY"><C:param-filter name="LANGUAGE"><C:is-not-defined/></C:param-filter>'
        "</C:prop-filter>",
        EVENTS,
    ),
    "one property must have both": (
        '<C:prop-filter name="ATTENDEE"><C:text-match>ann</C:text-match><C:param-filter name="PARTSTAT">'
        "<C:text-match>DECLINED</C:text-match></C:param-filter></C:prop-filter>",
        set(),
    ),
    "alarm defined": ('<C:comp-filter name="VALARM"/>', {"rich.ics"}),
    "alarm not defined": (
        '<C:comp-filter name="VALARM"><C:is-not-defined/></C:comp-filter>',
        {"plain.ics", "late.ics"},
    ),
    "alarm property": (
        f'<C:comp-filter name="VALARM">{TEXT.format("ACTION", "", "DISPLAY")}</C:comp-filter>',
        {"rich.ics"},
    ),
    "range": (time_range("20260101T000000Z", "20260201T000000Z"), {"plain.ics", "rich.ics"}),
    "range and text": (
        time_range("20260101T000000Z", "20260201T000000Z") + TEXT.format("SUMMARY", "", "rich"),
        {"rich.ics"},
    ),
    "range and alarm": (
        time_range("20260101T000000Z", "20260201T000000Z") + '<C:comp-filter name="VALARM"/>',
        {"rich.ics"},
    ),
    "open end": (time_range("20260301T000000Z"), {"late.ics"}),
    "open start": (time_range(None, "20260301T000000Z"), {"plain.ics", "rich.ics"}),
    "property range": (
        f'<C:prop-filter name="DTSTART">{time_range("20260601T000000Z", "20260602T000000Z")}</C:prop-filter>',
        {"late.ics"},
    ),
    "empty match": (TEXT.format("SUMMARY", "", ""), EVENTS),
}


@pytest.mark.parametrize("case", CASES)
def test_filter(filled: Calendar, case: str) -> None:
    """RFC 4791 §9.7: filters of properties, parameters, alarms and ranges, ANDed inside one component."""
    inner, expected = CASES[case]
    assert filled.events(inner) == expected


@pytest.mark.parametrize(("kind", "names"), [("VTODO", {"task.ics"}), ("VJOURNAL", {"note.ics"}), ("VFREEBUSY", set())])
def test_component_types(filled: Calendar, kind: str, names: set[str]) -> None:
    """RFC 4791 §9.7.1: a comp-filter matches by component name."""
    assert filled.events("", kind) == names


def test_component_not_defined(filled: Calendar) -> None:
    """RFC 4791 §9.7.1: is-not-defined on a component matches objects without one."""
    assert filled.events("<C:is-not-defined/>") == ALL - EVENTS


def test_only_vcalendar(filled: Calendar) -> None:
    """RFC 4791 §9.7.1: a filter on VCALENDAR alone matches everything."""
    assert filled.query('<C:comp-filter name="VCALENDAR"/>').names == ALL


def test_property_of_vcalendar(filled: Calendar) -> None:
    """RFC 4791 §9.7.1: properties of VCALENDAR can be filtered."""
    assert filled.query(f'<C:comp-filter name="VCALENDAR">{DEFINED.format("METHOD")}</C:comp-filter>').names == set()
    assert filled.query(f'<C:comp-filter name="VCALENDAR">{DEFINED.format("PRODID")}</C:comp-filter>').names == ALL


def test_two_components_are_anded(filled: Calendar) -> None:
    """RFC 4791 §9.7.1: sibling comp-filters must all match."""
    both = '<C:comp-filter name="VEVENT"/><C:comp-filter name="VTODO"/>'
    assert filled.query(f'<C:comp-filter name="VCALENDAR">{both}</C:comp-filter>').names == set()


def test_time_zone_component(calendar: Calendar, filled: Calendar) -> None:
    """RFC 4791 §9.7.1: VTIMEZONE is a component like others."""
    from testing.builders import BERLIN

    start, end = "DTSTART;TZID=Europe/Berlin:20260105T100000", "DTEND;TZID=Europe/Berlin:20260105T110000"
    filled.add("zoned.ics", event(start=start, end=end, zone=BERLIN))
    assert filled.events("", "VTIMEZONE") == {"zoned.ics"}


def test_master_and_overrides_are_tried_each(calendar: Calendar) -> None:
    """RFC 4791 §9.7.1: one component must satisfy the whole comp-filter."""
    uid = new_uid()
    master = component(
        "VEVENT", "DTSTART:20260105T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3\nSUMMARY:Alpha", uid=uid
    )
    override = component(
        "VEVENT",
        "RECURRENCE-ID:20260106T100000Z\nDTSTART:20260106T150000Z\nDURATION:PT1H\nSUMMARY:Beta\nLOCATION:X",
        uid=uid,
    )
    calendar.add("a.ics", vcalendar(master, override))
    assert calendar.events(TEXT.format("SUMMARY", "", "beta")) == {"a.ics"}
    assert calendar.events(TEXT.format("SUMMARY", "", "alpha") + DEFINED.format("LOCATION")) == set()


def test_escaped_text_is_matched_unescaped(calendar: Calendar) -> None:
    """RFC 4791 §9.7.5: text-match compares the value of the property, not its escapes or folds."""
    calendar.add("a.ics", event(summary="One\\, two\\; three\\nfour " + "x" * 40))
    folded = event(summary="Folded " + "y" * 30 + "\n  middle" + "z" * 20)
    calendar.add("b.ics", folded)
    assert calendar.events(TEXT.format("SUMMARY", "", "One, two; three")) == {"a.ics"}
    assert calendar.events(TEXT.format("SUMMARY", "", "yyy middle")) == {"b.ics"}


def test_answers_any_property(filled: Calendar) -> None:
    """RFC 4791 §7.8: the properties asked for are answered as PROPFIND does, unknown ones with 404."""
    found = filled.query(vcalendar_filter(""), "<D:getetag/><D:getcontenttype/><X:none/>")
    for item in found.items:
        assert item.has("D:getetag") and item.has("D:getcontenttype") and item.status_for("X:none") == 404


def test_query_without_props(filled: Calendar) -> None:
    """RFC 4791 §9.5: DAV:prop may be missing; allprop and propname are taken too."""
    for kind in ("", "<D:allprop/>", "<D:propname/>"):
        body = f"<C:calendar-query {NAMESPACES}>{kind}<C:filter>{vcalendar_filter('')}</C:filter></C:calendar-query>"
        assert filled.report(body).multistatus.names == EVENTS


def query_body(filter_: str) -> str:
    """A calendar-query for ETags."""
    return (
        f"<C:calendar-query {NAMESPACES}><D:prop><D:getetag/></D:prop><C:filter>{filter_}</C:filter></C:calendar-query>"
    )


def test_depth_0_on_a_calendar(filled: Calendar) -> None:
    """RFC 4791 §7.8: Depth: 0 on a calendar looks at the collection itself: nothing matches."""
    body = query_body(vcalendar_filter(""))
    assert filled.report(body, "0").multistatus.names == set()


def test_on_one_object(filled: Calendar, client: Client) -> None:
    """RFC 4791 §7.8: a query on an object tests this object."""
    for inner, count in (("", 1), (DEFINED.format("LOCATION"), 0)):
        body = query_body(vcalendar_filter(inner))
        assert len(client.report(filled.path("plain.ics"), body, "0").multistatus) == count


def test_empty_calendar(calendar: Calendar) -> None:
    """RFC 4791 §7.8: nothing found is a multistatus without responses."""
    assert calendar.query(vcalendar_filter("")).names == set()


BAD_FILTERS = {
    "no VCALENDAR": '<C:comp-filter name="VEVENT"/>',
    "no name": "<C:comp-filter/>",
    "prop-filter without name": vcalendar_filter("<C:prop-filter/>"),
    "range without ends": vcalendar_filter("<C:time-range/>"),
    "range not UTC": vcalendar_filter('<C:time-range start="20260101T000000"/>'),
    "range a date": vcalendar_filter('<C:time-range start="20260101"/>'),
    "range garbage": vcalendar_filter('<C:time-range start="now"/>'),
    "range inverted": vcalendar_filter(time_range("20260201T000000Z", "20260101T000000Z")),
    "range empty": vcalendar_filter(time_range("20260101T000000Z", "20260101T000000Z")),
    "event in a to-do": vcalendar_filter('<C:comp-filter name="VEVENT"/>', "VTODO"),
    "range on a text": vcalendar_filter(
        f'<C:prop-filter name="SUMMARY">{time_range("20260101T000000Z")}</C:prop-filter>'
    ),
    "is-not-defined with more": vcalendar_filter("<C:is-not-defined/>" + DEFINED.format("SUMMARY")),
}


@pytest.mark.parametrize("case", BAD_FILTERS)
def test_bad_filter(calendar: Calendar, case: str) -> None:
    """RFC 4791 §7.8: a filter that does not follow §9.7 is refused with CALDAV:valid-filter."""
    calendar.query_raw(BAD_FILTERS[case]).refused(403, "C:valid-filter")


def test_without_a_filter(filled: Calendar) -> None:
    """RFC 4791 §9.5: a query without a filter is refused with CALDAV:valid-filter, or matches everything."""
    body = f"<C:calendar-query {NAMESPACES}><D:prop><D:getetag/></D:prop></C:calendar-query>"
    answer = filled.report(body)
    if answer.status == 207:
        assert answer.multistatus.names == ALL
    else:
        answer.refused(403, "C:valid-filter")


def test_unknown_report(calendar: Calendar) -> None:
    """RFC 3253 §3.6: a report that is not supported is DAV:supported-report."""
    calendar.report(f"<X:no-such-report {NAMESPACES}/>").refused(403, "D:supported-report")


@pytest.mark.parametrize("body", ["", "<C:calendar-query", "text"])
def test_bad_body(calendar: Calendar, body: str) -> None:
    """RFC 3253 §3.6: a REPORT without well-formed XML is 400."""
    calendar.report(body).expect(400)


def test_report_on_a_missing_resource(client: Client, calendar: Calendar) -> None:
    """RFC 9110 §15.5.5: a report on an unmapped URL is 404."""
    body = f"<C:calendar-query {NAMESPACES}><C:filter>{vcalendar_filter('')}</C:filter></C:calendar-query>"
    client.report(f"{client.home}none/", body).expect(404)
