"""The generator's own expansion agrees with an independent library, and its objects are what they claim to be."""

from __future__ import annotations

import datetime as dt

import icalendar
import recurring_ical_events

from conformance_tests.bench.data import Samples, Window, merge, months, weeks

SAMPLES = Samples(250, "check")


def expanded(text: bytes, window: Window) -> set[str]:
    query = recurring_ical_events.of(icalendar.Calendar.from_ical(text))
    found = set()
    for event in query.between(*(dt.datetime.fromtimestamp(each, dt.UTC) for each in window)):
        start = event.start
        if isinstance(start, dt.datetime):
            found.add(f"{start.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}")
        else:
            found.add(f"{start:%Y%m%d}")
    return found


def test_occurrences_agree_with_a_library() -> None:
    for sample in SAMPLES.all:
        for low, high in [*months()[:3], *weeks()[:3]]:
            own = {each.written for each in sample.occurrences if each.start < high and each.end > low}
            assert expanded(sample.text(), (low, high)) == own, (sample.uid, sample.rule)


def test_the_data_is_varied_and_the_same_every_time() -> None:
    rules = [sample.rule for sample in SAMPLES.all if sample.rule]
    assert {"COUNT", "UNTIL"} <= {part.partition("=")[0] for rule in rules for part in rule.split(";")}
    assert {rule.partition(";")[0] for rule in rules} == {f"FREQ={each}LY" for each in ("DAI", "WEEK", "MONTH", "YEAR")}
    assert any(sample.excluded for sample in SAMPLES.all)
    assert any(change.cancelled for sample in SAMPLES.all for change in sample.changed.values())
    size = sum(len(sample.text()) for sample in SAMPLES.all) / len(SAMPLES.all)
    assert 1400 < size < 2000
    assert [each.text() for each in Samples(20, "check").all] == [each.text() for each in SAMPLES.all[:20]]


def test_lines_are_folded_at_75_octets() -> None:
    assert all(len(line) <= 75 for sample in SAMPLES.all for line in sample.text().split(b"\r\n"))


def test_stretches_that_touch_are_one() -> None:
    assert merge([(5, 6), (1, 3), (3, 4), (2, 3)]) == [(1, 4), (5, 6)]
