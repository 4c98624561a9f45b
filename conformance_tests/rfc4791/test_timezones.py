"""Floating and all-day data in the calendar's and the query's time zone: RFC 4791 §7.3, §5.2.2, §9.8; RFC 7809 §5."""

from conformance_tests.client import Calendar, time_range, vcalendar_filter
from testing.builders import event, timezone_text

TOKYO_ID = "<C:timezone-id>Asia/Tokyo</C:timezone-id>"
ZONE = f"<C:timezone><![CDATA[{timezone_text()}]]></C:timezone>"
FLOATING = event(start="DTSTART:20260705T100000", end="DTEND:20260705T110000")
ALL_DAY = event(start="DTSTART;VALUE=DATE:20260705", end="DTEND;VALUE=DATE:20260706")


def zoned(new_calendar) -> Calendar:
    """A calendar in Europe/Berlin with a floating and an all-day event."""
    made = new_calendar(f"<C:calendar-timezone><![CDATA[{timezone_text()}]]></C:calendar-timezone>")
    made.add("floating.ics", FLOATING)
    made.add("day.ics", ALL_DAY)
    return made


def test_calendar_timezone_decides(new_calendar) -> None:
    """RFC 4791 §5.2.2: floating and all-day data is in the calendar's time zone."""
    made = zoned(new_calendar)
    assert made.events(time_range("20260705T080000Z", "20260705T080100Z")) == {"floating.ics", "day.ics"}
    assert made.events(time_range("20260704T220000Z", "20260704T220100Z")) == {"day.ics"}
    assert made.events(time_range("20260705T220000Z", "20260705T230000Z")) == set()


def test_query_timezone_decides(new_calendar) -> None:
    """RFC 4791 §9.8: a time zone in the query comes before the calendar's."""
    made = zoned(new_calendar)
    body = vcalendar_filter(time_range("20260705T010000Z", "20260705T010100Z"))
    assert made.query(body, more=TOKYO_ID).names == {"floating.ics", "day.ics"}
    assert made.query(body).names == {"day.ics"}


def test_query_timezone_as_text(calendar: Calendar) -> None:
    """RFC 4791 §9.8: the time zone of a query may be a VTIMEZONE."""
    calendar.add("floating.ics", FLOATING)
    body = vcalendar_filter(time_range("20260705T080000Z", "20260705T080100Z"))
    assert calendar.query(body, more=ZONE).names == {"floating.ics"}


def test_bad_query_timezone(calendar: Calendar) -> None:
    """RFC 4791 §7.8: a time zone that is none is refused with its condition."""
    answer = calendar.query_raw(vcalendar_filter(""), more="<C:timezone>garbage</C:timezone>").expect(403)
    assert answer.conditions & {"C:valid-calendar-data", "C:valid-timezone"}
    answer = calendar.query_raw(vcalendar_filter(""), more="<C:timezone-id>No/Where</C:timezone-id>").expect(403)
    assert answer.conditions == {"C:valid-timezone"}


def test_floating_recurrence(new_calendar) -> None:
    """RFC 4791 §7.3: floating series are expanded in wall time of the calendar's zone, over the change of time."""
    made = new_calendar(f"<C:calendar-timezone><![CDATA[{timezone_text()}]]></C:calendar-timezone>")
    made.add("a.ics", event(start="DTSTART:20260320T100000", end="DTEND:20260320T110000", more="RRULE:FREQ=DAILY"))
    assert made.events(time_range("20260325T090000Z", "20260325T090100Z")) == {"a.ics"}
    assert made.events(time_range("20260401T080000Z", "20260401T080100Z")) == {"a.ics"}
    assert made.events(time_range("20260401T090100Z", "20260401T090200Z")) == set()


def test_change_of_the_calendar_timezone_counts_at_once(new_calendar, client) -> None:
    """RFC 4791 §5.2.2: a new calendar-timezone holds for stored objects too."""
    made = new_calendar("<C:calendar-timezone-id>Asia/Tokyo</C:calendar-timezone-id>")
    made.add("floating.ics", FLOATING)
    assert made.events(time_range("20260705T010000Z", "20260705T010100Z")) == {"floating.ics"}
    client.set_properties(made.href, "<C:calendar-timezone-id>Europe/Berlin</C:calendar-timezone-id>").expect(207)
    assert made.events(time_range("20260705T010000Z", "20260705T010100Z")) == set()
    assert made.events(time_range("20260705T080000Z", "20260705T080100Z")) == {"floating.ics"}
