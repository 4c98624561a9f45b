"""free-busy-query: RFC 4791 §7.10 and RFC 7953."""

import pytest

from conformance_tests.client import Calendar, Client
from conformance_tests.ical_read import busy
from conformance_tests.pace import allowed
from testing.builders import BERLIN, component, event, new_uid, timezone_text, todo
from testing.builders import calendar as vcalendar

START, END = "20260101T000000Z", "20260201T000000Z"


def periods(calendar: Calendar, start: str = START, end: str = END) -> set[tuple[str, str, str]]:
    return busy(calendar.freebusy(start, end).expect(200).body)


def at(hour: int, day: str = "05") -> str:
    return f"202601{day}T{hour:02d}0000Z"


SINGLE = {
    "plain": ("", {(at(10), at(11), "BUSY")}),
    "tentative": ("STATUS:TENTATIVE", {(at(10), at(11), "BUSY-TENTATIVE")}),
    "confirmed": ("STATUS:CONFIRMED", {(at(10), at(11), "BUSY")}),
    "cancelled": ("STATUS:CANCELLED", set()),
    "transparent": ("TRANSP:TRANSPARENT", set()),
    "opaque": ("TRANSP:OPAQUE", {(at(10), at(11), "BUSY")}),
    "daily": ("RRULE:FREQ=DAILY;COUNT=2", {(at(10), at(11), "BUSY"), (at(10, "06"), at(11, "06"), "BUSY")}),
    "exdate": ("RRULE:FREQ=DAILY;COUNT=2\nEXDATE:20260105T100000Z", {(at(10, "06"), at(11, "06"), "BUSY")}),
}


@pytest.mark.parametrize("case", SINGLE)
def test_events(calendar: Calendar, case: str) -> None:
    """RFC 4791 §7.10: STATUS and TRANSP decide the type of busy time."""
    more, expected = SINGLE[case]
    calendar.add("a.ics", event(more=more))
    assert periods(calendar) == expected


def test_nothing(calendar: Calendar) -> None:
    """RFC 4791 §7.10: an empty calendar answers a VFREEBUSY without FREEBUSY."""
    calendar.add("a.ics", todo(lines="DTSTART:20260105T100000Z\nDUE:20260105T110000Z"))
    assert periods(calendar) == set()


def test_no_end(calendar: Calendar) -> None:
    """RFC 4791 §7.10: an event without any length blocks no time."""
    calendar.add("a.ics", event(end=""))
    assert periods(calendar) == set()


def test_periods_are_clipped(calendar: Calendar) -> None:
    """RFC 4791 §7.10: only time inside the range is told."""
    calendar.add("a.ics", event(start="DTSTART:20260104T100000Z", end="DTEND:20260106T100000Z"))
    assert periods(calendar, at(0), at(12)) == {(at(0), at(12), "BUSY")}


def test_equal_types_coalesce(calendar: Calendar) -> None:
    """RFC 5545 §3.6.4: overlapping and touching periods of a type are one."""
    for number, (start, end) in enumerate([(10, 12), (11, 13), (13, 14), (16, 17)]):
        calendar.add(f"{number}.ics", event(start=f"DTSTART:{at(start)}", end=f"DTEND:{at(end)}"))
    assert periods(calendar) == {(at(10), at(14), "BUSY"), (at(16), at(17), "BUSY")}


def test_busy_wins_over_tentative(calendar: Calendar) -> None:
    """RFC 5545 §3.6.4: where types overlap the stronger one is told, each instant once."""
    calendar.add("a.ics", event(start=f"DTSTART:{at(10)}", end=f"DTEND:{at(14)}", more="STATUS:TENTATIVE"))
    calendar.add("b.ics", event(start=f"DTSTART:{at(11)}", end=f"DTEND:{at(12)}"))
    assert periods(calendar) == {
        (at(10), at(11), "BUSY-TENTATIVE"),
        (at(11), at(12), "BUSY"),
        (at(12), at(14), "BUSY-TENTATIVE"),
    }


def test_override(calendar: Calendar) -> None:
    """RFC 4791 §7.10: a moved or cancelled occurrence counts where and as it is now."""
    uid = new_uid()
    master = component("VEVENT", "DTSTART:20260105T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3", uid=uid)
    moved = component("VEVENT", "RECURRENCE-ID:20260106T100000Z\nDTSTART:20260106T150000Z\nDURATION:PT1H", uid=uid)
    gone = component(
        "VEVENT", "RECURRENCE-ID:20260107T100000Z\nDTSTART:20260107T100000Z\nDURATION:PT1H\nSTATUS:CANCELLED", uid=uid
    )
    calendar.add("a.ics", vcalendar(master, moved, gone))
    assert periods(calendar) == {(at(10), at(11), "BUSY"), (at(15, "06"), at(16, "06"), "BUSY")}


def test_all_day_in_the_calendars_zone(new_calendar) -> None:
    """RFC 4791 §7.10: an all-day event is a day of the calendar's time zone."""
    made = new_calendar(f"<C:calendar-timezone><![CDATA[{timezone_text()}]]></C:calendar-timezone>")
    made.add("a.ics", event(start="DTSTART;VALUE=DATE:20260105", end="DTEND;VALUE=DATE:20260106"))
    assert periods(made) == {("20260104T230000Z", "20260105T230000Z", "BUSY")}


def test_zoned_series(calendar: Calendar) -> None:
    """RFC 4791 §7.10: wall time is kept over the change of time."""
    start = "DTSTART;TZID=Europe/Berlin:20260328T100000"
    calendar.add("a.ics", event(start=start, end="DURATION:PT1H", zone=BERLIN, more="RRULE:FREQ=DAILY"))
    assert periods(calendar, "20260328T000000Z", "20260330T000000Z") == {
        ("20260328T090000Z", "20260328T100000Z", "BUSY"),
        ("20260329T080000Z", "20260329T090000Z", "BUSY"),
    }


def test_availability(calendar: Calendar) -> None:
    """RFC 7953 §5: time outside AVAILABLE of a VAVAILABILITY is BUSY-UNAVAILABLE; events stay what they are."""
    available = (
        "BEGIN:VAVAILABILITY\nUID:av@example.com\nDTSTAMP:20260101T000000Z\nDTSTART:20260105T000000Z\n"
        "DTEND:20260106T000000Z\nBEGIN:AVAILABLE\nUID:av1@example.com\nDTSTAMP:20260101T000000Z\n"
        "DTSTART:20260105T090000Z\nDTEND:20260105T170000Z\nEND:AVAILABLE\nEND:VAVAILABILITY\n"
    )
    calendar.add("av.ics", vcalendar(available))
    calendar.add("a.ics", event())
    assert periods(calendar, at(0), at(0, "06")) == {
        (at(0), at(9), "BUSY-UNAVAILABLE"),
        (at(10), at(11), "BUSY"),
        (at(17), at(0, "06"), "BUSY-UNAVAILABLE"),
    }


def test_needs_read_free_busy(calendar: Calendar, other: Client) -> None:
    """RFC 4791 §6.1.1: without CALDAV:read-free-busy nothing is told."""
    calendar.add("a.ics", event())
    answer = Calendar(other, calendar.href).freebusy(START, END).expect(403, 404)
    assert b"FREEBUSY:" not in answer.body


@pytest.mark.parametrize(("start", "end"), [("x", "y"), (END, START), ("20260101", "20260102")])
def test_bad_range(calendar: Calendar, start: str, end: str) -> None:
    """RFC 4791 §9.11: the range must be two UTC times in order: 400, or 403 with CALDAV:valid-filter."""
    calendar.freebusy(start, end).expect(400, 403)


def test_on_an_object(calendar: Calendar, client: Client) -> None:
    """RFC 4791 §7.10: the report is for collections; on an object it is refused, never 5xx."""
    calendar.add("a.ics", event())
    assert Calendar(client, calendar.path("a.ics")).freebusy(START, END).status in {200, 400, 403}


def test_ten_years_are_answered_or_refused_quickly(calendar: Calendar) -> None:
    """RFC 4791 §7.10: work is bounded: a decade of an hourly series is answered or refused within seconds."""
    calendar.add("a.ics", event(end="DURATION:PT10M", more="RRULE:FREQ=HOURLY"))
    answer = calendar.freebusy("20260101T000000Z", "20360101T000000Z")
    assert answer.status in {200, 403, 507} and answer.seconds < allowed(5)


def test_floating_time_at_a_transition(new_calendar) -> None:
    """RFC 4791 §7.10: floating time in an hour that the clock shows twice blocks the first one (RFC 5545 §3.3.5)."""
    made = new_calendar("<C:calendar-timezone-id>Europe/Berlin</C:calendar-timezone-id>")
    made.add("a.ics", event(start="DTSTART:20261025T023500", end="DTEND:20261025T024500"))
    made.add("b.ics", event(start="DTSTART:20260329T023000", end="DURATION:PT5M"))
    autumn, spring = ("20261025T003500Z", "20261025T004500Z", "BUSY"), ("20260329T013000Z", "20260329T013500Z", "BUSY")
    assert periods(made, "20261025T003000Z", "20261025T011500Z") == {autumn}
    assert periods(made, "20261025T010500Z", "20261025T014500Z") == set()
    assert periods(made, "20260329T012500Z", "20260329T014500Z") == {spring}
    assert periods(made, "20260329T005500Z", "20260329T010000Z") == set()
