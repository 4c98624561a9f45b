"""Input that is not what the RFC wants but is understood: stored byte for byte, found where it belongs.

Each case: what is put, and the ranges in which a query must and must not find it.
"""

from dataclasses import dataclass, field

import pytest

from conformance_tests.client import Calendar, time_range
from testing.builders import BERLIN, component, event, new_uid, todo
from testing.builders import calendar as vcalendar

Range = tuple[str, str]


@dataclass
class Case:
    body: bytes
    found: tuple[Range, ...] = ()
    missed: tuple[Range, ...] = ()
    kind: str = "VEVENT"
    verbatim: bool = True
    repaired: bool = False
    tags: dict = field(default_factory=dict)


def hour(day: str, clock: str, month: str = "01", year: str = "2026") -> Range:
    """The minute that begins at this UTC time."""
    return f"{year}{month}{day}T{clock}00Z", f"{year}{month}{day}T{clock}59Z"


def two(master: str, override: str) -> bytes:
    uid = new_uid()
    return vcalendar(component("VEVENT", master, uid=uid), component("VEVENT", override, uid=uid))


SERIES = "DTSTART:20260105T100000Z\nDTEND:20260105T110000Z\nRRULE:FREQ=DAILY;COUNT=5\nSUMMARY:x"
MOVED = "RECURRENCE-ID:20260106T100000Z\nDTSTART:20260106T{}0000Z\nDURATION:PT1H\nSEQUENCE:{}"
FIVE = hour("05", "1000")


def zoned(tzid: str, zone: str = "") -> bytes:
    return event(start=f"DTSTART;TZID={tzid}:20260705T100000", end=f"DTEND;TZID={tzid}:20260705T110000", zone=zone)


JULY_BERLIN = (hour("05", "0800", "07"),)
NOT_UTC = (hour("05", "1030", "07"),)
BROKEN_BERLIN = BERLIN.replace("TZOFFSETTO:+0200", "TZOFFSETTO:+5730")
EMPTY_BERLIN = "BEGIN:VTIMEZONE\nTZID:Europe/Berlin\nEND:VTIMEZONE\n"
STALE_BERLIN = BERLIN.replace("BYMONTH=3;BYDAY=-1SU", "BYMONTH=11;BYDAY=-1SU")

CASES: dict[str, Case] = {
    # line ends and folding
    "bare LF": Case(event().replace(b"\r\n", b"\n"), (FIVE,)),
    "blank lines": Case(event().replace(b"END:VEVENT", b"\r\n\r\nEND:VEVENT"), (FIVE,)),
    "trailing spaces": Case(event().replace(b"END:VEVENT\r\n", b"END:VEVENT  \r\n"), (FIVE,)),
    "no final line end": Case(event()[:-2], (FIVE,)),
    "unfolded long line": Case(event(summary="x" * 5000), (FIVE,)),
    "folded inside a character": Case(event().replace(b"Meeting", b"Gr\xc3\r\n \xbc\xc3\x9fe"), (FIVE,)),
    "lower case names": Case(event().replace(b"SUMMARY", b"summary").replace(b"DTSTART", b"dtstart"), (FIVE,)),
    # recurrence
    "override without a master": Case(event(more="RECURRENCE-ID:20260104T100000Z"), (FIVE,)),
    "override before the series": Case(
        two(SERIES, "RECURRENCE-ID:20251225T100000Z\nDTSTART:20251225T100000Z\nDURATION:PT1H"), (FIVE,)
    ),
    "override with a rule": Case(
        two(SERIES, "RECURRENCE-ID:20260106T100000Z\nDTSTART:20260106T150000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY"),
        (hour("06", "1500"), hour("09", "1000")),
        (hour("06", "1000"), hour("07", "1500")),
    ),
    "EXDATE of an override": Case(
        two(
            SERIES + "\nEXDATE:20260106T100000Z",
            "RECURRENCE-ID:20260106T100000Z\nDTSTART:20260106T150000Z\nDURATION:PT1H",
        ),
        (hour("06", "1500"),),
        (hour("06", "1000"),),
    ),
    "EXDATE before the series": Case(event(more="RRULE:FREQ=DAILY;COUNT=2\nEXDATE:20250101T100000Z"), (FIVE,)),
    "EXDATE as a date": Case(
        event(more="RRULE:FREQ=DAILY;COUNT=5\nEXDATE;VALUE=DATE:20260106"), (FIVE, hour("07", "1000")),
        (hour("06", "1000"),),
    ),
    "EXDATE floating": Case(
        event(
            start="DTSTART;TZID=Europe/Berlin:20260705T100000", end="DURATION:PT1H", zone=BERLIN,
            more="RRULE:FREQ=DAILY;COUNT=5\nEXDATE:20260706T100000",
        ),
        (hour("05", "0800", "07"),), (hour("06", "0800", "07"),),
    ),
    "RECURRENCE-ID as a date": Case(
        two(SERIES, "RECURRENCE-ID;VALUE=DATE:20260106\nDTSTART:20260106T150000Z\nDURATION:PT1H"),
        (hour("06", "1500"),), (hour("06", "1000"),),
    ),
    "UNTIL as a date": Case(
        event(more="RRULE:FREQ=DAILY;UNTIL=20260107"), (hour("07", "1000"),), (hour("08", "1000"),)
    ),
    "UNTIL as local time": Case(
        event(
            start="DTSTART;TZID=Europe/Berlin:20260705T100000", end="DURATION:PT1H", zone=BERLIN,
            more="RRULE:FREQ=DAILY;UNTIL=20260707T100000",
        ),
        (hour("07", "0800", "07"),), (hour("08", "0800", "07"),),
    ),
    "UNTIL as UTC on dates": Case(
        event(start="DTSTART;VALUE=DATE:20260105", end="", more="RRULE:FREQ=DAILY;UNTIL=20260107T000000Z"),
        (hour("07", "1200"),), (hour("09", "1200"),),
    ),
    "UNTIL before DTSTART": Case(event(more="RRULE:FREQ=DAILY;UNTIL=20250101T000000Z"), (FIVE,), (hour("06", "1000"),)),
    "COUNT=0": Case(event(more="RRULE:FREQ=DAILY;COUNT=0"), (FIVE,), (hour("06", "1000"),)),
    "INTERVAL=0": Case(event(more="RRULE:FREQ=DAILY;INTERVAL=0"), (FIVE,)),
    "COUNT and UNTIL": Case(
        event(more="RRULE:FREQ=DAILY;COUNT=10;UNTIL=20260107T100000Z"), (hour("07", "1000"),), (hour("08", "1000"),)
    ),
    "BYMONTH=13": Case(event(more="RRULE:FREQ=DAILY;COUNT=3;BYMONTH=13"), (FIVE,)),
    "a rule that never matches": Case(event(more="RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")),
    "two identical overrides": Case(
        vcalendar(
            component("VEVENT", SERIES, uid="twice@x"),
            component(
                "VEVENT", MOVED.format(15, 1), uid="twice@x"
            ),
            component(
                "VEVENT", MOVED.format(16, 2), uid="twice@x"
            ),
        ),
        (hour("06", "1600"),), (hour("06", "1500"), hour("06", "1000")), verbatim=False,
    ),
    "RDATE of periods": Case(
        event(more="RDATE;VALUE=PERIOD:20260110T100000Z/PT3H,20260112T100000Z/20260112T140000Z"),
        (FIVE, hour("10", "1200"), hour("12", "1330")), (hour("10", "1300"),),
    ),
    # ends
    "DTEND and DURATION": Case(event(more="DURATION:PT5H"), (FIVE, hour("05", "1030")), (hour("05", "1200"),)),
    "DTEND before DTSTART": Case(event(end="DTEND:20260104T110000Z"), (FIVE,), (hour("04", "1200"),)),
    "no end": Case(event(end=""), (FIVE,), (hour("05", "1030"),)),
    "no end of a date": Case(event(start="DTSTART;VALUE=DATE:20260105", end=""), (hour("05", "1200"),)),
    "DTEND equal to DTSTART": Case(event(end="DTEND:20260105T100000Z"), (FIVE,), (hour("05", "1030"),)),
    "date start, date-time end": Case(
        event(start="DTSTART;VALUE=DATE:20260105", end="DTEND:20260106T000000Z"), (hour("05", "1200"),)
    ),
    "zone on one side only": Case(
        event(start="DTSTART;TZID=Europe/Berlin:20260705T100000", end="DTEND:20260705T110000", zone=BERLIN), JULY_BERLIN
    ),
    "DURATION PT2D": Case(event(end="DURATION:PT2D"), (FIVE, hour("07", "0900")), (hour("07", "1100"),)),
    "DURATION P2DT": Case(event(end="DURATION:P2DT"), (FIVE, hour("07", "0900")), (hour("07", "1100"),)),
    "TRIGGER -P2DT": Case(
        event(more="BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-P2DT\nEND:VALARM"), (FIVE,)
    ),
    # time zones
    "TZID without VTIMEZONE": Case(zoned("Europe/Berlin"), JULY_BERLIN, NOT_UTC),
    "impossible offset": Case(zoned("Europe/Berlin", BROKEN_BERLIN), JULY_BERLIN, NOT_UTC),
    "empty VTIMEZONE": Case(zoned("Europe/Berlin", EMPTY_BERLIN), JULY_BERLIN, NOT_UTC),
    "stale rules": Case(zoned("Europe/Berlin", STALE_BERLIN), JULY_BERLIN, NOT_UTC),
    "Windows zone": Case(zoned("W. Europe Standard Time"), JULY_BERLIN, NOT_UTC),
    "Windows zone, numbered": Case(zoned("W. Europe Standard Time 1"), JULY_BERLIN, NOT_UTC),
    "zone with a trailing space": Case(zoned("Europe/Berlin "), JULY_BERLIN, NOT_UTC),
    "quoted zone": Case(zoned('"Europe/Berlin"'), JULY_BERLIN, NOT_UTC),
    "Evolution's prefix": Case(zoned("/freeassociation.sourceforge.net/Europe/Berlin"), JULY_BERLIN, NOT_UTC),
    "Mozilla's prefix": Case(zoned("/mozilla.org/20070129_1/Europe/Berlin"), JULY_BERLIN, NOT_UTC),
    "Lotus zone": Case(zoned("Romance"), JULY_BERLIN, NOT_UTC),
    "Outlook's display name": Case(
        zoned('"(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna"'), JULY_BERLIN, NOT_UTC
    ),
    "own definition only": Case(
        zoned("My Zone", BERLIN.replace("TZID:Europe/Berlin", "TZID:My Zone")), JULY_BERLIN, NOT_UTC
    ),
    "TZID=UTC": Case(zoned("UTC"), (hour("05", "1000", "07"),), (hour("05", "0800", "07"),)),
    "TZID=+00": Case(zoned("+00"), (hour("05", "1000", "07"),), (hour("05", "0800", "07"),)),
    # properties
    "no DTSTAMP": Case(event().replace(b"DTSTAMP:20260101T000000Z\r\n", b""), (FIVE,)),
    "two DTSTAMPs": Case(event(more="DTSTAMP:20260102T000000Z"), (FIVE,)),
    "COMPLETED as a date": Case(todo(lines="SUMMARY:x\nCOMPLETED;VALUE=DATE:20260105"), kind="VTODO"),
    "CREATED in the year 1": Case(event(more="CREATED:00010101T000000Z"), (FIVE,)),
    "no PRODID": Case(event().replace(b"PRODID:-//Conformance//Tests//EN\r\n", b""), (FIVE,)),
    "attendee without an address": Case(event(more="ATTENDEE;CN=X:invalid:nomail"), (FIVE,)),
    "MAILTO in capitals": Case(event(more="ATTENDEE:MAILTO:a@example.com"), (FIVE,)),
    "attendees without an organizer": Case(event(more="ATTENDEE:mailto:a@example.com"), (FIVE,)),
    "unescaped X-property": Case(event(more="X-NOTE:a, b; c \\ d"), (FIVE,)),
    "geo with a comma": Case(
        event(more="X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-TITLE=Home:geo:48.208,16.373"), (FIVE,)
    ),
    "escaped categories": Case(event(more="CATEGORIES:Work,A\\,B"), (FIVE,)),
    "RFC 6868 parameter": Case(event(more="ATTENDEE;CN=A ^'B^' C:mailto:a@example.com"), (FIVE,)),
    "VALARM with ACTION:NONE": Case(
        event(more="BEGIN:VALARM\nACTION:NONE\nTRIGGER;VALUE=DATE-TIME:19760401T005545Z\nEND:VALARM"), (FIVE,)
    ),
    "unknown component inside": Case(event(more="BEGIN:X-THING\nX-A:b\nEND:X-THING"), (FIVE,)),
    "unknown component beside": Case(
        event().replace(b"END:VCALENDAR", b"BEGIN:X-THING\r\nX-A:b\r\nEND:X-THING\r\nEND:VCALENDAR"), (FIVE,)
    ),
    "emoji": Case(event(summary="🎉👩‍👩‍👧‍👦"), (FIVE,)),
    "line separators inside text": Case(event(summary="a\u2028b\u0085c\u000bd".replace("\u000b", "")), (FIVE,)),
    "dates before the epoch": Case(
        event(start="DTSTART:19050105T100000Z", end="DTEND:19050105T110000Z"), (hour("05", "1000", "01", "1905"),)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_accepted_and_verbatim(calendar: Calendar, name: str) -> None:
    """Strictness: what is understood is stored byte for byte, ETag included, and found by time."""
    case = CASES[name]
    answer = calendar.put("a.ics", case.body).expect(201)
    stored = calendar.get("a.ics").expect(200)
    if case.verbatim:
        assert stored.body == case.body
    assert (answer.header("ETag") == stored.etag) == (stored.body == case.body)
    for start, end in case.found:
        assert calendar.events(time_range(start, end), case.kind) == {"a.ics"}, (start, end)
    for start, end in case.missed:
        assert calendar.events(time_range(start, end), case.kind) == set(), (start, end)


REPAIRED = {
    "METHOD": (
        event().replace(b"VERSION:2.0\r\n", b"VERSION:2.0\r\nMETHOD:PUBLISH\r\n"),
        lambda body, stored: b"METHOD" not in stored and b"SUMMARY:Meeting" in stored,
        {},
    ),
    "Latin-1 by charset": (
        event(summary="GRUSS").replace(b"GRUSS", b"Gr\xfc\xdfe"),
        lambda body, stored: "Grüße".encode() in stored,
        {"Content-Type": "text/calendar; charset=iso-8859-1"},
    ),
}


@pytest.mark.parametrize("name", REPAIRED)
def test_repaired_text(calendar: Calendar, name: str) -> None:
    """Strictness: a repair of the text is told in a header; PUT answers no ETag, so that it is read back."""
    body, holds, headers = REPAIRED[name]
    answer = calendar.put("a.ics", body, headers).expect(201)
    stored = calendar.get("a.ics").expect(200)
    assert stored.body != body and holds(body, stored.body)
    assert answer.header("ETag") is None
    assert answer.header("X-Calendar-Repairs")


@pytest.mark.parametrize(
    "body",
    [b"\xef\xbb\xbf" + event(), event(summary="a\x07b\x00c"), event(summary="a\x1bb")],
    ids=["byte order mark", "control characters", "escape"],
)
def test_noise_is_tolerated(calendar: Calendar, body: bytes) -> None:
    """Strictness: a byte order mark and control characters do not stop an event; the ETag tells the truth."""
    answer = calendar.put("a.ics", body).expect(201)
    stored = calendar.get("a.ics").expect(200)
    assert (answer.header("ETag") == stored.etag) == (stored.body == body)
    assert calendar.events(time_range(*FIVE)) == {"a.ics"}
    data = calendar.multiget(calendar.path("a.ics")).multistatus.only.data
    assert "BEGIN:VEVENT" in data


STRICT = {
    "METHOD": (REPAIRED["METHOD"][0], "C:valid-calendar-object-resource"),
    "control characters": (event(summary="a\x07b"), "C:valid-calendar-data"),
    "COUNT=0": (CASES["COUNT=0"].body, "C:valid-calendar-data"),
    "DTEND and DURATION": (CASES["DTEND and DURATION"].body, "C:valid-calendar-data"),
    "DTEND before DTSTART": (CASES["DTEND before DTSTART"].body, "C:valid-calendar-data"),
    "date start, date-time end": (CASES["date start, date-time end"].body, "C:valid-calendar-data"),
}


@pytest.mark.parametrize("name", STRICT)
def test_strict_handling(calendar: Calendar, name: str) -> None:
    """RFC 7240 §4.4: with handling=strict nothing is repaired: the defect is refused with its condition."""
    body, condition = STRICT[name]
    calendar.put("a.ics", body, {"Prefer": "handling=strict"}).refused(403, condition)
    assert calendar.etags() == {}
    calendar.put("a.ics", body, {"Prefer": "handling=lenient"}).expect(201)


def test_strict_handling_of_good_data(calendar: Calendar) -> None:
    """RFC 7240 §4.4: handling=strict does not hurt good data."""
    calendar.put("a.ics", event(), {"Prefer": "handling=strict"}).expect(201)
