"""Every row of the tables of RFC 4791 §9.9, decided twice: by the row as the RFC writes it, and by the interval."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocol.ical.components import Component, property_map
from protocol.ical.overlap import intervals_of
from protocol.ical.scanner import scan
from protocol.ical.timing import Zones
from protocol.model import FOREVER, BusyType, IndexEntry

NOON = 1_704_110_400
"""2024-01-01T12:00:00Z"""
HOUR = 3600
DAY = 86400
MIDNIGHT = NOON - 12 * HOUR

S, LATER = NOON, NOON + HOUR


def component_of(name: str, *lines: str) -> Component:
    return scan("\r\n".join([f"BEGIN:{name}", *lines, f"END:{name}", ""]).encode()).roots[0]


def entries(name: str, *lines: str) -> list[IndexEntry]:
    component = component_of(name, *lines)
    return intervals_of(component, property_map(component), Zones({}))


START = "DTSTART:20240101T120000Z"
Row = Callable[[int, int], bool]
ROWS: list[tuple[str, list[str], Row]] = [
    # VEVENT
    ("VEVENT", [START, "DTEND:20240101T130000Z"], lambda a, b: a < LATER and b > S),
    ("VEVENT", [START, "DURATION:PT1H"], lambda a, b: a < LATER and b > S),
    ("VEVENT", [START, "DURATION:PT0S"], lambda a, b: a <= S and b > S),
    ("VEVENT", [START], lambda a, b: a <= S and b > S),
    ("VEVENT", ["DTSTART;VALUE=DATE:20240101"], lambda a, b: a < MIDNIGHT + DAY and b > MIDNIGHT),
    # VTODO
    ("VEVENT", ["SUMMARY:x"], lambda a, b: False),
    ("VTODO", [START, "DURATION:PT1H"], lambda a, b: a <= LATER and (b > S or b >= LATER)),
    ("VTODO", [START, "DURATION:PT0S"], lambda a, b: a <= S and (b > S or b >= S)),
    ("VTODO", [START, "DUE:20240101T130000Z"], lambda a, b: (a < LATER or a <= S) and (b > S or b >= LATER)),
    ("VTODO", [START, "DUE:20240101T120000Z"], lambda a, b: (a < S or a <= S) and (b > S or b >= S)),
    ("VTODO", [START], lambda a, b: a <= S and b > S),
    ("VTODO", ["DUE:20240101T120000Z"], lambda a, b: a < S and b >= S),
    (
        "VTODO",
        ["COMPLETED:20240101T120000Z", "CREATED:20240101T130000Z"],
        lambda a, b: (a <= LATER or a <= S) and (b >= LATER or b >= S),
    ),
    (
        "VTODO",
        ["COMPLETED:20240101T130000Z", "CREATED:20240101T120000Z"],
        lambda a, b: (a <= LATER or a <= S) and (b >= LATER or b >= S),
    ),
    ("VTODO", ["COMPLETED:20240101T120000Z"], lambda a, b: a <= S and b >= S),
    ("VTODO", ["CREATED:20240101T120000Z"], lambda a, b: b > S),
    ("VTODO", ["SUMMARY:x"], lambda a, b: True),
    # VJOURNAL
    ("VJOURNAL", [START], lambda a, b: a <= S and b > S),
    ("VJOURNAL", ["DTSTART;VALUE=DATE:20240101"], lambda a, b: a < MIDNIGHT + DAY and b > MIDNIGHT),
    ("VJOURNAL", ["SUMMARY:x"], lambda a, b: False),
    # VFREEBUSY
    ("VFREEBUSY", [START, "DTEND:20240101T130000Z", "DURATION:PT9H"], lambda a, b: a <= LATER and b > S),
    (
        "VFREEBUSY",
        [START, "DTEND:20240101T130000Z", "FREEBUSY:20240101T080000Z/PT9H"],
        lambda a, b: a <= LATER and b > S,
    ),
    (
        "VFREEBUSY",
        ["FREEBUSY:20240101T120000Z/PT1H", "FREEBUSY;FBTYPE=FREE:20240101T120000Z/20240101T130000Z"],
        lambda a, b: a < LATER and b > S,
    ),
    ("VFREEBUSY", ["SUMMARY:x"], lambda a, b: False),
    # VAVAILABILITY (RFC 7953 §4: it intersects the range)
    ("VAVAILABILITY", [START, "DTEND:20240101T130000Z"], lambda a, b: a < LATER and b > S),
    ("VAVAILABILITY", [START, "DURATION:PT1H"], lambda a, b: a < LATER and b > S),
    ("VAVAILABILITY", [START], lambda a, b: b > S),
    ("VAVAILABILITY", ["DTEND:20240101T130000Z"], lambda a, b: a < LATER),
    ("VAVAILABILITY", ["SUMMARY:x"], lambda a, b: True),
]


@pytest.mark.parametrize(("name", "lines", "row"), ROWS)
def test_rows(name: str, lines: list[str], row: Row) -> None:
    found = entries(name, *lines)
    points = {point + step for point in (S, LATER, MIDNIGHT, MIDNIGHT + DAY) for step in (-2, -1, 0, 1, 2)}
    points |= {-FOREVER, FOREVER}
    for a in points:
        for b in points:
            if a < b:
                matched = any(entry.start < b and entry.end > a for entry in found)
                assert matched == row(a, b), (a - S, b - S)


@pytest.mark.parametrize(
    ("lines", "busy"),
    [
        (["DTEND:20240101T130000Z"], BusyType.BUSY),
        (["DTEND:20240101T130000Z", "STATUS:CONFIRMED"], BusyType.BUSY),
        (["DTEND:20240101T130000Z", "STATUS:X-OTHER"], BusyType.BUSY),
        (["DTEND:20240101T130000Z", "STATUS:tentative"], BusyType.TENTATIVE),
        (["DTEND:20240101T130000Z", "STATUS:CANCELLED"], BusyType.FREE),
        (["DTEND:20240101T130000Z", "STATUS:TENTATIVE", "TRANSP:TRANSPARENT"], BusyType.FREE),
        (["DTEND:20240101T130000Z", "TRANSP:OPAQUE"], BusyType.BUSY),
        ([], BusyType.FREE),
    ],
)
def test_busy_type_of_events(lines: list[str], busy: BusyType) -> None:
    assert [entry.busy for entry in entries("VEVENT", START, *lines)] == [busy]


def test_only_events_and_free_busy_objects_are_busy() -> None:
    for name in ("VTODO", "VJOURNAL", "VAVAILABILITY"):
        assert {entry.busy for entry in entries(name, START)} == {BusyType.FREE}


def test_free_busy_objects() -> None:
    periods = "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20240101T110000Z/PT90M,bad,20240101T123000Z/20240101T140000Z"
    found = entries("VFREEBUSY", START, "DTEND:20240101T130000Z", periods, "FREEBUSY;FBTYPE=FREE:20240101T120000Z/PT1H")
    assert found == [
        IndexEntry(S, LATER + 1, False, BusyType.FREE),
        IndexEntry(S, S + HOUR // 2, False, BusyType.TENTATIVE),
        IndexEntry(S + HOUR // 2, LATER, False, BusyType.TENTATIVE),
    ]
    kinds = [entries("VFREEBUSY", f"FREEBUSY{param}:20240101T120000Z/PT1H")[0].busy for param in
             ("", ";FBTYPE=BUSY", ";FBTYPE=X-Y", ";FBTYPE=BUSY-UNAVAILABLE", ";FBTYPE=FREE")]  # fmt: skip
    assert kinds == [BusyType.BUSY] * 3 + [BusyType.UNAVAILABLE, BusyType.FREE]


def test_zones_and_floating_time() -> None:
    berlin = entries("VEVENT", "DTSTART;TZID=Europe/Berlin:20240101T130000", "DTEND;TZID=Europe/Berlin:20240101T140000")
    assert berlin == [IndexEntry(S, LATER, False, BusyType.BUSY)]
    assert entries("VEVENT", "DTSTART:20240101T120000", "DTEND:20240101T130000") == [
        IndexEntry(S, LATER, True, BusyType.BUSY)
    ]
    mixed = entries("VEVENT", "DTSTART;TZID=Europe/Berlin:20240101T130000", "DTEND;TZID=Asia/Tokyo:20240101T220000")
    assert mixed == berlin
    # An unknown TZID: floating, in the calendar's zone.
    assert entries("VEVENT", "DTSTART;TZID=Nowhere/Land:20240101T120000")[0].floating
    # An end with an unknown zone is read like the start.
    assert entries("VEVENT", START, "DTEND;TZID=Nowhere/Land:20240101T130000")[0].end == LATER


def test_days_of_a_duration_follow_the_calendar() -> None:
    night = "DTSTART;TZID=Europe/Berlin:20240330T120000"
    exact = entries("VEVENT", night, "DURATION:PT24H")[0]
    nominal = entries("VEVENT", night, "DURATION:P1D")[0]
    assert exact.end - exact.start == DAY
    assert nominal.end - nominal.start == DAY - HOUR


def test_unreadable_bookkeeping_is_no_time() -> None:
    assert entries("VTODO", "COMPLETED:yes", "CREATED:0") == [IndexEntry(-FOREVER, FOREVER)]
    assert entries("VTODO", "COMPLETED;VALUE=DATE:20240101") == [IndexEntry(MIDNIGHT - 1, MIDNIGHT + 1)]


def test_inverted_ends_take_no_time() -> None:
    found = entries("VEVENT", START, "DTEND;TZID=Europe/Berlin:20240101T120000")
    assert found == [IndexEntry(S, S + 1, False, BusyType.FREE)]
    assert entries("VEVENT", START, "DURATION:-PT1H") == found


def test_a_date_lasts_whole_days() -> None:
    for duration, days in (("P2D", 2), ("PT1H", 1), ("PT25H", 2), ("P0D", 1), ("-P1D", 1)):
        assert entries("VEVENT", "DTSTART;VALUE=DATE:20240101", f"DURATION:{duration}") == [
            IndexEntry(MIDNIGHT, MIDNIGHT + days * DAY, True, BusyType.BUSY)
        ]
