"""The time-range tables of RFC 4791 §9.9: each row at its edges."""

import pytest

from conformance_tests.client import Calendar, time_range
from testing.builders import BERLIN, component, event, journal, new_uid, todo
from testing.builders import calendar as vcalendar


def at(day: str, time: str = "000000") -> str:
    return f"202601{day}T{time}Z"


def check(calendar: Calendar, kind: str, rows: list[tuple[str | None, str | None, bool]]) -> None:
    """Each (start, end) of rows finds the only object or not, as the row says."""
    for start, end, expected in rows:
        found = calendar.events(time_range(start, end), kind)
        assert bool(found) == expected, f"{start} - {end}: {found}"


TIMED = [
    (at("05", "090000"), at("05", "100000"), False),
    (at("05", "090000"), at("05", "100001"), True),
    (at("05", "103000"), at("05", "104000"), True),
    (at("05", "105959"), at("05", "120000"), True),
    (at("05", "110000"), at("05", "120000"), False),
    (at("05", "105959"), None, True),
    (at("05", "110000"), None, False),
    (None, at("05", "100000"), False),
    (None, at("05", "100001"), True),
]
INSTANT = [
    (at("05", "090000"), at("05", "100000"), False),
    (at("05", "090000"), at("05", "100001"), True),
    (at("05", "100000"), at("05", "100001"), True),
    (at("05", "100001"), at("05", "120000"), False),
    (at("05", "100000"), None, True),
    (at("05", "100001"), None, False),
]
DAY = [
    (at("04"), at("05"), False),
    (at("04"), at("05", "000001"), True),
    (at("05", "235959"), at("06"), True),
    (at("06"), at("07"), False),
]
EVENTS = {
    "DTEND": ("DTSTART:20260105T100000Z", "DTEND:20260105T110000Z", TIMED),
    "DURATION": ("DTSTART:20260105T100000Z", "DURATION:PT1H", TIMED),
    "zero DURATION": ("DTSTART:20260105T100000Z", "DURATION:PT0S", INSTANT),
    "no end": ("DTSTART:20260105T100000Z", "", INSTANT),
    "a DATE alone": ("DTSTART;VALUE=DATE:20260105", "", DAY),
    "DATE to DATE": ("DTSTART;VALUE=DATE:20260105", "DTEND;VALUE=DATE:20260106", DAY),
    "DATE and P1D": ("DTSTART;VALUE=DATE:20260105", "DURATION:P1D", DAY),
}
UTC_ZONE = "<C:calendar-timezone-id>Etc/UTC</C:calendar-timezone-id>"
UTC_TEXT = (
    "<C:calendar-timezone>BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VTIMEZONE\nTZID:Etc/UTC\nBEGIN:STANDARD\n"
    "DTSTART:19700101T000000\nTZOFFSETFROM:+0000\nTZOFFSETTO:+0000\nTZNAME:UTC\nEND:STANDARD\nEND:VTIMEZONE\n"
    "END:VCALENDAR\n</C:calendar-timezone>"
)


@pytest.fixture
def utc(new_calendar) -> Calendar:
    """A calendar whose floating and all-day data is in UTC."""
    return new_calendar(UTC_TEXT)


@pytest.mark.parametrize("case", EVENTS)
def test_events(utc: Calendar, case: str) -> None:
    """RFC 4791 §9.9: the VEVENT table."""
    start, end, rows = EVENTS[case]
    utc.add("a.ics", event(start=start, end=end))
    check(utc, "VEVENT", rows)


S, D, E = "DTSTART:20260105T100000Z", "DUE:20260107T100000Z", "DURATION:P2D"
TODOS = {
    "DTSTART and DURATION": (
        f"{S}\n{E}",
        [
            (at("04"), at("05", "100000"), False),
            (at("04"), at("05", "100001"), True),
            (at("07", "100000"), at("08"), True),
            (at("07", "100001"), at("08"), False),
        ],
    ),
    "DTSTART and DUE": (
        f"{S}\n{D}",
        [
            (at("04"), at("05", "100000"), False),
            (at("04"), at("05", "100001"), True),
            (at("07", "095959"), at("08"), True),
            (at("07", "100000"), at("08"), False),
        ],
    ),
    "DTSTART": (
        S,
        [
            (at("04"), at("05", "100000"), False),
            (at("04"), at("05", "100001"), True),
            (at("05", "100000"), at("06"), True),
            (at("05", "100001"), at("06"), False),
        ],
    ),
    "DUE": (
        D,
        [
            (at("01"), at("07", "095959"), False),
            (at("01"), at("07", "100000"), True),
            (at("07", "095959"), at("08"), True),
            (at("07", "100000"), at("08"), False),
        ],
    ),
    "COMPLETED and CREATED": (
        "CREATED:20260105T100000Z\nCOMPLETED:20260107T100000Z",
        [
            (at("01"), at("05", "095959"), False),
            (at("01"), at("05", "100000"), True),
            (at("06"), at("06", "120000"), True),
            (at("07", "100000"), at("08"), True),
            (at("07", "100001"), at("08"), False),
        ],
    ),
    "COMPLETED": (
        "COMPLETED:20260107T100000Z",
        [
            (at("01"), at("07", "095959"), False),
            (at("01"), at("07", "100000"), True),
            (at("07", "100000"), at("08"), True),
            (at("07", "100001"), at("08"), False),
        ],
    ),
    "CREATED": (
        "CREATED:20260105T100000Z",
        [(at("01"), at("05", "100000"), False), (at("01"), at("05", "100001"), True), (at("20"), at("21"), True)],
    ),
    "nothing": ("SUMMARY:x", [(at("01"), at("02"), True), (None, at("02"), True), (at("02"), None, True)]),
}


@pytest.mark.parametrize("case", TODOS)
def test_todos(calendar: Calendar, case: str) -> None:
    """RFC 4791 §9.9: the VTODO table."""
    lines, rows = TODOS[case]
    calendar.add("a.ics", todo(lines=lines))
    check(calendar, "VTODO", rows)


JOURNALS = {
    "DATE-TIME": ("DTSTART:20260105T100000Z", INSTANT),
    "DATE": ("DTSTART;VALUE=DATE:20260105", DAY),
    "none": ("SUMMARY:x", [(at("01"), at("28"), False), (at("01"), None, False), (None, at("28"), False)]),
}


@pytest.mark.parametrize("case", JOURNALS)
def test_journals(utc: Calendar, case: str) -> None:
    """RFC 4791 §9.9: the VJOURNAL table."""
    lines, rows = JOURNALS[case]
    utc.add("a.ics", journal(lines=lines))
    check(utc, "VJOURNAL", rows)


FREEBUSY = {
    "DTSTART and DTEND": (
        "DTSTART:20260105T100000Z\nDTEND:20260107T100000Z",
        [
            (at("01"), at("05", "100000"), False),
            (at("01"), at("05", "100001"), True),
            (at("07", "100000"), at("08"), True),
            (at("07", "100001"), at("08"), False),
        ],
    ),
    "periods": (
        "FREEBUSY:20260105T100000Z/PT1H,20260109T100000Z/20260109T110000Z",
        [
            (at("05", "110000"), at("06"), False),
            (at("05", "105959"), at("06"), True),
            (at("09", "090000"), at("09", "100000"), False),
            (at("09", "100000"), at("09", "100001"), True),
        ],
    ),
    "nothing": ("COMMENT:x", [(at("01"), at("28"), False)]),
}


@pytest.mark.parametrize("case", FREEBUSY)
def test_freebusy(calendar: Calendar, case: str) -> None:
    """RFC 4791 §9.9: the VFREEBUSY table."""
    lines, rows = FREEBUSY[case]
    calendar.add("a.ics", vcalendar(component("VFREEBUSY", lines, uid=new_uid())))
    check(calendar, "VFREEBUSY", rows)


def alarm(trigger: str, more: str = "") -> str:
    return f"BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER{trigger}\n{more}END:VALARM"


ALARMS = {
    "before the start": (alarm(":-PT15M"), at("05", "094500")),
    "after the end": (alarm(";RELATED=END:PT5M"), at("05", "110500")),
    "absolute": (alarm(";VALUE=DATE-TIME:20260103T080000Z"), at("03", "080000")),
    "repeated": (alarm(":-PT15M", "REPEAT:2\nDURATION:PT30M\n"), at("05", "104500")),
}


@pytest.mark.parametrize("case", ALARMS)
def test_alarms(calendar: Calendar, case: str) -> None:
    """RFC 4791 §9.9: a VALARM matches when one of its triggers is in the range."""
    text, when = ALARMS[case]
    calendar.add("a.ics", event(more=text))
    day = when[6:8]
    before, after = f"202601{day}T{when[9:13]}00Z", f"202601{day}T{when[9:13]}01Z"
    inside = f'<C:comp-filter name="VALARM">{time_range(before, after)}</C:comp-filter>'
    assert calendar.events(inside) == {"a.ics"}
    outside = f'<C:comp-filter name="VALARM">{time_range(after, f"202601{day}T{when[9:13]}59Z")}</C:comp-filter>'
    assert calendar.events(outside) == set()


def test_alarm_of_every_occurrence(calendar: Calendar) -> None:
    """RFC 4791 §9.9: alarms ring for each occurrence."""
    calendar.add("a.ics", event(more="RRULE:FREQ=WEEKLY;COUNT=4\n" + alarm(":-PT15M")))
    inner = f'<C:comp-filter name="VALARM">{time_range("20260119T094500Z", "20260119T094600Z")}</C:comp-filter>'
    assert calendar.events(inner) == {"a.ics"}
    inner = f'<C:comp-filter name="VALARM">{time_range("20260202T094500Z", "20260202T094600Z")}</C:comp-filter>'
    assert calendar.events(inner) == set()


RECURRING = {
    "every occurrence": ("RRULE:FREQ=DAILY;COUNT=10", [("14", True), ("15", False)]),
    "EXDATE": ("RRULE:FREQ=DAILY;COUNT=10\nEXDATE:20260107T100000Z", [("06", True), ("07", False), ("08", True)]),
    "RDATE": ("RDATE:20260120T100000Z", [("05", True), ("06", False), ("20", True)]),
    "RDATE PERIOD": ("RDATE;VALUE=PERIOD:20260120T100000Z/PT2H", [("20", True), ("21", False)]),
    "UNTIL": ("RRULE:FREQ=DAILY;UNTIL=20260107T100000Z", [("07", True), ("08", False)]),
    "INTERVAL": ("RRULE:FREQ=DAILY;INTERVAL=3", [("08", True), ("09", False), ("11", True)]),
    "BYDAY": ("RRULE:FREQ=WEEKLY;BYDAY=MO,FR", [("09", True), ("10", False), ("12", True)]),
}


@pytest.mark.parametrize("case", RECURRING)
def test_recurring(calendar: Calendar, case: str) -> None:
    """RFC 4791 §9.9: every occurrence counts, after EXDATE, RDATE and the rule's bounds."""
    more, days = RECURRING[case]
    calendar.add("a.ics", event(more=more))
    for day, expected in days:
        found = calendar.events(time_range(at(day), at(day, "235959")))
        assert bool(found) == expected, day


def test_moved_override(calendar: Calendar) -> None:
    """RFC 4791 §9.9: a moved occurrence is found at its new place and not at its old one."""
    uid = new_uid()
    master = component(
        "VEVENT", "DTSTART:20260105T100000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=3\nSUMMARY:x", uid=uid
    )
    moved = component(
        "VEVENT", "RECURRENCE-ID:20260112T100000Z\nDTSTART:20260114T100000Z\nDURATION:PT1H\nSUMMARY:x", uid=uid
    )
    calendar.add("a.ics", vcalendar(master, moved))
    check(
        calendar,
        "VEVENT",
        [
            (at("12"), at("13"), False),
            (at("14"), at("15"), True),
            (at("19"), at("20"), True),
            (at("26"), at("27"), False),
        ],
    )


def test_override_of_an_event_that_does_not_recur(calendar: Calendar) -> None:
    """RFC 5545 §3.8.4.4: an override takes the place of the only occurrence as it does of one among many."""
    uid = new_uid()
    master = component("VEVENT", "DTSTART:20260105T100000Z\nDURATION:PT1H\nSUMMARY:x", uid=uid)
    moved = component("VEVENT", "RECURRENCE-ID:20260105T100000Z\nDTSTART:20260109T100000Z\nDURATION:PT1H", uid=uid)
    calendar.add("a.ics", vcalendar(master, moved))
    check(calendar, "VEVENT", [(at("05"), at("06"), False), (at("09"), at("10"), True)])


def test_zone_with_an_escaped_name(new_calendar) -> None:
    """RFC 5545 §3.8.3.1: a VTIMEZONE's TZID is TEXT; the parameter that names it is quoted, not escaped."""
    zone = (
        "BEGIN:VTIMEZONE\nTZID:Foo\\, Barland\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0533\n"
        "TZOFFSETTO:+0533\nEND:STANDARD\nEND:VTIMEZONE\n"
    )
    made = new_calendar(UTC_TEXT)
    start = 'DTSTART;TZID="Foo, Barland":20260105T153300'
    made.add("a.ics", event(start=start, end="DURATION:PT1H", zone=zone))
    check(made, "VEVENT", TIMED)


def test_far_future(calendar: Calendar) -> None:
    """RFC 4791 §9.9: no horizon: an occurrence in 2090 of a series of 2026 is found, the day beside it is not."""
    calendar.add("a.ics", event(more="RRULE:FREQ=WEEKLY"))
    assert calendar.events(time_range("20900102T000000Z", "20900103T000000Z")) == {"a.ics"}
    assert calendar.events(time_range("20900103T000000Z", "20900104T000000Z")) == set()


def test_single_event_far_away(calendar: Calendar) -> None:
    """RFC 4791 §9.9: an event in 2090, and one in 1905, are found."""
    calendar.add("a.ics", event(start="DTSTART:20900105T100000Z", end="DTEND:20900105T110000Z"))
    calendar.add("b.ics", event(start="DTSTART:19050105T100000Z", end="DTEND:19050105T110000Z"))
    assert calendar.events(time_range("20900105T000000Z", "20900106T000000Z")) == {"a.ics"}
    assert calendar.events(time_range("19050105T000000Z", "19050106T000000Z")) == {"b.ics"}


def test_long_event(calendar: Calendar) -> None:
    """RFC 4791 §9.9: an event of a year is found in each of its weeks."""
    calendar.add("a.ics", event(start="DTSTART:20250601T000000Z", end="DTEND:20260601T000000Z"))
    check(calendar, "VEVENT", [(at("05"), at("12"), True), ("20260601T000000Z", "20260602T000000Z", False)])


def test_daylight_saving(calendar: Calendar) -> None:
    """RFC 5545 §3.3.5: a daily 10:00 stays at 10:00 wall time over the change of time."""
    start, end = "DTSTART;TZID=Europe/Berlin:20260320T100000", "DTEND;TZID=Europe/Berlin:20260320T110000"
    calendar.add("a.ics", event(start=start, end=end, more="RRULE:FREQ=DAILY;COUNT=20", zone=BERLIN))
    assert calendar.events(time_range("20260328T090000Z", "20260328T090100Z")) == {"a.ics"}
    assert calendar.events(time_range("20260330T080000Z", "20260330T080100Z")) == {"a.ics"}
    assert calendar.events(time_range("20260330T090000Z", "20260330T090100Z")) == set()


IN_BERLIN = "<C:calendar-timezone-id>Europe/Berlin</C:calendar-timezone-id>"
PLACED = {
    "an overlap": ("20261025T023500", "20261025T003000Z", "20261025T003600Z", "20261025T011500Z", "20261025T020000Z"),
    "a gap": ("20260329T023000", "20260329T012500Z", "20260329T013100Z", "20260329T014500Z", "20260329T020000Z"),
}


@pytest.mark.parametrize("case", PLACED)
@pytest.mark.parametrize("rule", ["", "RRULE:FREQ=DAILY;COUNT=2"])
def test_floating_time_at_a_transition(new_calendar, case: str, rule: str) -> None:
    """RFC 4791 §9.8: floating time is where its zone's clock shows it first, in a gap by the offset before it."""
    wall, before, during, after, later = PLACED[case]
    made = new_calendar(IN_BERLIN)
    made.add("a.ics", event(start=f"DTSTART:{wall}", end="DURATION:PT5M", more=rule))
    rows = [(before, after, True), (before, during, True), (during, after, True), (after, later, False)]
    check(made, "VEVENT", [*rows, (f"{wall[:8]}T000000Z", before, False)])
