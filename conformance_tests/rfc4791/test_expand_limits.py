"""What costs too much, beside what does not: RFC 4791 §7.8 to §7.10, RFC 4918 §13, RFC 5545 §3.3.4.

A client that asks for a month of everything must not lose the month because of one absurd object; and no object that
was taken in may turn a report into an error of the server.
"""

import pytest

from conformance_tests.client import Calendar, time_range, vcalendar_filter
from conformance_tests.dav import Item, conditions_of
from conformance_tests.ical_read import busy, lines, unfold
from testing.builders import BERLIN, component, event, new_uid
from testing.builders import calendar as vcalendar

START, END = "20260105T000000Z", "20260205T000000Z"
MONTH = vcalendar_filter(time_range(START, END), "VEVENT")
HOSTILE = "RRULE:FREQ=SECONDLY"
DATA = "C:calendar-data"


def expand(start: str = START, end: str = END) -> str:
    return f'<C:calendar-data><C:expand start="{start}" end="{end}"/></C:calendar-data>'


def refused(item: Item) -> set[str]:
    """The conditions for which the calendar-data of an object was not answered."""
    assert item.status_for(DATA) == 403 and item.has("D:getetag")
    assert item.error is not None
    return conditions_of(item.error)


@pytest.mark.parametrize("weekly", [3, 150])
def test_one_costly_object_is_refused_alone(calendar: Calendar, weekly: int) -> None:
    """RFC 4791 §7.8: what one object would cost too much is said of that object; all others are answered."""
    for number in range(weekly):
        calendar.add(f"n{number}.ics", event(end="DURATION:PT1H", more="RRULE:FREQ=WEEKLY"))
    calendar.add("z.ics", event(end="DURATION:PT1S", more=HOSTILE))
    answer = calendar.query_raw(MONTH, f"<D:getetag/>{expand()}").multistatus
    assert refused(answer[calendar.path("z.ics")]) <= {"C:max-instances", "D:number-of-matches-within-limits"}
    assert len([item for item in answer.items if item.has(DATA)]) == weekly


def test_a_large_text_is_not_repeated_without_end(calendar: Calendar) -> None:
    """RFC 4791 §7.8: an expansion that would be of an absurd size is refused by name, for its object alone."""
    large = "DESCRIPTION:" + "x" * 200_000
    calendar.add("large.ics", event(end="DURATION:PT1H", more=f"RRULE:FREQ=DAILY\n{large}"))
    calendar.add("small.ics", event(end="DURATION:PT1H", more="RRULE:FREQ=DAILY"))
    year = expand("20260101T000000Z", "20270101T000000Z")
    answer = calendar.query_raw(MONTH, f"<D:getetag/>{year}").multistatus
    assert refused(answer[calendar.path("large.ics")]) <= {"C:max-instances", "D:number-of-matches-within-limits"}
    assert answer[calendar.path("small.ics")].data.count("BEGIN:VEVENT") == 361
    week = calendar.query_raw(MONTH, f"<D:getetag/>{expand('20260105T000000Z', '20260112T000000Z')}").multistatus
    assert week[calendar.path("large.ics")].data.count("BEGIN:VEVENT") == 7


def test_a_multiget_answers_each_href(calendar: Calendar) -> None:
    """RFC 4791 §7.9: each href has its response, whatever the objects between them cost."""
    calendar.add("a.ics", event(end="DURATION:PT1H", more="RRULE:FREQ=DAILY"))
    calendar.add("z.ics", event(end="DURATION:PT1S", more=HOSTILE))
    paths = [calendar.path(name) for name in ("a.ics", "z.ics", "gone.ics")]
    answer = calendar.multiget(*paths, props=f"<D:getetag/>{expand()}").multistatus
    assert len(answer) == 3
    assert answer[paths[0]].data.count("BEGIN:VEVENT") == 31
    assert refused(answer[paths[1]]) <= {"C:max-instances", "D:number-of-matches-within-limits"}
    assert answer[paths[2]].status == 404


def test_free_busy_is_refused_as_a_whole(calendar: Calendar) -> None:
    """RFC 4791 §7.10: a free-busy answer that would cost too much is refused by name; it cannot leave anything out."""
    calendar.add("z.ics", event(end="DURATION:PT1S", more=HOSTILE))
    answer = calendar.freebusy(START, END)
    answer.expect(403, 507)
    assert answer.conditions & {"D:number-of-matches-within-limits", "C:max-instances"}


ENDLESS = {
    "event": event(start="DTSTART;TZID=Europe/Berlin:20260105T100000", end="DURATION:P3000000D", zone=BERLIN,
                   more="RRULE:FREQ=YEARLY;COUNT=2"),
    "period": event(end="DURATION:PT1H", more="RDATE;VALUE=PERIOD:20260106T100000Z/P3000000D"),
    "availability": vcalendar(
        "BEGIN:VAVAILABILITY\nUID:av@example.com\nDTSTAMP:20260101T000000Z\nDTSTART:20260105T000000Z\n"
        "END:VAVAILABILITY\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ENDLESS)
def test_what_ends_after_the_year_9999(calendar: Calendar, case: str) -> None:
    """RFC 5545 §3.3.4: years have four digits; what ends later ends, in answers, with the last that can be said."""
    calendar.add("a.ics", ENDLESS[case])
    assert calendar.query_raw('<C:comp-filter name="VCALENDAR"/>', expand()).multistatus.only.has(DATA)
    assert calendar.freebusy(START, END).expect(200)
    namespace = 'xmlns:C="urn:ietf:params:xml:ns:caldav"'
    body = f'<C:free-busy-query {namespace}><C:time-range start="{START}"/></C:free-busy-query>'
    answer = calendar.report(body).expect(200)
    assert max(end for _, end, _ in busy(answer.body)) == "99991231T235959Z"


def test_expand_in_the_last_year(calendar: Calendar) -> None:
    """RFC 4791 §9.6.5: occurrences at the end of time are expanded too."""
    start = "DTSTART;TZID=Europe/Berlin:99981231T230000"
    calendar.add("a.ics", event(start=start, end="DURATION:P300D", zone=BERLIN, more="RRULE:FREQ=DAILY"))
    request = expand("99990401T000000Z", "99990402T000000Z")
    text = unfold(calendar.query_raw('<C:comp-filter name="VCALENDAR"/>', request).multistatus.only.data)
    assert lines(text, "DTSTART")[0] == "DTSTART:99981231T220000Z"
    assert all(len(line) == len("DTEND:99991231T235959Z") for line in lines(text, "DTEND"))


def test_expand_of_a_todo_that_recurs_by_its_due(calendar: Calendar) -> None:
    """RFC 4791 §9.6.5: times with reference to a time zone are in UTC, the RECURRENCE-ID of every component too."""
    due = component("VTODO", "DUE;TZID=Europe/Berlin:20260105T100000\nRRULE:FREQ=DAILY;COUNT=3", uid=new_uid())
    calendar.add("a.ics", vcalendar(BERLIN, due))
    text = unfold(calendar.query_raw('<C:comp-filter name="VCALENDAR"/>', expand()).multistatus.only.data)
    assert lines(text, "RECURRENCE-ID") == [f"RECURRENCE-ID:202601{day}T090000Z" for day in ("05", "06", "07")]
