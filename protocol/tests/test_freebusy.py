"""Free-busy time: RFC 4791 §7.10, RFC 5545 §3.6.4, RFC 7953 §4, and the arithmetic of periods."""

from __future__ import annotations

import itertools
import time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.ical.availability import availabilities, unavailable
from protocol.ical.components import Property
from protocol.ical.document import parse_calendar
from protocol.ical.freebusy import BusyPeriod, busy_periods, merge, render_freebusy
from protocol.ical.index import index_document
from protocol.ical.instants import to_instants
from protocol.ical.periods import clip, subtract, union, utc_text
from protocol.ical.recurrence import Budget
from protocol.model import BusyType, TimeRange
from testing.appendix_b import ABCD8, OBJECTS, US_EASTERN
from testing.builders import calendar, component
from testing.values import at, between, document

EASTERN = ZoneInfo("America/New_York")
FREE, TENTATIVE, UNAVAILABLE, BUSY = BusyType


def busy(data: bytes, window: TimeRange, zone=None) -> list[BusyPeriod]:
    return merge(busy_periods(document(data), window, zone, Budget()), (), window)


def stamps(periods: list[BusyPeriod]) -> list[str]:
    """Periods as ``20260104T140000Z-150000Z TENTATIVE``, shorter to compare."""
    return [f"{utc_text(start)}-{utc_text(end)[9:]} {kind.name}" for start, end, kind in periods]


# -- RFC 4791 §7.10


def test_7_10_1_free_busy_of_the_collection() -> None:
    # The example's request ends a day later than its text and its answer say.
    window = between("20060104T140000Z", "20060104T220000Z")
    found = [period for data in OBJECTS.values() for period in busy_periods(document(data), window, EASTERN, Budget())]
    answer = render_freebusy(merge(found, (), window), window, now=at("20050125T090000Z"), prodid="-//Example//EN")
    assert answer.decode().split("\r\n") == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Example//EN",
        "BEGIN:VFREEBUSY",
        "DTSTAMP:20050125T090000Z",
        "DTSTART:20060104T140000Z",
        "DTEND:20060104T220000Z",
        "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060104T150000Z/20060104T160000Z",
        "FREEBUSY:20060104T190000Z/20060104T200000Z",
        "END:VFREEBUSY",
        "END:VCALENDAR",
        "",
    ]


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ((), BUSY),
        (("TRANSP:OPAQUE", "STATUS:CONFIRMED"), BUSY),
        (("STATUS:TENTATIVE",), TENTATIVE),
        (("STATUS:CANCELLED",), FREE),
        (("STATUS:X-ODD",), BUSY),
        (("TRANSP:TRANSPARENT",), FREE),
        (("TRANSP:transparent", "STATUS:TENTATIVE"), FREE),
        (("STATUS:CONFIRMED", "TRANSP:TRANSPARENT"), FREE),
    ],
)
def test_transp_and_status(lines: tuple[str, ...], kind: BusyType) -> None:
    data = calendar(component("VEVENT", "UID:1", "DTSTART:20260101T100000Z", "DURATION:PT1H", *lines))
    window = between("20260101T000000Z", "20260102T000000Z")
    expected = [] if kind is FREE else [BusyPeriod(at("20260101T100000Z"), at("20260101T110000Z"), kind)]
    assert busy(data, window) == expected


def test_overrides_have_their_own_type_and_place() -> None:
    data = calendar(
        component("VEVENT", "UID:1", "DTSTART:20260101T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=4"),
        component("VEVENT", "UID:1", "RECURRENCE-ID:20260102T100000Z", "DTSTART:20260102T150000Z", "DURATION:PT2H",
                  "STATUS:TENTATIVE"),
        component("VEVENT", "UID:1", "RECURRENCE-ID:20260103T100000Z", "DTSTART:20260103T100000Z", "DURATION:PT1H",
                  "STATUS:CANCELLED"),
    )  # fmt: skip
    assert stamps(busy(data, between("20260101T103000Z", "20260104T103000Z"))) == [
        "20260101T103000Z-110000Z BUSY",
        "20260102T150000Z-170000Z TENTATIVE",
        "20260104T100000Z-103000Z BUSY",
    ]


def test_moments_todos_and_journals_are_not_busy() -> None:
    window = between("20260101T000000Z", "20260103T000000Z")
    for name in ("VTODO", "VJOURNAL"):
        assert busy(calendar(component(name, "UID:1", "DTSTART:20260101T100000Z")), window) == []
    assert busy(calendar(component("VEVENT", "UID:1", "DTSTART:20260101T100000Z")), window) == []


def test_all_day_and_floating_time_is_of_the_zone_asked() -> None:
    window = between("20260101T000000Z", "20260103T000000Z")
    day = calendar(component("VEVENT", "UID:1", "DTSTART;VALUE=DATE:20260101"))
    assert stamps(busy(day, window, EASTERN)) == ["20260101T050000Z-050000Z BUSY"]
    assert stamps(busy(day, window)) == ["20260101T000000Z-000000Z BUSY"]
    floating = calendar(component("VEVENT", "UID:1", "DTSTART:20260102T180000", "DURATION:PT2H"))
    assert stamps(busy(floating, window, EASTERN)) == ["20260102T230000Z-000000Z BUSY"]


def test_stored_free_busy() -> None:
    assert stamps(busy(ABCD8, between("20050101T000000Z", "20060103T110000Z"))) == [
        "20060102T100000Z-120000Z TENTATIVE",
        "20060103T100000Z-110000Z BUSY",
    ]
    data = calendar(
        component(
            "VFREEBUSY",
            "UID:1",
            "FREEBUSY;FBTYPE=FREE:20260101T000000Z/P10D",
            "FREEBUSY;FBTYPE=X-AWAY:20260101T100000Z/PT1H,broken,20260101T110000Z/PT1H",
        )
    )
    assert stamps(busy(data, between("20260101T000000Z", "20260103T000000Z"))) == ["20260101T100000Z-120000Z BUSY"]


def test_answer_has_runs_of_a_type_in_one_property_and_folds() -> None:
    window = TimeRange(0, 10_000_000)
    periods = [BusyPeriod(number * 7200, number * 7200 + 3600, BUSY) for number in range(10)]
    periods.append(BusyPeriod(100_000, 200_000, UNAVAILABLE))
    organizer = Property("ORGANIZER", "mailto:ö@example.com", None, "ORGANIZER;CN=Zoë:mailto:ö@example.com")
    attendee = Property("ATTENDEE", "mailto:b@example.com", None, "ATTENDEE:mailto:b@example.com")
    answer = render_freebusy(
        periods, window, now=0, prodid="-//a,b//EN", uid="u-1", organizer=organizer, attendee=attendee, method="REPLY"
    )
    assert all(len(line) <= 75 for line in answer.split(b"\r\n"))
    calendar_ = parse_calendar(answer)
    (component_,) = calendar_.components
    lines = [line.raw for line in component_.all("FREEBUSY")]
    assert len(lines) == 2
    assert lines[0].count("/") == 10
    assert lines[1] == "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:19700102T034640Z/19700103T073320Z"
    assert calendar_.value("METHOD") == "REPLY"
    assert component_.value("UID") == "u-1"
    assert component_.first("ORGANIZER").raw == organizer.raw
    assert component_.first("ATTENDEE").raw == attendee.raw


def test_stored_periods_in_local_time() -> None:
    data = calendar(component("VFREEBUSY", "UID:1", "FREEBUSY:20260101T100000/20260101T110000"))
    window = between("20260101T000000Z", "20260103T000000Z")
    assert stamps(busy(data, window, EASTERN)) == ["20260101T150000Z-160000Z BUSY"]
    assert stamps(busy(data, window)) == ["20260101T100000Z-110000Z BUSY"]


def test_an_open_answer_says_all_the_time_there_is() -> None:
    lines = render_freebusy([], TimeRange(), now=0, prodid="x").split(b"\r\n")
    assert b"DTSTART:00010101T000000Z" in lines and b"DTEND:99991231T235959Z" in lines


# -- RFC 7953

OFFICE = (
    *("BEGIN:AVAILABLE", "UID:office", "DTSTART;TZID=US/Eastern:20111003T080000"),
    *("DTEND;TZID=US/Eastern:20111003T180000", "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "END:AVAILABLE"),
)


def unreachable(window: TimeRange, *components: str, zone=EASTERN) -> list[str]:
    parsed = parse_calendar(calendar(US_EASTERN, *components))
    return stamps(unavailable(availabilities(parsed, window, zone, Budget()), window))


def test_4_1_1_simple_example() -> None:
    # A Monday of New York, midnight to midnight; at 12:00 there is a meeting of two hours.
    window = between("20111107T050000Z", "20111108T050000Z")
    parsed = parse_calendar(calendar(US_EASTERN, component("VAVAILABILITY", "UID:1", *OFFICE)))
    away = unavailable(availabilities(parsed, window, EASTERN, Budget()), window)
    meeting = BusyPeriod(at("20111107T170000Z"), at("20111107T190000Z"))
    assert stamps(merge([meeting], away, window)) == [
        "20111107T050000Z-130000Z UNAVAILABLE",
        "20111107T170000Z-190000Z BUSY",
        "20111107T230000Z-050000Z UNAVAILABLE",
    ]


def test_availability_says_nothing_outside_its_extent() -> None:
    window = between("20111101T000000Z", "20111201T000000Z")
    assert unreachable(
        window,
        component("VAVAILABILITY", "UID:1", "DTSTART:20111110T000000Z", "DTEND:20111110T060000Z", "BUSYTYPE:BUSY"),
        component("VAVAILABILITY", "UID:2", "DTSTART:20111112T000000Z", "DURATION:PT6H", "BUSYTYPE:BUSY-TENTATIVE"),
        component("VAVAILABILITY", "UID:3", "DTSTART:20121112T000000Z"),
    ) == ["20111110T000000Z-060000Z BUSY", "20111112T000000Z-060000Z TENTATIVE"]
    assert unreachable(window, component("VAVAILABILITY", "UID:1")) == ["20111101T000000Z-000000Z UNAVAILABLE"]


@pytest.mark.parametrize("start", ["DTSTART;TZID=US/Eastern:20111105T000000", "DTSTART:20111105T000000"])
@pytest.mark.parametrize("end", ["DURATION:P2D", "DTEND;TZID=US/Eastern:20111107T000000", "DURATION:PT49H"])
def test_days_of_an_extent_are_nominal(start: str, end: str) -> None:
    """RFC 5545 §3.3.6: two days over the end of summer time are 49 hours, for the index too."""
    if not start.startswith("DTSTART;"):
        end = end.replace(";TZID=US/Eastern", "").replace("49H", "48H")
    data = calendar(US_EASTERN, component("VAVAILABILITY", "UID:1", start, end))
    window = between("20111101T000000Z", "20111201T000000Z")
    away = unavailable(availabilities(parse_calendar(data), window, EASTERN, Budget()), window)
    assert stamps(away) == ["20111105T040000Z-050000Z UNAVAILABLE"]
    assert away[0].end == at("20111107T050000Z")
    [entry] = index_document(document(data), horizon=at("20120101T000000Z")).entries
    assert to_instants(entry.start, entry.end, entry.floating, EASTERN) == away[0][:2]


def test_available_time_at_a_transition() -> None:
    """RFC 5545 §3.3.5: 01:30 of New York, floating, on the day it comes twice, is the first of the two."""
    window = between("20111106T051500Z", "20111106T061000Z")
    block = ("BEGIN:AVAILABLE", "UID:2", "DTSTART:20111106T013000", "DURATION:PT10M", "END:AVAILABLE")
    assert unreachable(window, component("VAVAILABILITY", "UID:1", *block)) == [
        "20111106T051500Z-053000Z UNAVAILABLE",
        "20111106T054000Z-061000Z UNAVAILABLE",
    ]


def test_a_higher_priority_overrides_a_lower_one() -> None:
    window = between("20111107T050000Z", "20111108T050000Z")
    weekly = component("VAVAILABILITY", "UID:1", *OFFICE)
    holiday = component(
        "VAVAILABILITY", "UID:2", "PRIORITY:1", "BUSYTYPE:BUSY", "DTSTART:20111107T150000Z", "DTEND:20111107T160000Z"
    )
    late = component(
        "VAVAILABILITY", "UID:3", "PRIORITY:5", "DTSTART:20111107T220000Z", "DTEND:20111108T050000Z",
        *("BEGIN:AVAILABLE", "UID:4", "DTSTART:20111108T000000Z", "DTEND:20111108T030000Z", "END:AVAILABLE"),
    )  # fmt: skip
    expected = [
        "20111107T050000Z-130000Z UNAVAILABLE",
        "20111107T150000Z-160000Z BUSY",
        "20111107T220000Z-000000Z UNAVAILABLE",
        "20111108T030000Z-050000Z UNAVAILABLE",
    ]
    assert unreachable(window, weekly, holiday, late) == expected
    assert unreachable(window, late, holiday, weekly) == expected


def test_extents_that_cannot_be_read_are_open() -> None:
    window = between("20111101T000000Z", "20111102T000000Z")
    whole = ["20111101T000000Z-000000Z UNAVAILABLE"]
    assert unreachable(window, component("VAVAILABILITY", "UID:1", "DTSTART:soon", "DURATION:PT1H")) == whole
    assert unreachable(window, component("VAVAILABILITY", "UID:1", "DTSTART:20111031T000000Z", "DURATION:x")) == whole
    assert unreachable(window, component("VAVAILABILITY", "UID:1", "PRIORITY:high", "X-A:1", "BEGIN:OTHER",
                                         "END:OTHER")) == whole  # fmt: skip
    assert unreachable(window, component("VEVENT", "UID:1", "DTSTART:20111101T000000Z")) == []


def test_available_blocks_that_share_a_uid_or_have_only_overrides() -> None:
    window = between("20111107T000000Z", "20111108T000000Z")

    def block(hour: int, *lines: str) -> tuple[str, ...]:
        return ("BEGIN:AVAILABLE", "UID:1", f"DTSTART:20111107T{hour:02}0000Z", "DURATION:PT1H", *lines,
                "END:AVAILABLE")  # fmt: skip

    assert unreachable(window, component("VAVAILABILITY", "UID:1", *block(4), *block(6))) == [
        "20111107T000000Z-040000Z UNAVAILABLE",
        "20111107T050000Z-060000Z UNAVAILABLE",
        "20111107T070000Z-000000Z UNAVAILABLE",
    ]
    only = component("VAVAILABILITY", "UID:1", *block(4, "RECURRENCE-ID:20111107T050000Z"))
    assert unreachable(window, only) == [
        "20111107T000000Z-040000Z UNAVAILABLE",
        "20111107T050000Z-000000Z UNAVAILABLE",
    ]


def test_equal_priorities_together() -> None:
    window = between("20111107T050000Z", "20111108T050000Z")
    evening = component(
        "VAVAILABILITY", "UID:5",
        *("BEGIN:AVAILABLE", "UID:6", "DTSTART:20111107T230000Z", "DURATION:PT1H", "END:AVAILABLE"),
    )  # fmt: skip
    assert unreachable(window, component("VAVAILABILITY", "UID:1", *OFFICE), evening) == [
        "20111107T050000Z-130000Z UNAVAILABLE",
        "20111108T000000Z-050000Z UNAVAILABLE",
    ]


def test_available_overrides() -> None:
    window = between("20111107T050000Z", "20111108T050000Z")
    moved = (
        *("BEGIN:AVAILABLE", "UID:office", "RECURRENCE-ID;TZID=US/Eastern:20111107T080000"),
        *("DTSTART;TZID=US/Eastern:20111107T100000", "DTEND;TZID=US/Eastern:20111107T110000", "END:AVAILABLE"),
    )
    assert unreachable(window, component("VAVAILABILITY", "UID:1", *OFFICE, *moved)) == [
        "20111107T050000Z-150000Z UNAVAILABLE",
        "20111107T160000Z-050000Z UNAVAILABLE",
    ]


def test_a_stored_availability_is_busy_time_of_its_calendar() -> None:
    data = calendar(US_EASTERN, component("VAVAILABILITY", "UID:1", *OFFICE))
    window = between("20111107T050000Z", "20111107T140000Z")
    assert stamps(busy(data, window)) == ["20111107T050000Z-130000Z UNAVAILABLE"]


# -- arithmetic

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda pair: (pair[0], pair[0] + pair[1])))


def covered(spans) -> set[int]:
    return {second for start, end, *_ in spans for second in range(start, end)}


@given(SPANS, SPANS)
def test_union_and_subtraction_second_by_second(one, other) -> None:
    joined, holes = union(one), union(other)
    left = subtract(joined, holes)
    assert covered(joined) == covered(one)
    assert covered(left) == covered(one) - covered(other)
    for spans in (joined, left):
        assert all(start < end for start, end in spans)
        assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))
    assert all(first[1] < second[0] for first, second in itertools.pairwise(joined))


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12), st.sampled_from(BusyType))), st.integers(0, 30),
    st.integers(31, 60),
)  # fmt: skip
def test_merge_second_by_second(raw, low: int, high: int) -> None:
    periods = [BusyPeriod(start, start + length, kind) for start, length, kind in raw]
    merged = merge(periods[::2], periods[1::2], TimeRange(low, high))
    for second in range(-5, 80):
        kinds = [kind for start, end, kind in periods if start <= second < end and low <= second < high]
        found = [kind for start, end, kind in merged if start <= second < end]
        best = max(kinds, default=FREE)
        assert found == ([] if best is FREE else [best])
    assert merged == sorted(merged)
    for one, other in itertools.pairwise(merged):
        assert one.end < other.start or (one.end == other.start and one.kind is not other.kind)


def test_clip_leaves_open_ends_open() -> None:
    assert clip([(1, 9), (5, 6), (9, 9)], TimeRange(None, 6)) == [(1, 6), (5, 6)]
    assert clip([(1, 9)], TimeRange(4, None)) == [(4, 9)]
    assert merge([BusyPeriod(1, 2), BusyPeriod(2, 3)]) == [BusyPeriod(1, 3)]


@given(st.integers(-60_000_000_000, 250_000_000_000))
def test_utc_text(seconds: int) -> None:
    assert at(utc_text(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1 << 53, "99991231T235959Z"), (253_402_300_800, "99991231T235959Z"), (-(1 << 53), "00010101T000000Z")],
)
def test_utc_text_has_four_digits_of_years(seconds: int, text: str) -> None:
    assert utc_text(seconds) == text


def test_open_free_busy_ends_at_the_last_instant_that_can_be_said() -> None:
    window = TimeRange(at("20240101T000000Z"), None)
    data = calendar(
        US_EASTERN, component("VEVENT", "UID:1", "DTSTART;TZID=US/Eastern:20240101T100000", "DURATION:P3000000D")
    )
    after = BusyPeriod(1 << 40, 1 << 41, BUSY)
    for periods in (busy(data, window), [*busy(data, window), after]):
        answer = render_freebusy(periods, window, now=0, prodid="-//x//EN").decode()
        assert [line for line in answer.split("\r\n") if line.startswith(("FREEBUSY", "DTEND"))] == [
            "DTEND:99991231T235959Z",
            "FREEBUSY:20240101T150000Z/99991231T235959Z",
        ]
    unavailable_always = [BusyPeriod(-(1 << 53), 1 << 53, UNAVAILABLE)]
    answer = render_freebusy(unavailable_always, TimeRange(None, None), now=0, prodid="-//x//EN").decode()
    assert "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:00010101T000000Z/99991231T235959Z" in answer
    assert "DTSTART:00010101T000000Z" in answer


def test_five_hundred_periods_are_quick() -> None:
    periods = [BusyPeriod(number * 5000 % 999_983, number * 5000 % 999_983 + 3600, BUSY) for number in range(500)]
    window = TimeRange(0, 2_000_000)
    best = 1.0
    for _ in range(5):
        begin = time.process_time()
        render_freebusy(merge(periods, (), window), window, now=0, prodid="-//x//EN")
        best = min(best, time.process_time() - begin)
    assert best < 0.01  # measured 0.5 ms; the line is for a machine that does other work
