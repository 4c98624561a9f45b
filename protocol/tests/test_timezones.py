"""TZIDs as clients write them, good and broken definitions, and our own VTIMEZONEs."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest

from protocol.errors import Condition, Refusal
from protocol.ical import calendar_timezone, split
from protocol.ical.components import Component
from protocol.ical.document import parse_calendar, parse_document, render_component
from protocol.ical.index import index_document
from protocol.ical.join import Joiner
from protocol.ical.recurrence import Budget
from protocol.ical.rendering.expand import expand
from protocol.ical.time_range import range_matches
from protocol.ical.timezones import (
    CustomZone,
    clock_of,
    render_vtimezone,
    resolve,
    to_epoch,
    zone_by_name,
    zone_name,
)
from protocol.ical.timezones.definitions import parse_offset, zone_of_definition
from protocol.ical.values import wall_of, wall_seconds
from protocol.model import TimeRange
from testing.builders import calendar, component
from testing.lengths import shards

NAMES = {
    "Europe/Berlin": "Europe/Berlin",
    "europe/BERLIN": "Europe/Berlin",
    " Europe/Berlin ": "Europe/Berlin",
    '"Europe/Berlin"': "Europe/Berlin",
    "W. Europe Standard Time": "Europe/Berlin",
    "w. europe standard time  ": "Europe/Berlin",
    '"W. Europe Standard Time"': "Europe/Berlin",
    "GMT Standard Time 1": "Europe/London",
    "Customized Romance Standard Time": None,
    "/freeassociation.sourceforge.net/Europe/Berlin": "Europe/Berlin",
    "/freeassociation.sourceforge.net/Tzfile/America/New_York": "America/New_York",
    "/citadel.org/20210210_1/Europe/Vienna": "Europe/Vienna",
    "/softwarestudio.org/Olson_20011030_5/Pacific/Auckland": "Pacific/Auckland",
    "/mozilla.org/20050126_1/America/Argentina/Buenos_Aires": "America/Argentina/Buenos_Aires",
    "/Europe/Stockholm": "Europe/Stockholm",
    "/Europe/CUSTOM": None,
    "/example.org/Custom": None,
    "tzone://Microsoft/Custom": None,
    "(UTC+01:00) Amsterdam, Berlin, Bern, Rom, Stockholm, Wien": "Europe/Amsterdam",
    "(UTC-03:00) Brasília": "America/Sao_Paulo",
    "(UTC-05:00) Eastern Time (US & Canada)": "America/New_York",
    "(GMT -06:00) Central Time (US & Canada)": "America/Chicago",
    "(UTC+07:00) Bangkok\\, Hanoi\\, Jakarta": "Asia/Bangkok",
    "Kuala Lumpur, Singapore": "Asia/Kuala_Lumpur",
    "Pacific Time (US & Canada), Tijuana": "America/Los_Angeles",
    "Romance": "Europe/Paris",
    "Eastern": "America/New_York",
    "Western/Central Europe": "Europe/Berlin",
    "America/Los Angeles": "America/Los_Angeles",
    "America-Chicago": "America/Chicago",
    "Japan": "Asia/Tokyo",
    "MyTimezone": None,
    "Customized Time Zone": None,
    "": None,
    "x" * 300: None,
    "../../etc/passwd": None,
    "(UTC+25:00)": None,
    "+0175": None,
}


@pytest.mark.parametrize("tzid", NAMES)
def test_names_as_clients_write_them(tzid: str) -> None:
    zone = zone_by_name(tzid)
    expected = NAMES[tzid]
    if expected is None:
        assert zone is None
        return
    assert isinstance(zone, ZoneInfo)
    day = datetime(2026, 7, 1, tzinfo=zone)
    assert day.utcoffset() == day.replace(tzinfo=ZoneInfo(expected)).utcoffset()


@pytest.mark.parametrize(
    "tzid", ["UTC", "utc", "GMT", "Z", "+00", "Etc/UTC", "tzone://Microsoft/Utc", "0", "UTC+00:00"]
)
def test_the_many_names_of_utc(tzid: str) -> None:
    assert zone_by_name(tzid) is UTC


@pytest.mark.parametrize(("tzid", "hours"), [("+01", 1), ("UTC-03:30", -3.5), ("(GMT-03:00)", -3), ("GMT+10", 10)])
def test_an_offset_is_a_zone_without_summer(tzid: str, hours: float) -> None:
    assert zone_by_name(tzid) == timezone(timedelta(hours=hours))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("+0100", 3600), ("-0330", -12600), ("+053000", 19800), ("0200", 7200), ("+5730", None), ("x", None), ("", None)],
)
def test_offsets(text: str, seconds: int | None) -> None:
    assert parse_offset(text) == seconds


def _definition(*lines: str, tzid: str = "Ours") -> Component:
    return parse_calendar(calendar(component("VTIMEZONE", f"TZID:{tzid}", *lines), header="")).components[0]


CENTRAL_EUROPE = (
    "BEGIN:STANDARD",
    "DTSTART:16010101T030000",
    "TZOFFSETFROM:+0200",
    "TZOFFSETTO:+0100",
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10",
    "END:STANDARD",
    "BEGIN:DAYLIGHT",
    "DTSTART:16010101T020000",
    "TZOFFSETFROM:+0100",
    "TZOFFSETTO:+0200",
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3",
    "END:DAYLIGHT",
)
NO_ZONE_HAS_THIS = (
    "BEGIN:STANDARD",
    "DTSTART:19700101T030000",
    "TZOFFSETFROM:+0223",
    "TZOFFSETTO:+0123",
    "TZNAME:OURS",
    "RRULE:FREQ=YEARLY;BYDAY=2SU;BYMONTH=9",
    "END:STANDARD",
    "BEGIN:DAYLIGHT",
    "DTSTART:19700101T020000",
    "TZOFFSETFROM:+0123",
    "TZOFFSETTO:+0223",
    "TZNAME:OURS summer",
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3",
    "END:DAYLIGHT",
)


def test_a_known_name_wins_over_its_definition() -> None:
    assert resolve("Europe/Berlin", _definition(*NO_ZONE_HAS_THIS)) == ZoneInfo("Europe/Berlin")


def test_an_unknown_name_is_recognised_by_its_rules() -> None:
    zone = resolve("Customized Time Zone", _definition(*CENTRAL_EUROPE))
    assert isinstance(zone, ZoneInfo)
    assert clock_of(zone).transitions(1_700_000_000, 1_900_000_000) == clock_of(ZoneInfo("Europe/Berlin")).transitions(
        1_700_000_000, 1_900_000_000
    )


def test_a_location_names_the_zone() -> None:
    assert resolve("Mine", _definition("X-LIC-LOCATION:Asia/Tokyo", *NO_ZONE_HAS_THIS)) == ZoneInfo("Asia/Tokyo")


def test_est_with_summer_time_is_new_york_not_panama() -> None:
    lines = [line.replace("+0100", "-0500").replace("+0200", "-0400") for line in CENTRAL_EUROPE]
    lines[4] = "RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=11"
    lines[10] = "RRULE:FREQ=YEARLY;BYDAY=2SU;BYMONTH=3"
    lines[1] = "DTSTART:16010101T020000"
    zone = resolve("EST", _definition(*lines, tzid="EST"))
    assert zone is not None
    assert clock_of(zone).offset(1_782_000_000) == -4 * 3600
    assert resolve("EST") == ZoneInfo("EST")


def test_an_object_s_own_definition_is_the_last_resort() -> None:
    zone = resolve("Ours", _definition(*NO_ZONE_HAS_THIS))
    assert isinstance(zone, CustomZone)
    assert zone_name(zone) is None
    noon = datetime.fromisoformat("20260701T120000")
    assert noon.replace(tzinfo=zone).utcoffset() == timedelta(hours=2, minutes=23)
    assert noon.replace(tzinfo=zone).dst() == timedelta(hours=1)
    assert noon.replace(tzinfo=zone).tzname() == "OURS summer"
    assert noon.replace(month=1, tzinfo=zone).tzname() == "OURS"
    assert noon.replace(month=1, tzinfo=zone).dst() == timedelta(0)
    # before the first onset, and far beyond the last one computed at first
    assert to_epoch(datetime.fromisoformat("19600101"), zone) == wall_seconds(datetime.fromisoformat("19600101")) - 4980
    assert datetime(2350, 7, 1, tzinfo=zone).utcoffset() == timedelta(hours=2, minutes=23)
    assert datetime(2950, 7, 1, tzinfo=zone).utcoffset() == timedelta(hours=2, minutes=23)


def test_a_custom_zone_is_a_whole_tzinfo() -> None:
    zone = resolve("Ours", _definition(*NO_ZONE_HAS_THIS))
    assert zone is not None
    autumn = datetime(2026, 9, 13, 0, 30, tzinfo=UTC)
    for minutes in range(0, 180, 15):
        instant = autumn + timedelta(minutes=minutes)
        local = instant.astimezone(zone)
        assert local.astimezone(UTC) == instant, (instant, local, local.fold)
    first, second = autumn.astimezone(zone), (autumn + timedelta(hours=1)).astimezone(zone)
    assert (first.replace(tzinfo=None), first.fold, second.fold) == (second.replace(tzinfo=None, fold=0), 0, 1)
    assert zone.utcoffset(None) is None


def test_dates_and_ends_in_a_definition() -> None:
    zone = resolve(
        "Ours",
        _definition(
            "BEGIN:STANDARD",
            "DTSTART:20200101T000000",
            "TZOFFSETFROM:+0107",
            "TZOFFSETTO:+0207",
            "RDATE:20220101T000000,nonsense",
            "RDATE;VALUE=PERIOD:20230101T000000/PT1H",
            "RRULE:FREQ=YEARLY;UNTIL=20210101T000000Z",
            "END:STANDARD",
            "BEGIN:DAYLIGHT",
            "DTSTART:20200701T000000",
            "TZOFFSETFROM:+0207",
            "TZOFFSETTO:+0107",
            "RRULE:FREQ=YEARLY;COUNT=3",
            "END:DAYLIGHT",
        ),
    )
    assert zone is not None
    changes = clock_of(zone).transitions(1_577_000_000, 1_900_000_000)
    years = [wall_of(clock_of(zone).to_wall(instant)).year for instant, _, _ in changes]
    assert years == [2020, 2020, 2021, 2021, 2022, 2022, 2023]


BROKEN = {
    "no observance": (),
    "offset +5730": (
        "BEGIN:STANDARD",
        "DTSTART:19700101T000000",
        "TZOFFSETFROM:+5730",
        "TZOFFSETTO:+5730",
        "END:STANDARD",
    ),
    "no start": ("BEGIN:STANDARD", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0100", "END:STANDARD"),
    "unreadable start": ("BEGIN:STANDARD", "DTSTART:soon", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0100", "END:STANDARD"),
    "a change every second": (
        "BEGIN:STANDARD",
        "DTSTART:19700101T000000",
        "TZOFFSETFROM:+0100",
        "TZOFFSETTO:+0100",
        "RRULE:FREQ=SECONDLY",
        "END:STANDARD",
    ),
    "an unknown calendar": (
        "BEGIN:STANDARD",
        "DTSTART:19700101T000000",
        "TZOFFSETFROM:+0100",
        "TZOFFSETTO:+0100",
        "RRULE:FREQ=YEARLY;RSCALE=X-MARS",
        "END:STANDARD",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_definition_is_no_zone(what: str) -> None:
    definition = _definition(*BROKEN[what])
    assert zone_of_definition(definition) == (None, None)
    assert resolve("Ours", definition) is None
    assert resolve("(UTC+02:00)", definition) == timezone(timedelta(hours=2))
    assert resolve("Europe/Berlin", definition) == ZoneInfo("Europe/Berlin")


def test_a_definition_too_rich_for_the_far_future_keeps_what_it_has() -> None:
    lines = []
    for hour in range(8):
        name = "STANDARD" if hour % 2 else "DAYLIGHT"
        lines += [
            f"BEGIN:{name}",
            f"DTSTART:20000101T{hour:02}0000",
            f"TZOFFSETFROM:+0{hour}07",
            f"TZOFFSETTO:+0{hour}08",
        ]
        lines += ["RRULE:FREQ=MONTHLY", f"END:{name}"]
    zone = resolve("Ours", _definition(*lines))
    assert isinstance(zone, CustomZone)
    assert datetime(2400, 1, 15, tzinfo=zone).utcoffset() == datetime(2099, 12, 15, tzinfo=zone).utcoffset()
    crowded = _definition(*lines * 10)
    begin = time.process_time()
    assert resolve("Ours", crowded) is None  # more clock changes than a real zone has
    assert time.process_time() - begin < 0.2


def test_a_missing_offset_from_is_the_offset_to() -> None:
    definition = _definition("BEGIN:STANDARD", "DTSTART:19700101T000000Z", "TZOFFSETTO:+0107", "END:STANDARD")
    zone = resolve("Ours", definition)
    assert zone is not None
    assert datetime(2026, 1, 1, tzinfo=zone).utcoffset() == timedelta(minutes=67)


@pytest.mark.parametrize("part", shards(4))
def test_a_rendered_definition_is_the_zone(part: int) -> None:
    keys = files("tzdata").joinpath("zones").read_text("ascii").split()[part::16]
    stretches = [
        (1_767_225_600, None),
        (1_767_225_600, 1_767_312_000),
        (0, 2_000_000_000),
        (1_200_000_000, 1_500_000_000),
    ]
    for key in keys:
        zone = ZoneInfo(key)
        for low, high in stretches:
            made = render_vtimezone(zone, low, high, "Rendered")
            own, _ = zone_of_definition(parse_calendar(calendar(render_component(made), header="")).components[0])
            assert own is not None
            end = 2_100_000_000 if high is None else high
            clock, known = clock_of(own), clock_of(zone)
            assert clock.transitions(low, end) == known.transitions(low, end), (key, low, high)
            assert clock.offset(low) == known.offset(low)


def test_a_rendered_definition_is_minimal() -> None:
    assert len(render_vtimezone(ZoneInfo("Europe/Berlin"), 1_767_225_600, None).components) == 2
    assert len(render_vtimezone(ZoneInfo("Asia/Tokyo"), 1_767_225_600, None).components) == 1
    assert len(render_vtimezone(ZoneInfo("Europe/Berlin"), 1_767_225_600, 1_767_312_000).components) == 1
    named = render_vtimezone(timezone(timedelta(hours=2)), None, None)
    assert named.value("TZID") == "UTC+02:00"
    assert named.components[0].value("TZOFFSETTO") == "+0200"
    assert render_vtimezone(ZoneInfo("Europe/Berlin"), None, None).value("TZID") == "Europe/Berlin"


def test_the_text_of_a_calendar_timezone() -> None:
    text = calendar(render_component(_definition(*CENTRAL_EUROPE)), header="").decode()
    zone, name = calendar_timezone.parse(text)
    assert isinstance(zone, ZoneInfo)
    assert name == zone.key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
        "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:Ours\r\nEND:VTIMEZONE\r\nEND:VCALENDAR\r\n",
    ],
)
def test_a_calendar_timezone_must_be_a_zone(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        calendar_timezone.parse(text)
    assert refused.value.condition is Condition.VALID_CALENDAR_DATA


def test_names_of_zones() -> None:
    assert zone_name(UTC) == "UTC"
    assert zone_name(ZoneInfo("Europe/Berlin")) == "Europe/Berlin"
    assert zone_name(timezone(timedelta(hours=2))) is None


# -- which VTIMEZONE a parameter means

ESCAPED = (
    "BEGIN:VTIMEZONE\r\nTZID:Foo\\, Barland\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
    "TZOFFSETFROM:+0533\r\nTZOFFSETTO:+0533\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)


@pytest.mark.parametrize("tzid", ['"Foo, Barland"', '" Foo, Barland "', '"Foo\\, Barland"'])
@pytest.mark.parametrize("rule", ["", "RRULE:FREQ=DAILY;COUNT=2"])
def test_a_definition_with_an_escaped_name_is_found_by_all(tzid: str, rule: str) -> None:
    """RFC 5545 §3.2.19, §3.8.3.1: the name is a quoted parameter in one place and escaped TEXT in the other."""
    data = calendar(ESCAPED, component("VEVENT", f"DTSTART;TZID={tzid}:20240101T100000", rule, uid="1"))
    document = parse_document(data).document
    first = int(datetime(2024, 1, 1, 4, 27, tzinfo=UTC).timestamp())
    entry = index_document(document, horizon=first).entries[0]
    assert (entry.start, entry.floating) == (first, False)
    window = TimeRange(first - 60, first + 60)
    assert [item.entry.start for item in range_matches(document, window, ZoneInfo("Asia/Tokyo"), Budget())] == [first]
    shown = expand(document, window, None, Budget())
    assert "DTSTART:20240101T042700Z" in shown
    assert ("RECURRENCE-ID:20240101T042700Z" in shown) == bool(rule)
    assert next(each for _, each in split.Splitter(data)).count(ESCAPED.encode()) == 1


def test_one_name_written_in_two_ways_is_one_name_in_a_stream() -> None:
    """RFC 5545 §3.6.5: two definitions that parameters could not tell apart do not share a VCALENDAR."""
    quoted = ESCAPED.replace("\\,", ",").replace("+0533", "+0644")
    head, tail = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n", "END:VCALENDAR\r\n"
    joiner = Joiner("All")
    stream = b"".join([joiner.begin(), *(joiner.add((head + each + tail).encode()) for each in (ESCAPED, quoted))])
    assert stream.count(b"BEGIN:VTIMEZONE") == 1
    assert joiner.end().count(b"+0644") == 2
