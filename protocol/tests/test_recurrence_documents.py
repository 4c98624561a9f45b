"""Whole objects: zones, exceptions, extra dates, overrides, durations, and the variants that clients send."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from protocol.errors import Condition, Refusal
from protocol.ical.components import Component
from protocol.ical.document import Document, parse_calendar, parse_document
from protocol.ical.recurrence import (
    Occurrence,
    count_until,
    is_recurring,
    occurrences,
    occurrences_of,
    span,
    zones_used,
)
from protocol.model import FOREVER, TimeRange
from protocol.tests.oracles import events_oracle
from testing.builders import calendar, component
from testing.lengths import shards

ALWAYS = TimeRange(None, None)


def document(*parts: str, kind: str = "VEVENT") -> Document:
    """Components of one UID, given as their lines separated by ``|``."""
    return parse_document(calendar(*(component(kind, *part.split("|"), uid="one") for part in parts))).document


def raw(*parts: str) -> tuple[Component | None, list[Component]]:
    """Master and overrides as bare components, which no repair has touched."""
    events = parse_calendar(calendar(*(component("VEVENT", *each.split("|")) for each in parts), header="")).components
    masters = [each for each in events if each.first("RECURRENCE-ID") is None]
    return (masters[0] if masters else None), [each for each in events if each.first("RECURRENCE-ID") is not None]


def untouched(*parts: str, window: TimeRange = ALWAYS) -> list[str]:
    master, overrides = raw(*parts)
    return shown(occurrences_of(master, overrides, {}, window))


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def shown(found: list[Occurrence]) -> list[str]:
    """``start/end`` in UTC, in the shortest form."""

    def short(moment: int) -> str:
        return f"{datetime.fromtimestamp(moment, UTC):%Y%m%dT%H%M}".removesuffix("T0000")

    return [f"{short(each.start)}/{short(each.end)}" for each in found]


def starts(found: list[Occurrence]) -> list[str]:
    return [each.partition("/")[0] for each in shown(found)]


BERLIN = "DTSTART;TZID=Europe/Berlin:"


# -- an object with one occurrence


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("DTSTART:20240301T090000Z|DTEND:20240301T100000Z", "20240301T0900/20240301T1000"),
        ("DTSTART:20240301T090000Z|DURATION:PT90M", "20240301T0900/20240301T1030"),
        ("DTSTART:20240301T090000Z", "20240301T0900/20240301T0900"),
        ("DTSTART:20240301T090000", "20240301T0900/20240301T0900"),
        ("DTSTART;VALUE=DATE:20240301", "20240301/20240302"),
        ("DTSTART;VALUE=DATE:20240301|DTEND;VALUE=DATE:20240304", "20240301/20240304"),
        ("DTSTART;VALUE=DATE:20240301|DURATION:P2D", "20240301/20240303"),
        ("DTSTART;VALUE=DATE:20240301|DURATION:PT1H", "20240301/20240302"),
        ("DTSTART;VALUE=DATE:20240301|DURATION:PT0S", "20240301/20240302"),
        (f"{BERLIN}20240301T090000|DTEND;TZID=America/New_York:20240301T090000", "20240301T0800/20240301T1400"),
        # nominal and exact over the start of summer time (RFC 5545 §3.3.6)
        (f"{BERLIN}20240330T120000|DURATION:P1D", "20240330T1100/20240331T1000"),
        (f"{BERLIN}20240330T120000|DURATION:PT24H", "20240330T1100/20240331T1100"),
        (f"{BERLIN}20240330T120000|DURATION:P1DT2H", "20240330T1100/20240331T1200"),
        # contradictions, read by the table of tolerated input
        ("DTSTART:20240301T090000Z|DTEND:20240301T080000Z", "20240301T0900/20240301T0900"),
        ("DTSTART;VALUE=DATE:20240301|DTEND;VALUE=DATE:20240301", "20240301/20240302"),
        ("DTSTART;VALUE=DATE:20240301|DTEND;VALUE=DATE:20240201", "20240301/20240302"),
        ("DTSTART;VALUE=DATE:20240301|DTEND:20240302T120000", "20240301/20240303"),
        (f"{BERLIN}20240301T090000|DTEND;VALUE=DATE:20240302", "20240301T0800/20240301T2300"),
        (f"{BERLIN}20240301T090000|DTEND:20240301T100000", "20240301T0800/20240301T0900"),
        ("DTSTART:20240301T090000|DTEND;TZID=Europe/Berlin:20240301T100000", "20240301T0800/20240301T0900"),
        ("DTSTART:20240301T090000Z|DURATION:-PT1H", "20240301T0900/20240301T0900"),
        ("DTSTART:20240301T090000Z|DURATION:soon", "20240301T0900/20240301T0900"),
        ("DTSTART:20240301T090000Z|DTEND:soon", "20240301T0900/20240301T0900"),
        ("DTSTART:20240301T090000Z|DTEND:20240301T100000Z|DURATION:PT5H", "20240301T0900/20240301T1000"),
    ],
)
def test_when_an_event_is(lines: str, expected: str) -> None:
    assert untouched(lines) == [expected]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("DTSTART:20240301T090000Z|DUE:20240302T100000Z", ["20240301T0900/20240302T1000"]),
        ("DTSTART:20240301T090000Z|DURATION:P1D", ["20240301T0900/20240302T0900"]),
        ("DTSTART:20240301T090000Z", ["20240301T0900/20240301T0900"]),
        ("DTSTART;VALUE=DATE:20240301", ["20240301/20240301"]),
        ("DUE:20240302T100000Z", ["20240302T1000/20240302T1000"]),
        ("SUMMARY:some day", []),
        (
            "DUE:20240302T100000Z|RRULE:FREQ=DAILY;COUNT=2",
            ["20240302T1000/20240302T1000", "20240303T1000/20240303T1000"],
        ),
    ],
)
def test_when_a_task_is(lines: str, expected: list[str]) -> None:
    assert shown(occurrences(document(lines, kind="VTODO"), ALWAYS)) == expected


def test_when_a_journal_entry_is() -> None:
    assert shown(occurrences(document("DTSTART;VALUE=DATE:20240301", kind="VJOURNAL"), ALWAYS)) == ["20240301/20240302"]
    timed = document("DTSTART:20240301T090000Z|RRULE:FREQ=DAILY;COUNT=2", kind="VJOURNAL")
    assert starts(occurrences(timed, ALWAYS)) == ["20240301T0900", "20240302T0900"]
    assert occurrences(document("SUMMARY:no day", kind="VJOURNAL"), ALWAYS) == []
    assert span(document("SUMMARY:no day", kind="VJOURNAL")) == (-FOREVER, FOREVER)


# -- windows


def test_windows_are_half_open() -> None:
    timed = document("DTSTART:20240301T090000Z|DURATION:PT1H")
    for low, high, found in [
        ("20240301T080000", "20240301T090000", 0),
        ("20240301T080000", "20240301T090001", 1),
        ("20240301T095959", "20240301T120000", 1),
        ("20240301T100000", "20240301T120000", 0),
    ]:
        assert len(occurrences(timed, TimeRange(at(low), at(high)))) == found
    instant = document("DTSTART:20240301T090000Z|RRULE:FREQ=DAILY")
    assert len(occurrences(instant, TimeRange(at("20240302T090000"), at("20240303T090000")))) == 1


def test_all_day_and_floating_time_is_compared_in_the_zone_given() -> None:
    day = document("DTSTART;VALUE=DATE:20240301|RRULE:FREQ=WEEKLY")
    evening = TimeRange(at("20240301T223000"), at("20240301T225900"))
    midnight = TimeRange(at("20240301T233000"), at("20240302T000000"))
    berlin = ZoneInfo("Europe/Berlin")
    assert len(occurrences(day, evening)) == len(occurrences(day, evening, zone_floating=berlin)) == 1
    assert len(occurrences(day, midnight)) == 1
    assert occurrences(day, midnight, zone_floating=berlin) == []
    floating = document("DTSTART:20240301T000000|DURATION:PT1H")
    assert occurrences(floating, TimeRange(at("20240229T230000"), at("20240229T233000"))) == []
    [found] = occurrences(floating, TimeRange(at("20240229T230000"), at("20240229T233000")), zone_floating=berlin)
    assert (found.floating, found.start) == (True, at("20240301"))


def test_a_long_event_reaches_into_a_distant_window() -> None:
    long = document("DTSTART;VALUE=DATE:20240101|DURATION:P400D|RRULE:FREQ=YEARLY;COUNT=2")
    assert starts(occurrences(long, TimeRange(at("20250131"), at("20250201")))) == ["20240101", "20250101"]


def test_the_first_of_an_endless_series() -> None:
    daily = document(f"{BERLIN}20240101T090000|RRULE:FREQ=DAILY|EXDATE;TZID=Europe/Berlin:20240331T090000")
    found = occurrences(daily, TimeRange(at("20240330"), None), limit=3)
    assert starts(found) == ["20240330T0800", "20240401T0700", "20240402T0700"]
    assert occurrences(daily, ALWAYS, limit=2) == occurrences(daily, TimeRange(0, at("20240103")))


def test_the_first_with_what_was_moved_in_between() -> None:
    moved = document(
        "DTSTART:20240101T090000Z|RRULE:FREQ=DAILY",
        "RECURRENCE-ID:20240120T090000Z|DTSTART:20240102T120000Z",
    )
    assert starts(occurrences(moved, ALWAYS, limit=3)) == ["20240101T0900", "20240102T0900", "20240102T1200"]


# -- exceptions and extra dates


@pytest.mark.parametrize(
    "exdate",
    [
        "EXDATE;TZID=Europe/Berlin:20240302T090000",
        "EXDATE:20240302T080000Z",
        "EXDATE:20240302T090000",
        "EXDATE;VALUE=DATE:20240302",
        "EXDATE;TZID=America/New_York:20240302T030000",
        "EXDATE:nonsense,20240302T080000Z",
    ],
)
def test_an_exception_in_every_form(exdate: str) -> None:
    lines = f"{BERLIN}20240301T090000|RRULE:FREQ=DAILY;COUNT=3|{exdate}"
    assert untouched(lines) == ["20240301T0800/20240301T0800", "20240303T0800/20240303T0800"]


@pytest.mark.parametrize("exdate", ["EXDATE;VALUE=DATE:20240302", "EXDATE:20240302T000000Z", "EXDATE:20240302T120000"])
def test_an_exception_of_an_all_day_series(exdate: str) -> None:
    lines = f"DTSTART;VALUE=DATE:20240301|RRULE:FREQ=DAILY;COUNT=3|{exdate}"
    assert untouched(lines) == ["20240301/20240302", "20240303/20240304"]


def test_an_exception_is_of_one_occurrence_of_the_day() -> None:
    lines = f"{BERLIN}20241231T013000|RRULE:FREQ=DAILY;BYHOUR=1,2,3;COUNT=3|EXDATE;TZID=Europe/Berlin:20241231T023000"
    assert [each[:13] for each in untouched(lines)] == ["20241231T0030", "20241231T0230"]
    moved = "RECURRENCE-ID;TZID=Europe/Berlin:20241231T033000|DTSTART;TZID=Europe/Berlin:20250103T040000"
    found = untouched(f"{BERLIN}20241231T013000|RRULE:FREQ=DAILY;BYHOUR=1,2,3;COUNT=3", moved)
    assert [each[:13] for each in found] == ["20241231T0030", "20241231T0130", "20250103T0300"]


def test_an_exception_counts_and_may_take_dtstart_away() -> None:
    lines = "DTSTART:20240301T090000Z|RRULE:FREQ=DAILY;COUNT=3|EXDATE:20240301T090000Z"
    assert starts(occurrences(document(lines), ALWAYS)) == ["20240302T0900", "20240303T0900"]
    assert occurrences(document("DTSTART:20240301T090000Z|EXDATE:20240301T090000Z"), ALWAYS) == []


@pytest.mark.parametrize(
    ("rdate", "expected"),
    [
        ("RDATE:20240310T100000Z", "20240310T1000/20240310T1100"),
        ("RDATE;TZID=Europe/Berlin:20240310T090000,nonsense", "20240310T0800/20240310T0900"),
        ("RDATE;VALUE=DATE:20240310", "20240310T0800/20240310T0900"),
        ("RDATE;VALUE=PERIOD:20240310T100000Z/20240310T150000Z", "20240310T1000/20240310T1500"),
        ("RDATE;VALUE=PERIOD:20240310T100000Z/PT3H", "20240310T1000/20240310T1300"),
        ("RDATE;VALUE=PERIOD;TZID=Europe/Berlin:20240310T100000/20240310T120000", "20240310T0900/20240310T1100"),
        ("RDATE;VALUE=PERIOD:20240310/20240311", "20240309T2300/20240310T2300"),
        ("RDATE;VALUE=PERIOD:20240310T100000Z/20240310T090000Z,x/y", "20240310T1000/20240310T1000"),
    ],
)
def test_extra_dates_in_every_form(rdate: str, expected: str) -> None:
    found = untouched(f"{BERLIN}20240301T090000|DURATION:PT1H|{rdate}")
    assert found == ["20240301T0800/20240301T0900", expected]


def test_extra_dates_of_an_all_day_series() -> None:
    lines = "DTSTART;VALUE=DATE:20240301|RDATE:20240310T100000Z|RDATE;VALUE=PERIOD:20240312T100000Z/PT1H"
    assert untouched(lines) == ["20240301/20240302", "20240310/20240311"]


def test_a_date_that_comes_twice_is_one() -> None:
    lines = f"{BERLIN}20240301T090000|RRULE:FREQ=DAILY;COUNT=2|RDATE:20240302T080000Z,20240229T080000Z"
    assert starts(occurrences(document(lines), ALWAYS)) == ["20240229T0800", "20240301T0800", "20240302T0800"]


def test_a_period_says_how_long_its_occurrence_lasts() -> None:
    lines = "DTSTART:20240301T090000Z|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=2|"
    lines += "RDATE;VALUE=PERIOD:20240302T090000Z/PT5H|EXDATE:20240303T090000Z"
    assert untouched(lines) == ["20240301T0900/20240301T1000", "20240302T0900/20240302T1400"]


def test_a_period_keeps_its_length_behind_this_and_future() -> None:
    """RFC 5545 §3.8.5.3: it is the same occurrence as the rule's, and moves like all later ones (§3.2.13)."""
    series = (
        "DTSTART:20240101T100000Z|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=5|RDATE;VALUE=PERIOD:20240104T100000Z/PT3H",
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20240102T100000Z|DTSTART:20240102T140000Z|DURATION:PT1H",
    )
    expected = [
        "20240101T1000/20240101T1100",
        "20240102T1400/20240102T1500",
        "20240103T1400/20240103T1500",
        "20240104T1400/20240104T1700",
        "20240105T1400/20240105T1500",
    ]
    assert shown(occurrences(document(*series), ALWAYS)) == expected
    at_its_end = TimeRange(at("20240104T160000"), at("20240104T163000"))
    assert shown(occurrences(document(*series), at_its_end)) == expected[3:4]


def test_a_window_of_many_dates_is_like_all_of_them() -> None:
    days = [f"202403{day:02}T090000Z/PT{1 + day * 7 % 40}H" for day in range(1, 32)]
    changed = [f"RECURRENCE-ID:202403{day:02}T090000Z|DTSTART:202403{32 - day:02}T110000Z|DURATION:P{day % 5}DT1H"
               for day in range(5, 26)]  # fmt: skip
    series = document(f"DTSTART:20240301T090000Z|RDATE;VALUE=PERIOD:{','.join(days)}", *changed)
    always = occurrences(series, ALWAYS)
    assert len(always) == 31
    for hour in range(0, 40 * 24, 7):
        low = at("20240225") + hour * 3600
        expected = [each for each in always if each.start < low + 7200 and each.end > low]
        assert occurrences(series, TimeRange(low, low + 7200)) == expected


def test_several_rules_are_joined() -> None:
    lines = "DTSTART:20240301T090000Z|RRULE:FREQ=WEEKLY;COUNT=3|RRULE:FREQ=MONTHLY;BYMONTHDAY=8,9;COUNT=3"
    expected = ["20240301T0900", "20240308T0900", "20240309T0900", "20240315T0900", "20240408T0900"]
    assert starts(occurrences(document(lines), ALWAYS)) == expected
    assert count_until(document(lines)) is None


def test_an_exclusion_rule_is_honoured() -> None:
    lines = "DTSTART:20240301T090000Z|RRULE:FREQ=DAILY;COUNT=10|EXRULE:FREQ=WEEKLY;BYDAY=SA,SU"
    assert [each[6:8] for each in untouched(lines)] == ["01", "04", "05", "06", "07", "08"]
    extra = "DTSTART:20240301T090000Z|RDATE:20240302T090000Z,20240304T090000Z|EXRULE:FREQ=WEEKLY;BYDAY=SA"
    assert [each[6:8] for each in untouched(extra)] == ["01", "04"]
    floating = "DTSTART:20240302T090000|RRULE:FREQ=DAILY;COUNT=3|EXRULE:FREQ=DAILY;INTERVAL=2"
    assert [each[6:8] for each in untouched(floating)] == ["03"]


@pytest.mark.parametrize(
    "lines",
    [
        "RRULE:FREQ=DAILY;COUNT=3|RRULE:FREQ=YEARLY;COUNT=1",
        "RRULE:FREQ=DAILY;COUNT=9|EXRULE:FREQ=DAILY;COUNT=3",
        "RRULE:FREQ=DAILY;COUNT=9|RDATE:20240309T090001Z|EXRULE:FREQ=DAILY;INTERVAL=2;COUNT=2",
        "RRULE:FREQ=WEEKLY;BYDAY=SA,SU;COUNT=4|RRULE:FREQ=DAILY;COUNT=2",
    ],
)
def test_a_window_shows_of_a_series_what_lies_in_it(lines: str) -> None:
    """Wherever it begins: at DTSTART, a second after it, or anywhere else."""
    parsed = document(f"DTSTART:20240301T090000Z|DURATION:PT1S|{lines}")
    whole = occurrences(parsed, ALWAYS)
    for edge in [moment for item in whole for moment in (item.start - 1, item.start, item.start + 1, item.start + 2)]:
        found = occurrences(parsed, TimeRange(edge, edge + 50 * 86400))
        assert found == [item for item in whole if item.end > edge and item.start < edge + 50 * 86400]


# -- UNTIL and COUNT


@pytest.mark.parametrize(
    ("until", "number"),
    [
        ("20240303T080000Z", 3),
        ("20240303T075959Z", 2),
        ("20240303T090000", 3),
        ("20240303T085959", 2),
        ("20240303", 3),
        ("20240302", 2),
        ("20240229", 1),
        ("20240301T080000Z", 1),
        ("20200101T000000Z", 1),
        ("20200101", 1),
        ("someday", 1),
    ],
)
def test_until_in_every_form(until: str, number: int) -> None:
    assert len(untouched(f"{BERLIN}20240301T090000|RRULE:FREQ=DAILY;UNTIL={until}")) == number


@pytest.mark.parametrize("until", ["20240303", "20240303T235959Z", "20240303T000000", "20240303T120000Z"])
def test_until_of_an_all_day_series(until: str) -> None:
    assert len(untouched(f"DTSTART;VALUE=DATE:20240301|RRULE:FREQ=DAILY;UNTIL={until}")) == 3


def test_until_is_an_instant_also_in_an_overlap_and_a_gap() -> None:
    # 02:30 on the night the clocks go back is 00:30Z, the first of two; UNTIL is between the two
    autumn = f"{BERLIN}20241025T023000|RRULE:FREQ=DAILY;UNTIL=20241027T010000Z"
    assert len(untouched(autumn)) == 3
    assert len(untouched(autumn.replace("T010000Z", "T002959Z"))) == 2
    # 02:30 does not exist on 31 March: it is 01:30Z, and UNTIL=01:00Z is 03:00 on the wall
    spring = f"{BERLIN}20240329T023000|RRULE:FREQ=DAILY;UNTIL=20240331T010000Z"
    assert len(untouched(spring)) == 2


@pytest.mark.parametrize("rule", ["FREQ=DAILY;COUNT=0", "FREQ=DAILY;INTERVAL=0", "FREQ=NEVER", "COUNT=3", "", "FREQ"])
def test_a_rule_without_meaning_leaves_dtstart(rule: str) -> None:
    assert untouched(f"DTSTART:20240301T090000Z|RRULE:{rule}") == ["20240301T0900/20240301T0900"]


def test_count_and_until_together_end_at_the_earlier() -> None:
    for count, until, number in [(3, "20240310T000000Z", 3), (9, "20240302T120000Z", 2)]:
        rule = f"RRULE:FREQ=DAILY;COUNT={count};UNTIL={until}"
        assert len(untouched(f"DTSTART:20240301T090000Z|{rule}")) == number
        assert len(untouched(f"DTSTART:20240301T090000Z|{rule}", window=TimeRange(at("20240302"), None))) == number - 1


def test_values_out_of_range_are_dropped() -> None:
    lines = (
        "DTSTART:20240301T090000Z|RRULE:FREQ=MONTHLY;COUNT=3;BYMONTH=3,13,x;BYMONTHDAY=1,32,-40,+2;BYHOUR=9,24;BYDAY=XX"
    )
    assert [each[:8] for each in untouched(lines)] == ["20240301", "20240302", "20250301"]


def test_the_resolved_count() -> None:
    zoned = document(f"{BERLIN}20240301T090000|RRULE:FREQ=WEEKLY;COUNT=5")
    assert count_until(zoned) == at("20240329T090000")
    assert count_until(document("DTSTART:20240301T090000Z|RRULE:FREQ=DAILY")) is None
    assert count_until(document("DTSTART:20240301T090000Z")) is None
    costly = document("DTSTART:20240301T090000Z|RRULE:FREQ=SECONDLY;BYHOUR=9;COUNT=9999999")
    assert count_until(costly) is None
    assert span(costly)[1] == FOREVER


def test_dtstart_outside_of_its_rule_is_the_first_and_counts() -> None:
    lines = "DTSTART:20240301T090000Z|RRULE:FREQ=MONTHLY;BYMONTHDAY=15;COUNT=3"
    assert [each[:8] for each in untouched(lines)] == ["20240301", "20240315", "20240415"]
    assert [each[:8] for each in untouched(lines, window=TimeRange(at("20240310"), None))] == ["20240315", "20240415"]


# -- time zones


def test_a_meeting_stays_at_its_hour() -> None:
    weekly = document(f"{BERLIN}20240324T100000|DURATION:PT1H|RRULE:FREQ=WEEKLY;COUNT=2")
    assert shown(occurrences(weekly, ALWAYS)) == ["20240324T0900/20240324T1000", "20240331T0800/20240331T0900"]
    assert zones_used(weekly) == ("Europe/Berlin",)


def test_the_end_is_exact_and_the_duration_nominal() -> None:
    """RFC 5545 §3.8.5.3, over the night of 31 March."""
    ended = f"{BERLIN}20240329T220000|DTEND;TZID=Europe/Berlin:20240330T060000|RRULE:FREQ=DAILY;COUNT=2"
    assert untouched(ended)[1] == "20240330T2100/20240331T0500"
    nominal = f"{BERLIN}20240329T220000|DURATION:P1D|RRULE:FREQ=DAILY;COUNT=2"
    assert untouched(nominal)[1] == "20240330T2100/20240331T2000"


def test_an_hourly_series_meets_itself_in_the_gap() -> None:
    hourly = f"{BERLIN}20240331T003000|RRULE:FREQ=HOURLY;COUNT=5"
    assert [each[9:13] for each in untouched(hourly)] == ["2330", "0030", "0130", "0230"]


def test_a_definition_is_found_by_its_escaped_name() -> None:
    observance = component("STANDARD", "DTSTART:19700101T000000", "TZOFFSETFROM:+0107", "TZOFFSETTO:+0107")
    zone = component("VTIMEZONE", "TZID:Ours\\, and theirs", observance)
    data = calendar(zone, component("VEVENT", 'DTSTART;TZID="Ours, and theirs":20240301T090700', uid="one"))
    [found] = occurrences(parse_document(data).document, ALWAYS)
    assert (found.floating, found.start) == (False, at("20240301T080000"))


def test_an_unknown_zone_floats() -> None:
    [found] = occurrences(document("DTSTART;TZID=Nowhere:20240301T090000"), ALWAYS)
    assert (found.floating, found.start) == (True, at("20240301T090000"))


def test_recurrence_ids_are_values_of_the_master() -> None:
    zoned = document(f"{BERLIN}20240331T100000|RRULE:FREQ=DAILY;COUNT=1")
    assert occurrences(zoned, ALWAYS)[0].recurrence_id == datetime.fromisoformat("20240331T100000")
    day = document("DTSTART;VALUE=DATE:20240331|RRULE:FREQ=DAILY;COUNT=1")
    assert occurrences(day, ALWAYS)[0].recurrence_id == date(2024, 3, 31)


# -- overrides

DAILY = f"{BERLIN}20240301T090000|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=5"


def test_an_override_moves_out_of_and_into_a_window() -> None:
    moved = document(DAILY, "RECURRENCE-ID;TZID=Europe/Berlin:20240302T090000|DTSTART:20240420T120000Z|DURATION:PT2H")
    assert occurrences(moved, TimeRange(at("20240302"), at("20240303"))) == []
    [found] = occurrences(moved, TimeRange(at("20240420"), at("20240421")))
    assert (found.is_override, found.component.value("DURATION")) == (True, "PT2H")
    assert found.recurrence_id == datetime.fromisoformat("20240302T090000")
    assert len(occurrences(moved, ALWAYS)) == 5
    assert span(moved) == (at("20240301T080000"), at("20240420T140000"))


@pytest.mark.parametrize(
    "recurrence_id",
    [
        "RECURRENCE-ID;TZID=Europe/Berlin:20240302T090000",
        "RECURRENCE-ID:20240302T080000Z",
        "RECURRENCE-ID:20240302T090000",
        "RECURRENCE-ID;VALUE=DATE:20240302",
        "RECURRENCE-ID;TZID=America/New_York:20240302T030000",
    ],
)
def test_an_override_is_matched_in_every_form(recurrence_id: str) -> None:
    found = untouched(DAILY, f"{recurrence_id}|DTSTART:20240302T180000Z|DURATION:PT1H")
    assert [each[6:13] for each in found] == ["01T0800", "02T1800", "03T0800", "04T0800", "05T0800"]


def test_an_override_of_an_all_day_series_by_a_time() -> None:
    found = untouched(
        "DTSTART;VALUE=DATE:20240301|RRULE:FREQ=DAILY;COUNT=2",
        "RECURRENCE-ID:20240302T000000Z|DTSTART:20240302T180000Z",
    )
    assert found == ["20240301/20240302", "20240302T1800/20240302T1800"]


def test_an_override_wins_over_an_exception_and_over_the_end() -> None:
    found = untouched(
        "DTSTART:20240301T090000Z|RRULE:FREQ=DAILY;COUNT=2|EXDATE:20240302T090000Z",
        "RECURRENCE-ID:20240302T090000Z|DTSTART:20240302T180000Z",
        "RECURRENCE-ID:20240309T090000Z|DTSTART:20240309T180000Z",
    )
    assert [each[:13] for each in found] == ["20240301T0900", "20240302T1800", "20240309T1800"]


def test_an_override_before_the_series_is_left_out() -> None:
    early = "RECURRENCE-ID:20240201T090000Z|DTSTART:20240310T180000Z"
    assert len(untouched("DTSTART:20240301T090000Z|RRULE:FREQ=DAILY;COUNT=2", early)) == 2
    assert len(untouched("DTSTART:20240301T090000Z|RRULE:FREQ=DAILY;COUNT=2|RDATE:20240201T090000Z", early)) == 3


def test_overrides_without_their_master() -> None:
    lone = document(
        "RECURRENCE-ID:20240302T090000Z|DTSTART:20240302T180000Z|DURATION:PT1H",
        "RECURRENCE-ID;VALUE=DATE:20240304|DTSTART;VALUE=DATE:20240305",
    )
    assert shown(occurrences(lone, ALWAYS)) == ["20240302T1800/20240302T1900", "20240305/20240306"]
    assert is_recurring(lone)
    assert span(lone) == (at("20240302T180000"), at("20240306"))


def test_an_override_without_a_time_stays_where_it_was() -> None:
    task = document(
        "DTSTART:20240301T090000Z|DUE:20240301T100000Z|RRULE:FREQ=DAILY;COUNT=2",
        "RECURRENCE-ID:20240302T090000Z|STATUS:COMPLETED",
        kind="VTODO",
    )
    assert shown(occurrences(task, ALWAYS)) == ["20240301T0900/20240301T1000", "20240302T0900/20240302T1000"]
    lone = document("RECURRENCE-ID:20240302T090000Z|STATUS:COMPLETED", kind="VTODO")
    assert occurrences(lone, ALWAYS) == []


def test_this_and_future_moves_what_comes_after() -> None:
    """RFC 5545 §3.2.13: the difference and the duration hold for every later occurrence."""
    series = (
        f"{BERLIN}20240329T090000|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=6|RDATE;TZID=Europe/Berlin:20240410T090000",
        "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20240330T090000|"
        "DTSTART;TZID=Europe/Berlin:20240330T140000|DURATION:PT3H|SUMMARY:later",
        "RECURRENCE-ID;TZID=Europe/Berlin:20240401T090000|DTSTART;TZID=Europe/Berlin:20240401T080000|DURATION:PT1H",
        "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20240402T090000|"
        "DTSTART;TZID=Europe/Berlin:20240403T090000|DURATION:PT2H",
    )
    assert untouched(*series) == [
        "20240329T0800/20240329T0900",
        "20240330T1300/20240330T1600",
        "20240331T1200/20240331T1500",
        "20240401T0600/20240401T0700",
        "20240403T0700/20240403T0900",
        "20240404T0700/20240404T0900",
        "20240411T0700/20240411T0900",
    ]
    master, overrides = raw(*series)
    found = occurrences_of(master, overrides, {}, TimeRange(at("20240404"), at("20240405")))
    assert [(each.recurrence_id.isoformat(), each.is_override) for each in found] == [("2024-04-03T09:00:00", True)]
    # a window sees the same as the whole
    for day in range(28, 31 + 14):
        low = at("20240301") + (day - 1) * 86400
        part = occurrences_of(master, overrides, {}, TimeRange(low, low + 86400))
        whole = occurrences_of(master, overrides, {}, ALWAYS)
        assert part == [each for each in whole if each.start < low + 86400 and each.end > low]
    assert span(document(*series))[1] >= at("20240411T090000")
    assert starts(occurrences(document(*series), ALWAYS, limit=3)) == [
        each.partition("/")[0] for each in shown(whole)[:3]
    ]


def test_an_unknown_calendar_is_refused_by_name() -> None:
    with pytest.raises(Refusal) as refused:
        untouched("DTSTART:20240301T090000Z|RRULE:RSCALE=X-MARS;FREQ=YEARLY")
    assert refused.value.condition is Condition.SUPPORTED_RSCALE


def test_spans() -> None:
    assert span(document("DTSTART:20240301T090000Z|RRULE:FREQ=DAILY")) == (at("20240301T090000"), FOREVER)
    ended = document("DTSTART:20240301T090000Z|DURATION:PT1H|RRULE:FREQ=DAILY;COUNT=3|RDATE:20240101T090000Z")
    assert span(ended) == (at("20240101T090000"), at("20240303T100000"))
    period = document("DTSTART:20240301T090000Z|RDATE;VALUE=PERIOD:20240401T090000Z/P3D")
    assert span(period) == (at("20240301T090000"), at("20240404T090000"))
    single = document("DTSTART;VALUE=DATE:20240301")
    assert span(single) == (at("20240301"), at("20240302"))
    assert not is_recurring(single)
    earlier = document(
        "DTSTART:20240301T090000Z|RRULE:FREQ=DAILY;COUNT=3",
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20240302T090000Z|DTSTART:20240227T090000Z",
    )
    assert span(earlier)[0] <= at("20240227T090000")


# -- against another implementation


@pytest.mark.parametrize("shard", shards(4))
def test_objects_agree_with_recurring_ical_events(shard: int) -> None:
    for number in range(250):
        made = events_oracle.random_object(random.Random(f"events {shard} {number}"))
        found = occurrences(parse_document(made.text.encode()).document, TimeRange(made.low, made.high))
        assert {(each.start, each.end) for each in found} == events_oracle.occurrences(made), made
