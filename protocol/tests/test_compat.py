"""Every row of the table of tolerated defects: the repaired view, the unchanged text, and strict refusals."""

from __future__ import annotations

import pytest

from protocol.errors import Condition, Refusal
from protocol.ical import compat
from protocol.ical.compat import duplicates, ends, until, value_types
from protocol.ical.components import Component, Property
from protocol.ical.document import Parsed, parse_document
from protocol.ical.recurrence import occurrences_of
from protocol.model import TimeRange
from protocol.tests.test_document import here
from testing.builders import STAMP, calendar, component

DATA = Condition.VALID_CALENDAR_DATA
OBJECT = Condition.VALID_CALENDAR_OBJECT_RESOURCE


def plain(*lines: str, name: str = "VEVENT") -> bytes:
    return calendar(component(name, *lines, uid="1"))


def lenient(data: bytes, *repairs: str) -> Parsed:
    parsed = parse_document(data)
    assert set(parsed.repairs) == set(repairs)
    assert all(repair in compat.BY_NAME for repair in parsed.repairs)
    if not any(compat.BY_NAME[repair].treatment is compat.Treatment.TEXT for repair in repairs):
        assert parsed.data is data
    conditions = {compat.BY_NAME[repair].strict for repair in repairs} - {None}
    if conditions:
        with pytest.raises(Refusal) as caught:
            parse_document(data, strict=True)
        assert caught.value.condition in conditions
    else:
        assert parse_document(data, strict=True).repairs == parsed.repairs
    return parsed


def view(data: bytes, name: str, *repairs: str) -> list[str]:
    return [line.raw for line in lenient(data, *repairs).document.members[0].all(name)]


def test_conditions_of_strict_handling() -> None:
    assert {defect.name: defect.strict for defect in compat.TABLE if defect.strict} == {
        "control-characters": DATA,
        "method-removed": OBJECT,
        "duplicate-override": OBJECT,
        "time-unreadable": DATA,
        "end-and-duration": DATA,
        "end-type": DATA,
        "end-order": DATA,
        "rule-empty": DATA,
        "rule-values": DATA,
        "rule-bounds": DATA,
    }
    assert len(compat.BY_NAME) == len(compat.TABLE)


def test_byte_order_mark() -> None:
    lenient(b"\xef\xbb\xbf" + plain("DTSTART:20240101T100000Z"))


def test_charsets() -> None:
    text = plain("DTSTART:20240101T100000Z", "SUMMARY:Müller").decode()
    for charset in ("iso-8859-1", "windows-1252", '"UTF-16"'):
        parsed = parse_document(text.encode(charset.strip('"')), charset=charset)
        assert parsed.repairs == ("transcoded",)
        assert parsed.data.decode() == text
        assert parsed.document.master.value("SUMMARY") == "Müller"
    utf8 = text.encode()
    assert parse_document(utf8, charset="UTF-8").data is utf8
    for charset in ("utf-16-le-nonsense", "zlib", "rot13", "utf-32"):
        with pytest.raises(Refusal) as caught:
            parse_document(utf8, charset=charset)
        assert caught.value.condition is Condition.SUPPORTED_CALENDAR_DATA
    with pytest.raises(Refusal) as caught:
        parse_document(text.encode("latin-1"))
    assert caught.value.condition is Condition.VALID_CALENDAR_DATA


def test_control_characters() -> None:
    assert view(plain("DTSTART:20240101T100000Z", "SUMMARY:a\x07b"), "SUMMARY", "control-characters") == ["SUMMARY:ab"]


def test_stray_lines() -> None:
    data = plain("DTSTART:20240101T100000Z", "DESCRIPTION:one", "two words")
    assert view(data, "DESCRIPTION", "stray-lines") == ["DESCRIPTION:one\\ntwo words"]


def test_method_is_cut_out_of_the_text() -> None:
    inner = "X-A:METHOD:1\r\n METHOD:2\r\nMETHOD:of an event\r\n"
    event_text = f"BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20240101T000000Z\r\nDTSTART:20240101\r\n{inner}END:VEVENT\r\n"
    clean = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{event_text}END:VCALENDAR\r\n".encode()
    for method in (
        b"METHOD:REQUEST\r\n",
        b"METHOD\r\n :REQUEST\r\n",
        b"ME\r\n\tTHOD :REQUEST\r\r\n \r\n",
        b"METHOD:REQ\r\n UEST\r\n",
        b"method;X=1:PUBLISH\n",
        b"METHOD:A\nMETHOD:B\n",
    ):
        data = clean.replace(b"VERSION:2.0\r\n", method + b"VERSION:2.0\r\n")
        parsed = lenient(data, "method-removed")
        assert parsed.data == clean
        assert parsed.document.calendar.value("METHOD") is None
        assert parse_document(parsed.data).repairs == ()


def test_duplicate_overrides() -> None:
    def override(sequence: str, stamp: str, summary: str) -> str:
        text = here("1", "RECURRENCE-ID;TZID=Here:20240102T100000", f"SUMMARY:{summary}", f"SEQUENCE:{sequence}")
        return text.replace(STAMP, f"DTSTAMP:{stamp}")

    master = here("1", "RRULE:FREQ=DAILY")
    early, late = "20240101T000000Z", "20240102T000000Z"
    for pair in (
        (override("2", early, "new"), override("1", late, "old")),
        (override("1", early, "old"), override("1", late, "new")),
        (override("x", early, "old"), override("0", early, "new")),
    ):
        document = lenient(calendar(master, *pair), "duplicate-override").document
        assert [each.value("SUMMARY") for each in document.overrides] == ["new"]
    assert duplicates.newest([], None, {}) == []


HERE = "DTSTART;TZID=Europe/Berlin:20240101T100000"


def begun(start: str, *lines: str) -> str:
    return here("1", *lines).replace("DTSTART;TZID=Here:20240101T100000", start)


@pytest.mark.parametrize(
    ("start", "one", "other"),
    [
        (HERE, ":20240102T090000Z", ";TZID=Europe/Berlin:20240102T100000"),
        (HERE, ":20240102T090000Z", ";TZID=America/New_York:20240102T040000"),
        (HERE, ":20240102T100000", ";TZID=Europe/Berlin:20240102T100000"),
        (HERE, ":20240102T100000", ":20240102T090000Z"),
        ("DTSTART:20240101T090000Z", ":20240102T090000Z", ";TZID=Europe/Berlin:20240102T100000"),
        ("DTSTART:20240101T100000", ":20240102T100000", ";TZID=Europe/Berlin:20240102T100000"),
        ("DTSTART;VALUE=DATE:20240101", ";VALUE=DATE:20240102", ":20240102T000000"),
        (None, ":20240102T090000Z", ";TZID=Europe/Berlin:20240102T100000"),
    ],
)
def test_duplicate_overrides_that_are_written_differently(start: str | None, one: str, other: str) -> None:
    """RFC 5545 §3.8.4.4: two texts of one original start name one occurrence; the higher SEQUENCE counts."""
    master = "" if start is None else begun(start, "RRULE:FREQ=DAILY")
    for first, second in ((one, other), (other, one)):
        pair = [
            here("1", f"RECURRENCE-ID{line}", "SUMMARY:new" if sequence else "SUMMARY:old", f"SEQUENCE:{sequence}")
            for line, sequence in ((first, 2), (second, 0))
        ]
        for parts in (pair, pair[::-1]):
            parsed = parse_document(calendar(master, *parts))
            assert [each.value("SUMMARY") for each in parsed.document.overrides] == ["new"]
            assert "duplicate-override" in parsed.repairs


def test_overrides_of_two_occurrences_stay_two() -> None:
    """RFC 5545 §3.8.4.4: the same wall time in two zones is two original starts."""
    overrides = (
        here("1", f"RECURRENCE-ID;TZID={zone}:20240102T100000") for zone in ("Europe/Berlin", "America/New_York")
    )
    more = (here("1", "RECURRENCE-ID:20240103T090000Z"), here("1", "RECURRENCE-ID:20240102T090000Z"))
    master = begun(HERE, "RRULE:FREQ=HOURLY")
    document = parse_document(calendar(master, *overrides, *more)).document
    assert len(document.overrides) == 3


def test_of_two_bare_overrides_the_newer_counts() -> None:
    """RFC 7953 §3.1: AVAILABLE components recur as events do, duplicates included."""
    pair = [
        Component("AVAILABLE", [Property.make("UID", "1"), Property.make("SEQUENCE", number), *times])
        for number, times in (
            ("2", [Property.make("RECURRENCE-ID", "20240102T090000Z"), Property.make("DTSTART", "20240105T090000Z")]),
            ("1", [Property.make("RECURRENCE-ID", "20240102T090000Z"), Property.make("DTSTART", "20240106T090000Z")]),
        )
    ]
    for overrides in (pair, pair[::-1]):
        [found] = occurrences_of(None, overrides, {}, TimeRange())
        assert found.component is pair[0]


def test_recurrence_in_an_override() -> None:
    data = calendar(
        here("1", "RRULE:FREQ=DAILY"),
        here("1", "RECURRENCE-ID;TZID=Here:20240102T100000", "RRULE:FREQ=DAILY", "EXDATE:20240101T090000Z"),
    )
    document = lenient(data, "override-recurrence").document
    assert document.master.value("RRULE") == "FREQ=DAILY"
    names = {line.name for line in document.overrides[0].properties}
    assert names == {"UID", "DTSTAMP", "DTSTART", "RECURRENCE-ID"}


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("PT2D", "P2D"),
        ("P2DT", "P2D"),
        ("P90M", "PT1H30M"),
        ("-PT1D2H", "-P1DT2H"),
        ("P1W2D", "P9D"),
        ("p1h", "PT1H"),
        ("PT", "PT0S"),
        ("+PT5M ", "PT5M"),
    ],
)
def test_durations(sent: str, read: str) -> None:
    assert view(plain("DTSTART:20240101T100000Z", f"DURATION:{sent}"), "DURATION", "duration-form") == [
        f"DURATION:{read}"
    ]
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", f"TRIGGER;RELATED=END:{sent}", "END:VALARM")
    document = lenient(plain("DTSTART:20240101T100000Z", *alarm), "duration-form").document
    assert document.master.components[0].first("TRIGGER").raw == f"TRIGGER;RELATED=END:{read}"


@pytest.mark.parametrize("value", ["PT0S", "P1W", "-P1DT2H3M4S", "+PT15M", "PT1H30S"])
def test_good_durations_stay(value: str) -> None:
    raw = f"DURATION:{value}"
    assert view(plain("DTSTART:20240101T100000Z", raw), "DURATION") == [raw]


@pytest.mark.parametrize("value", ["", "1H", "PT1X", "P-1D", "P99999999999D", "P999999999D"])
def test_unreadable_durations(value: str) -> None:
    assert view(plain("DTSTART:20240101T100000Z", f"DURATION:{value}"), "DURATION", "time-unreadable") == []


def test_what_is_no_duration_is_left_to_its_reader() -> None:
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:PHONE", "END:VALARM")
    assert lenient(plain("DTSTART:20240101", *alarm)).document.master.components[0].value("TRIGGER") == "PHONE"


def test_what_is_no_time_has_no_type() -> None:
    good, bad = Property.make("DTSTART", "20240101"), Property.make("DTEND", "soon")
    assert ends.coerced(good, bad) is None
    assert until.coerced(good.value, bad.value) is None
    assert value_types.coerced(good, bad) is None


def test_unreadable_times() -> None:
    data = plain("DTSTART:20240101", "DTEND:soon", "RRULE:FREQ=DAILY", "EXDATE:20240102,x,20240103", "EXDATE:y")
    master = lenient(data, "time-unreadable").document.master
    assert master.value("DTEND") is None
    assert [line.value for line in master.all("EXDATE")] == ["20240102,20240103"]
    data = plain("DTSTART:20240101T100000Z", "RDATE;VALUE=PERIOD:20240102T100000Z/PT1H,20240103T1000/PT1H,z/z")
    assert view(data, "RDATE", "time-unreadable") == ["RDATE;VALUE=PERIOD:20240102T100000Z/PT1H"]


def test_end_and_duration() -> None:
    data = plain("DTSTART:20240101T100000Z", "DTEND:20240101T110000Z", "DURATION:PT3H")
    assert view(data, "DURATION", "end-and-duration") == []
    # In a VFREEBUSY, DURATION means something else (RFC 4791 §9.9).
    data = plain("DTSTART:20240101T100000Z", "DTEND:20240101T110000Z", "DURATION:PT3H", name="VFREEBUSY")
    assert view(data, "DURATION") == ["DURATION:PT3H"]


@pytest.mark.parametrize(
    ("start", "end", "read"),
    [
        ("DTSTART;VALUE=DATE:20240101", "DTEND:20240103T120000Z", "DTEND;VALUE=DATE:20240103"),
        ("DTSTART:20240101T100000Z", "DTEND;VALUE=DATE:20240102", "DTEND:20240102T000000Z"),
        ("DTSTART;TZID=A/B:20240101T100000", "DTEND:20240102", "DTEND;TZID=A/B:20240102T000000"),
        ("DTSTART:20240101T100000", "DTEND:20240102", "DTEND:20240102T000000"),
        ("DTSTART;TZID=A/B:20240101T100000", "DTEND:20240101T110000", "DTEND;TZID=A/B:20240101T110000"),
        ("DTSTART:20240101T100000", "DTEND;TZID=A/B:20240101T110000", "DTEND:20240101T110000"),
    ],
)
def test_end_of_another_type(start: str, end: str, read: str) -> None:
    assert view(plain(start, end), "DTEND", "end-type") == [read]
    todo = plain(start, end.replace("DTEND", "DUE"), name="VTODO")
    assert view(todo, "DUE", "end-type") == [read.replace("DTEND", "DUE")]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("DTSTART;VALUE=DATE:20240101", "DTEND;VALUE=DATE:20240101"),
        ("DTSTART;VALUE=DATE:20240102", "DTEND;VALUE=DATE:20240101"),
        ("DTSTART:20240101T100000Z", "DTEND:20240101T100000Z"),
        ("DTSTART;TZID=A:20240101T100000", "DTEND;TZID=A:20240101T090000"),
    ],
)
def test_end_that_is_not_after_the_start(start: str, end: str) -> None:
    assert view(plain(start, end), "DTEND", "end-order") == []


def test_ends_that_stay() -> None:
    for start, end in (
        ("DTSTART;TZID=A:20240101T100000", "DTEND;TZID=B:20240101T090000"),
        ("DTSTART:20240101T100000Z", "DTEND;TZID=B:20240101T110000"),
        ("DTSTART;VALUE=DATE:20240101", "DTEND;VALUE=DATE:20240102"),
    ):
        assert view(plain(start, end), "DTEND") == [end]
    due = "DUE:20240101T100000Z"
    assert view(plain("DTSTART:20240101T100000Z", due, name="VTODO"), "DUE") == [due]


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;COUNT=-1",
        "FREQ=DAILY;UNTIL=20231230",
        "FREQ=DAILY;UNTIL=20231230T100000Z",
        "FREQ=DAILY;UNTIL=never",
        "FREQ=SOMETIMES",
        "COUNT=3",
        "",
    ],
)
def test_rules_that_say_nothing(rule: str) -> None:
    assert view(plain("DTSTART:20240101T100000Z", f"RRULE:{rule}"), "RRULE", "rule-empty") == []


def test_one_of_two_rules_says_nothing() -> None:
    data = plain("DTSTART:20240101T100000Z", "RRULE:FREQ=DAILY;COUNT=0", "RRULE:FREQ=WEEKLY", "EXRULE:FREQ=X")
    assert view(data, "RRULE", "rule-empty") == ["RRULE:FREQ=WEEKLY"]


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("FREQ=YEARLY;BYMONTH=13", "FREQ=YEARLY"),
        ("FREQ=YEARLY;BYMONTH=1,13,2", "FREQ=YEARLY;BYMONTH=1,2"),
        ("FREQ=MONTHLY;BYMONTHDAY=0,32,-31,x,1", "FREQ=MONTHLY;BYMONTHDAY=-31,1"),
        ("FREQ=DAILY;BYHOUR=24,-1,23", "FREQ=DAILY;BYHOUR=23"),
    ],
)
def test_values_out_of_range(sent: str, read: str) -> None:
    data = plain("DTSTART:20240101T100000Z", f"RRULE:{sent}")
    assert view(data, "RRULE", "rule-values") == [f"RRULE:{read}"]


def test_months_of_other_calendars_stay() -> None:
    rule = "RRULE:RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=5L,13;SKIP=FORWARD"
    assert view(plain("DTSTART:20240101T100000Z", rule), "RRULE") == [rule]


def test_both_bounds_stay() -> None:
    rule = "RRULE:FREQ=DAILY;COUNT=3;UNTIL=20240110T000000Z"
    assert view(plain("DTSTART:20240101T100000Z", rule), "RRULE", "rule-bounds") == [rule]


@pytest.mark.parametrize(
    ("start", "sent", "read"),
    [
        ("DTSTART:20240101", "20240110T100000Z", "20240110"),
        ("DTSTART:20240101T100000Z", "20240110", "20240110T235959Z"),
        ("DTSTART;TZID=A/B:20240101T100000", "20240110", "20240110T235959"),
    ],
)
def test_until_of_another_type(start: str, sent: str, read: str) -> None:
    data = plain(start, f"RRULE:FREQ=DAILY;UNTIL={sent}")
    assert view(data, "RRULE", "until-type") == [f"RRULE:FREQ=DAILY;UNTIL={read}"]
    assert until.coerced(start.split(":")[1], read) is None


@pytest.mark.parametrize(
    ("start", "sent", "read"),
    [
        ("DTSTART;TZID=A/B:20240101T100000", "EXDATE;VALUE=DATE:20240102", "EXDATE;TZID=A/B:20240102T100000"),
        ("DTSTART:20240101T100000Z", "EXDATE;VALUE=DATE:20240102", "EXDATE:20240102T100000Z"),
        ("DTSTART;VALUE=DATE:20240101", "EXDATE:20240102T000000Z", "EXDATE;VALUE=DATE:20240102"),
        ("DTSTART;TZID=A/B:20240101T100000", "EXDATE:20240102T100000", "EXDATE;TZID=A/B:20240102T100000"),
    ],
)
def test_occurrence_of_another_type(start: str, sent: str, read: str) -> None:
    stays = sent == "EXDATE;VALUE=DATE:20240102"  # the whole day, for ``recurrence``
    repairs = () if stays else ("occurrence-type",)
    assert view(plain(start, "RRULE:FREQ=DAILY", sent), "EXDATE", *repairs) == [sent if stays else read]
    override = here("1", sent.replace("EXDATE", "RECURRENCE-ID")).replace("DTSTART;TZID=Here:20240101T100000", start)
    master = here("1", "RRULE:FREQ=DAILY").replace("DTSTART;TZID=Here:20240101T100000", start)
    data = calendar(master, override)
    document = lenient(data, "occurrence-type").document
    assert document.overrides[0].first("RECURRENCE-ID").raw == read.replace("EXDATE", "RECURRENCE-ID")


def test_occurrences_that_fit_stay() -> None:
    for start, line in (
        ("DTSTART;TZID=A/B:20240101T100000", "EXDATE:20240102T090000Z"),
        ("DTSTART;TZID=A/B:20240101T100000", 'EXDATE;TZID="A/B":20240102T100000'),
        ("DTSTART:20240101", "EXDATE;VALUE=DATE:20240102"),
    ):
        assert view(plain(start, "RRULE:FREQ=DAILY", line), "EXDATE") == [line]


def test_missing_dtstamp() -> None:
    def put(*lines: str) -> str:
        data = calendar("\n".join(["BEGIN:VEVENT", "UID:1", "DTSTART:20240101", *lines, "END:VEVENT", ""]))
        return view(data, "DTSTAMP", "dtstamp-missing")[0]

    assert put() == "DTSTAMP:19700101T000000Z"
    assert put("CREATED:20200101T000000Z") == "DTSTAMP:20200101T000000Z"
    assert put("CREATED:20200101T000000Z", "LAST-MODIFIED:20210101T000000Z") == "DTSTAMP:20210101T000000Z"
    assert put("CREATED:20200101") == "DTSTAMP:19700101T000000Z"


def test_accepted_without_a_word() -> None:
    start = "DTSTART:20240101T100000Z"
    for line in (
        "DTSTAMP:20240102T000000Z",
        "COMPLETED:20240101",
        "CREATED:00010101T000000Z",
        "RDATE;VALUE=PERIOD:20240102T100000Z/PT1H",
        "ATTENDEE:invalid:nomail",
        "ORGANIZER;SENT-BY=bogus:MAILTO:a@example.com",
        'ATTENDEE;CN="M%C3%BCller":mailto:m@example.com',
        "X-NO-ESCAPES:a,b;c",
        "SET X-MICROSOFT-CDO-BUSYSTATUS:FREE",
    ):
        assert view(plain(start, line), "DTSTART") == [start]
