"""Input that must be refused: 403 with the named condition, and nothing is stored."""

import pytest

from conformance_tests.client import Calendar, time_range
from conformance_tests.pace import allowed
from testing.builders import calendar as vcalendar
from testing.builders import component, event, new_uid

ORGANIZER = "DTSTART:20260105T100000Z\nDURATION:PT1H\nORGANIZER:mailto:{}@example.com\nATTENDEE:mailto:b@example.com"


def nested(depth: int) -> bytes:
    return event(more="BEGIN:X-A\n" * depth + "END:X-A\n" * depth)


REFUSED = {
    "unknown RSCALE": (event(more="RRULE:RSCALE=KLINGON;FREQ=YEARLY"), "C:supported-rscale"),
    "different organizers": (
        vcalendar(
            component("VEVENT", ORGANIZER.format("a") + "\nRRULE:FREQ=DAILY;COUNT=3", uid="org@x"),
            component("VEVENT", ORGANIZER.format("c") + "\nRECURRENCE-ID:20260106T100000Z", uid="org@x"),
        ),
        "C:same-organizer-in-all-components",
    ),
    "deep nesting": (nested(3000), "C:valid-calendar-data"),
    "a line of two megabytes": (event(summary="x" * 2_000_000), "C:max-resource-size"),
    "many parameters": (event(more="X-P" + ";A=b" * 5000 + ":v"), "C:valid-calendar-data"),
    "invalid UTF-8": (event().replace(b"Meeting", b"a\xff\xfeb"), "C:valid-calendar-data"),
    "overlong UTF-8": (event().replace(b"Meeting", b"a\xc0\xafb"), "C:valid-calendar-data"),
    "no begin": (b"VERSION:2.0\r\nEND:VCALENDAR\r\n", "C:valid-calendar-data"),
    "html": (b"<html><body>Error</body></html>", "C:valid-calendar-data"),
    "json": (b'["vcalendar", [], []]', "C:valid-calendar-data"),
    "unknown main component": (vcalendar(component("VNONSENSE", "SUMMARY:x", uid="n@x")), None),
    "no DTSTART": (event(start=""), "C:valid-calendar-data"),
    "month 13": (event(start="DTSTART:20261305T100000Z"), "C:valid-calendar-data"),
    "vCalendar 1.0": (event().replace(b"VERSION:2.0", b"VERSION:1.0"), None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(calendar: Calendar, name: str) -> None:
    """Strictness: what cannot be understood is refused with 403 and the exact condition, quickly; nothing is stored."""
    body, condition = REFUSED[name]
    answer = calendar.put("a.ics", body)
    assert answer.seconds < allowed(1)
    if condition is None:
        assert answer.expect(403).conditions
    elif name == "a line of two megabytes" and answer.status == 413:
        pass
    else:
        answer.refused(403, condition)
    calendar.get("a.ics").expect(404)
    assert calendar.etags() == {}


def test_refusal_says_why(calendar: Calendar) -> None:
    """RFC 4918 §16: a refusal has an XML body with the condition; people find a sentence in it too."""
    answer = calendar.put("a.ics", "garbage").refused(403, "C:valid-calendar-data")
    assert b"error" in answer.body and len(answer.body) > 100


def test_secondly_for_a_century(calendar: Calendar) -> None:
    """RFC 4791 §5.3.2.1: a rule without bound on work is stored or refused with max-instances, at once."""
    answer = calendar.put("a.ics", event(end="DURATION:PT1S", more="RRULE:FREQ=SECONDLY;UNTIL=21260101T000000Z"))
    assert answer.seconds < allowed(1)
    if answer.status != 201:
        answer.refused(403, "C:max-instances")


def test_more_rules_and_dates_than_can_be_read(calendar: Calendar) -> None:
    """RFC 4791 §5.3.2.1: thousands of rules or dates are refused with max-instances, 5,000 dates are stored."""
    rules = "\n".join(f"RRULE:FREQ=YEARLY;INTERVAL={number}" for number in range(1, 3000))
    calendar.put("rules.ics", event(more=rules)).refused(403, "C:max-instances")
    days = [f"{year}{month:02}{day:02}T{hour:02}0000Z" for year in range(2030, 2080) for month in range(1, 13)
            for day in range(1, 29) for hour in (6, 18)]  # fmt: skip
    calendar.put("dates.ics", event(more="RDATE:" + ",".join(days))).refused(403, "C:max-instances")
    calendar.put("many.ics", event(more="RDATE:" + ",".join(days[:5000]))).expect(201)
    found = calendar.query_raw(
        '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
        f"{time_range('20360301T060000Z', '20360301T060001Z')}</C:comp-filter></C:comp-filter>"
    )
    assert b"many.ics" in found.expect(207).body


def test_a_refused_change_keeps_the_old_text(calendar: Calendar) -> None:
    """Strictness: a refused PUT leaves the stored object as it was."""
    uid = new_uid()
    data = event(uid)
    etag = calendar.add("a.ics", data)
    calendar.put("a.ics", event(uid).replace(b"END:VEVENT\r\n", b"")).expect(403)
    answer = calendar.get("a.ics")
    assert answer.body == data and answer.etag == etag
