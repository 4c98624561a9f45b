"""Hostile iCalendar bodies: F16. The answer is a named refusal or acceptance within a second, never 5xx."""

import pytest

from conformance_tests.client import Calendar, time_range
from conformance_tests.pace import allowed
from testing.builders import calendar as vcalendar
from testing.builders import component, event, new_uid

NAMED = {
    "C:valid-calendar-data", "C:valid-calendar-object-resource", "C:max-resource-size", "C:max-instances",
    "C:max-attendees-per-instance", "C:supported-calendar-data", "C:min-date-time", "C:max-date-time",
}  # fmt: skip


def overrides(count: int) -> bytes:
    uid = new_uid()
    parts = [component("VEVENT", "DTSTART:20260101T000000Z\nDURATION:PT1M\nRRULE:FREQ=MINUTELY;COUNT=20000", uid=uid)]
    for number in range(count):
        when = f"202601{1 + number // 1440:02d}T{number % 1440 // 60:02d}{number % 60:02d}00Z"
        parts.append(component("VEVENT", f"RECURRENCE-ID:{when}\nDTSTART:{when}\nDURATION:PT2M", uid=uid))
    return vcalendar(*parts)


EACH_SECOND = (
    "BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nRRULE:FREQ=SECONDLY\nEND:STANDARD\n"
)
EVERY_SECOND = "BYHOUR={1};BYMINUTE={0};BYSECOND={0}".format(
    ",".join(map(str, range(60))), ",".join(map(str, range(24)))
)
ALARM = "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-PT1M\nREPEAT:{}\nDURATION:PT1S\nEND:VALARM\n"
BOMBS = {
    "3,000 nested components": lambda: event(more="BEGIN:X-A\n" * 3000 + "END:X-A\n" * 3000),
    "3,000 nested, unclosed": lambda: b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 3000,
    "100,000 attendees": lambda: event(more="\n".join(f"ATTENDEE:mailto:a{n}@x.example" for n in range(100_000))),
    "100,000 EXDATEs in one line": lambda: event(
        more="RRULE:FREQ=DAILY\nEXDATE:" + ",".join(["20260105T100000Z"] * 100_000)
    ),
    "50,000 EXDATE lines": lambda: event(more="RRULE:FREQ=DAILY\n" + "EXDATE:20260105T100000Z\n" * 50_000),
    "100,000 RDATEs": lambda: event(more="RDATE:" + ",".join(["20270105T100000Z"] * 100_000)),
    "100,000 properties": lambda: event(more="\n".join(f"X-{n}:a" for n in range(100_000))),
    "2 MB line": lambda: event(summary="x" * 2_000_000),
    "2 MB of folds": lambda: event(summary="\n ".join("x" * 20_000)),
    "100,000 parameters": lambda: event(more="X-P" + "".join(f";P{n}=v" for n in range(100_000)) + ":v"),
    "a parameter of 1 MB": lambda: event(more=f'X-P;A="{"y" * 1_000_000}":v'),
    "20,000 components": lambda: vcalendar(*[component("VEVENT", "SUMMARY:x", uid=f"u{n}@x") for n in range(20_000)]),
    "4,000 overrides": lambda: overrides(4000),
    "20,000 time zones": lambda: event(
        zone="".join(f"BEGIN:VTIMEZONE\nTZID:Z{n}\nEND:VTIMEZONE\n" for n in range(20_000))
    ),
    "a time zone with 10,000 rules": lambda: event(
        start="DTSTART;TZID=Q:20260105T100000",
        zone="BEGIN:VTIMEZONE\nTZID:Q\n"
        + EACH_SECOND * 10_000
        + "END:VTIMEZONE\n",
    ),
    "a time zone that recurs each second": lambda: event(
        start="DTSTART;TZID=Q:20260105T100000",
        end="DURATION:PT1H",
        zone="BEGIN:VTIMEZONE\nTZID:Q\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\n"
        "RRULE:FREQ=SECONDLY\nEND:STANDARD\nEND:VTIMEZONE\n",
    ),
    "SECONDLY for ever": lambda: event(end="DURATION:PT1S", more="RRULE:FREQ=SECONDLY"),
    "SECONDLY that never matches": lambda: event(more="RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"),
    "YEARLY that never matches": lambda: event(more="RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
    "DAILY that hardly matches": lambda: event(more="RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;BYHOUR=0"),
    "huge COUNT": lambda: event(more="RRULE:FREQ=SECONDLY;COUNT=999999999999"),
    "huge INTERVAL": lambda: event(more="RRULE:FREQ=DAILY;INTERVAL=99999999999999999999"),
    "1,000 rules": lambda: event(more="RRULE:FREQ=MINUTELY\n" * 1000),
    "BYSECOND everything": lambda: event(
        more="RRULE:FREQ=YEARLY;BYSECOND={0};BYMINUTE={0};BYHOUR={1};BYMONTHDAY={2}".format(
            ",".join(map(str, range(60))), ",".join(map(str, range(24))), ",".join(map(str, range(1, 32)))
        )
    ),
    "100 rules of every second": lambda: event(
        more="\n".join(f"RRULE:FREQ=DAILY;INTERVAL={n};COUNT=1;{EVERY_SECOND}" for n in range(1, 101))
    ),
    "20 rules of every second": lambda: event(
        more="\n".join(f"RRULE:FREQ=DAILY;INTERVAL={n};COUNT=1;{EVERY_SECOND}" for n in range(1, 21))
    ),
    "1,000 RDATEs and 300 EXRULEs": lambda: event(
        more="RDATE:" + ",".join(f"2026{1 + n // 100:02}{1 + n % 28:02}T{n % 24:02}0000Z" for n in range(1000)) + "\n"
        + "\n".join(f"EXRULE:FREQ=DAILY;INTERVAL={n}" for n in range(1, 301))
    ),
    "a time zone of 200 rules of every second": lambda: event(
        start="DTSTART;TZID=Q:20260105T100000", end="DURATION:PT1H",
        zone="BEGIN:VTIMEZONE\nTZID:Q\n"
        + "".join(
            f"BEGIN:STANDARD\nDTSTART:1970{1 + n % 12:02}01T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0213\n"
            f"RRULE:FREQ=YEARLY;INTERVAL={n + 1};COUNT=1;{EVERY_SECOND}\nEND:STANDARD\n" for n in range(200)
        )
        + "END:VTIMEZONE\n",
    ),
    "year 9999": lambda: event(start="DTSTART:99991231T235959Z", end="DTEND:99991231T235959Z", more="RRULE:FREQ=DAILY"),
    "year 0": lambda: event(start="DTSTART:00000101T000000Z", end="DTEND:00000101T010000Z"),
    "year 1": lambda: event(start="DTSTART:00010101T000000Z", end="DTEND:00010101T010000Z", more="RRULE:FREQ=YEARLY"),
    "a duration of ages": lambda: event(end="DURATION:P999999999999999999D"),
    "ten thousand alarms": lambda: event(
        more=ALARM.format("1000000") * 4000
    ),
    "an alarm that repeats for ever": lambda: event(
        more="BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-PT1M\nREPEAT:999999999\nDURATION:PT1S\nEND:VALARM"
    ),
    "quotes without end": lambda: event(more='X-P;A="' + "a" * 100_000 + ":v"),
    "colons and commas": lambda: event(more="X-P:" + ":;,=\\" * 50_000),
    "10 MB of one event": lambda: event(more="DESCRIPTION:" + "\\n".join(["x" * 60] * 170_000)),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(calendar: Calendar, name: str) -> None:
    """F16: hostile calendar data is refused by name or stored within a second; queries on it stay bounded."""
    body = BOMBS[name]()
    answer = calendar.put("bomb.ics", body)
    assert answer.status in {201, 403, 413}, (answer.status, answer.body[:200])
    assert answer.seconds < allowed(2), answer.seconds
    if answer.status == 403:
        assert answer.conditions & NAMED, answer.body[:300]
        calendar.get("bomb.ics").expect(404)
    if answer.status == 201:
        assert len(calendar.get("bomb.ics").expect(200).body) == len(body)
        queries = [
            ("20260105T000000Z", "20260112T000000Z"), ("20700105T000000Z", "20700112T000000Z"),
            ("20260105T000000Z", None),
        ]  # fmt: skip
        for start, end in queries:
            found = calendar.query_raw(
                f'<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">{time_range(start, end)}</C:comp-filter>'
                "</C:comp-filter>"
            )
            assert found.status in {207, 403, 507}, found.body[:200]
            assert found.seconds < allowed(2), (start, end, found.seconds)
        alarm = (
            '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:comp-filter name="VALARM">'
            f"{time_range('20300105T000000Z', '20300106T000000Z')}</C:comp-filter></C:comp-filter></C:comp-filter>"
        )
        found = calendar.query_raw(alarm)
        assert found.status in {207, 403, 507} and found.seconds < allowed(2)
        free = calendar.freebusy("20260105T000000Z", "20260112T000000Z")
        assert free.status in {200, 403, 507} and free.seconds < allowed(2)


def test_server_answers_others_meanwhile(calendar: Calendar, client) -> None:
    """F16: while a bomb is being looked at, other requests are answered at once."""
    import threading

    body = BOMBS["100,000 attendees"]()
    other = type(client)(client.url, client.user, client.password)
    thread = threading.Thread(target=lambda: [other.put(calendar.path(f"b{n}.ics"), body) for n in range(3)])
    thread.start()
    slowest = 0.0
    while thread.is_alive():
        slowest = max(slowest, client.options(calendar.href).seconds)
    thread.join()
    other.close()
    assert slowest < 1.0, slowest
