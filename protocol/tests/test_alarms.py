"""Alarms that a person should notice: RFC 5545 §3.6.6 and §3.8.6, RFC 9074 §6 and §7 (filters: ``test_filters``)."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest

from protocol.errors import Condition, Refusal
from protocol.ical import alarms
from protocol.ical.alarms import due, overlaps
from protocol.ical.document import Document
from protocol.ical.periods import utc_text
from protocol.ical.recurrence import Budget
from protocol.ical.time_range import RangeMatch, candidate_matches
from protocol.model import TimeRange
from testing.appendix_b import US_EASTERN
from testing.builders import calendar, component
from testing.values import at, between, document

EASTERN = ZoneInfo("America/New_York")


def alarm(*lines: str) -> tuple[str, ...]:
    return ("BEGIN:VALARM", *(lines if any("ACTION" in line for line in lines) else (*lines, "ACTION:DISPLAY")),
            "END:VALARM")  # fmt: skip


def event(*lines: str, name: str = "VEVENT") -> bytes:
    return calendar(US_EASTERN, component(name, "UID:1", *lines))


def heard(data: bytes, start: str = "20260101T000000Z", end: str = "20260201T000000Z", zone=None) -> list[str]:
    return [utc_text(item.at) for item in due(document(data), between(start, end), zone, Budget())]


def test_every_occurrence_has_its_alarm() -> None:
    data = event("DTSTART;TZID=US/Eastern:20260105T100000", "RRULE:FREQ=WEEKLY", *alarm("TRIGGER:-PT15M"))
    assert heard(data) == ["20260105T144500Z", "20260112T144500Z", "20260119T144500Z", "20260126T144500Z"]
    (first, *_) = due(document(data), between("20260101T000000Z", "20260201T000000Z"), None, Budget())
    assert first.start == at("20260105T150000Z")
    assert first.alarm.value("ACTION") == "DISPLAY"


def test_alarms_before_the_window_s_occurrences_and_after_them() -> None:
    data = event("DTSTART:20260210T100000Z", "DTEND:20260210T110000Z", *alarm("TRIGGER:-P2W"))
    assert heard(data) == ["20260127T100000Z"]
    data = event("DTSTART:20251225T100000Z", "DTEND:20251225T110000Z", *alarm("TRIGGER;RELATED=END:P2W"))
    assert heard(data) == ["20260108T110000Z"]


def test_repeats() -> None:
    data = event("DTSTART:20260101T000500Z", *alarm("TRIGGER:-PT10M", "REPEAT:3", "DURATION:PT4M"))
    assert heard(data) == ["20260101T000300Z", "20260101T000700Z"]
    half = event("DTSTART:20260101T001500Z", *alarm("TRIGGER:-PT10M", "REPEAT:3"))
    assert heard(half) == ["20260101T000500Z"]
    odd = event("DTSTART:20260101T001500Z", *alarm("TRIGGER:-PT10M", "REPEAT:3", "DURATION:soon"))
    assert heard(odd) == ["20260101T000500Z"]


@pytest.mark.parametrize(
    "lines",
    [
        alarm("TRIGGER:-PT15M", "ACTION:NONE"),
        alarm("TRIGGER;VALUE=DATE-TIME:19760401T005545Z", "ACTION:NONE"),
        alarm("X-NO-TRIGGER:1"),
        alarm("TRIGGER:whenever"),
        ("STATUS:CANCELLED", *alarm("TRIGGER:-PT15M")),
        ("X-MOZ-LASTACK:20260105T144500Z", *alarm("TRIGGER:-PT15M")),
        alarm("TRIGGER:-PT15M", "ACKNOWLEDGED:20260105T144500Z"),
    ],
)
def test_silent(lines: tuple[str, ...]) -> None:
    assert heard(event("DTSTART;TZID=US/Eastern:20260105T100000", *lines)) == []


def test_acknowledging_one_occurrence_leaves_the_next() -> None:
    data = event(
        "DTSTART;TZID=US/Eastern:20260119T100000", "RRULE:FREQ=WEEKLY",
        *alarm("TRIGGER:-PT15M", "ACKNOWLEDGED:20260119T144600Z"),
    )  # fmt: skip
    assert heard(data) == ["20260126T144500Z"]


def test_a_snooze_is_heard_when_the_alarm_it_is_of_is_silent() -> None:
    data = event(
        "DTSTART;TZID=US/Eastern:20260119T100000",
        *alarm("UID:a", "TRIGGER:-PT15M", "ACKNOWLEDGED:20260119T144600Z"),
        *alarm("UID:b", "TRIGGER;VALUE=DATE-TIME:20260119T145600Z", "RELATED-TO;RELTYPE=SNOOZE:a"),
    )
    assert heard(data) == ["20260119T145600Z"]


def test_a_nominal_day_may_have_25_hours() -> None:
    # The clocks of New York go back on 1 November 2026 at 02:00.
    data = event("DTSTART;TZID=US/Eastern:20261101T100000", "RRULE:FREQ=YEARLY", *alarm("TRIGGER:-P1D"))
    assert heard(data, "20261031T140000Z", "20261031T140001Z") == ["20261031T140000Z"]
    after = event(
        "DTSTART;TZID=US/Eastern:20261031T100000", "DURATION:PT0S", "RRULE:FREQ=YEARLY", *alarm("TRIGGER:P1D")
    )
    assert heard(after, "20261101T150000Z", "20261101T150001Z") == ["20261101T150000Z"]


def test_todos() -> None:
    due_only = event("DUE;TZID=US/Eastern:20260106T120000", *alarm("TRIGGER;RELATED=END:-PT10M"), name="VTODO")
    assert heard(due_only) == ["20260106T165000Z"]
    both = event(
        "DTSTART:20260106T100000Z", "DUE:20260107T100000Z",
        *alarm("TRIGGER;RELATED=END:-PT10M"), *alarm("TRIGGER:-PT10M"), name="VTODO",
    )  # fmt: skip
    assert heard(both) == ["20260106T095000Z", "20260107T095000Z"]
    done = event("DUE:20260106T100000Z", "COMPLETED:20260105T000000Z", *alarm("TRIGGER:-PT10M"), name="VTODO")
    assert heard(done) == []
    bare = event("SUMMARY:some day", *alarm("TRIGGER:-PT10M"), name="VTODO")
    assert heard(bare) == []


def test_an_absolute_trigger_of_what_has_no_time() -> None:
    data = event("SUMMARY:some day", *alarm("TRIGGER;VALUE=DATE-TIME:20260105T100000Z"), name="VTODO")
    assert heard(data) == ["20260105T100000Z"]
    broken = document(event("DUE:20260105T100000Z", *alarm("TRIGGER:-P1D"), name="VTODO"))
    broken.master.properties = [line for line in broken.master.properties if line.name != "DUE"]
    assert due(broken, between("20260101T000000Z", "20260201T000000Z"), None, Budget()) == []


def test_all_day_alarms_are_relative_to_midnight_of_the_zone() -> None:
    data = event("DTSTART;VALUE=DATE:20260106", *alarm("TRIGGER:-PT12H"))
    assert heard(data, zone=EASTERN) == ["20260105T170000Z"]
    assert heard(data) == ["20260105T120000Z"]


def test_override_alarms_replace_those_of_the_series() -> None:
    data = calendar(
        component("VEVENT", "UID:1", "DTSTART:20260105T100000Z", "RRULE:FREQ=DAILY;COUNT=3", *alarm("TRIGGER:-PT5M")),
        component("VEVENT", "UID:1", "RECURRENCE-ID:20260106T100000Z", "DTSTART:20260106T120000Z"),
    )
    assert heard(data) == ["20260105T095500Z", "20260107T095500Z"]


def test_work_is_bounded() -> None:
    data = event(
        "DTSTART:20260101T100000Z", "RRULE:FREQ=SECONDLY",
        *alarm("TRIGGER:-PT5M", "REPEAT:999999", "DURATION:PT1S"),
    )  # fmt: skip
    with pytest.raises(Refusal) as refused:
        heard(data)
    assert refused.value.condition is Condition.MAX_INSTANCES


def test_the_alarms_of_an_object_share_one_expansion(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 5545 §3.6.6: a component may have any number of them, and so may every override."""
    lines = [line for minute in range(300) for line in alarm(f"TRIGGER:-PT{minute + 5}M")]
    dates = ",".join(f"2026{month:02}{day:02}T{hour:02}0000Z" for month in range(1, 12) for day in range(1, 29)
                     for hour in range(24))  # fmt: skip
    held = document(event("DTSTART:20260101T100000Z", f"RDATE:{dates}", *lines))
    (component,) = held.members
    window = between("20270201T000000Z", "20270202T000000Z")
    budget = Budget()
    expanded: list[TimeRange] = []

    def noted(of: Document, wider: TimeRange, *more: object) -> Iterator[RangeMatch]:
        expanded.append(wider)
        return candidate_matches(of, wider, *more)

    monkeypatch.setattr(alarms, "candidate_matches", noted)
    valarms = [item for item in component.components if item.name == "VALARM"]
    assert len(valarms) == 300
    assert not any(overlaps(held, component, item, window, None, budget) for item in valarms)
    assert len(expanded) == 2  # the alarms of the last six hours, and those before
    busy = between("20260201T000000Z", "20260201T000100Z")
    assert [overlaps(held, component, item, busy, None, budget) for item in valarms].count(True) == 5


def test_alarms_near_and_far_are_found_together() -> None:
    triggers = ("-PT15M", "-P1D", "-P3DT1H", "-P9W", "P40D", "-P3000000D", "P3000000D")
    lines = [line for trigger in triggers for line in alarm(f"TRIGGER:{trigger}")]
    data = event("DTSTART;TZID=US/Eastern:20260310T100000", "DURATION:PT1H", "RRULE:FREQ=YEARLY;COUNT=3", *lines,
                 *alarm("TRIGGER;RELATED=END:-P1D", "REPEAT:2", "DURATION:PT30M"))  # fmt: skip
    assert heard(data, "20260101T000000Z", "20261231T000000Z") == [
        "20260106T150000Z",
        "20260307T140000Z",
        "20260309T140000Z",
        "20260309T150000Z",
        "20260309T153000Z",
        "20260309T160000Z",
        "20260310T134500Z",
        "20260419T140000Z",
    ]


def test_days_beyond_the_calendar() -> None:
    """RFC 4791 §9.9: a trigger beyond every date goes off in no range, and does not break other queries."""
    for trigger in ("-P3000000D", "P3000000D", "P99999999999999D"):
        data = event("DTSTART;TZID=US/Eastern:20260105T100000", "DURATION:P3000000D", *alarm(f"TRIGGER:{trigger}"),
                     *alarm("TRIGGER;RELATED=END:P1D"), *alarm("TRIGGER:-PT15M"))  # fmt: skip
        assert heard(data) == ["20260105T144500Z"]
