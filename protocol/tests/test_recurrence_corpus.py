"""Every corpus file with occurrences, against recurring-ical-events; without the corpus nothing is compared.

``DIFFERENT`` names the files whose answer differs on purpose. Its length is part of the test: a file that agrees again
must be removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import icalendar
import pytest
import recurring_ical_events

from protocol.errors import Refusal
from protocol.ical.document import Document, parse_calendar, parse_document
from protocol.ical.recurrence import count_until, occurrences, span
from protocol.ical.split import Splitter
from protocol.model import TimeRange
from protocol.tests import corpus
from protocol.tests.oracles.events_oracle import instant_of
from testing.lengths import shards

UNTIL_BEFORE = "UNTIL before DTSTART: the series is its DTSTART (RFC 5545 §3.8.5.3, DTSTART is the first instance)"
NAMED_ZONE = "a zone name that the oracle does not know; here it is resolved by name"
ORPHAN = "an override that the rule or an EXDATE no longer has: the user's edit is shown"
INVERTED = "an end before the start: no duration, instead of start and end exchanged"
COERCED = "a value of another type than DTSTART's: it is read in DTSTART's type"
COUNTED = "DTSTART counts as the first of COUNT although the rule does not yield it"
ONE_SIDED = "a zone on DTEND alone"

RIE = "python-recurring-ical-events/recurring_ical_events__test__calendars__"

DIFFERENT = {
    "Radicale/radicale__tests__static__event_full_day_rrule_until_before_dtstart.ics": UNTIL_BEFORE,
    "Radicale/radicale__tests__static__event_issue1847_1.ics": ONE_SIDED,
    "Radicale/radicale__tests__static__event_mixed_recurrence_id_dt_type.ics": COERCED,
    "calcard/resources__ical__012.ics": NAMED_ZONE,
    "calcard/resources__ical__017.ics": INVERTED,
    "calcard/resources__ical__041.ics": "a TZID with a space before it finds its VTIMEZONE",
    "calcard/resources__ical__104.ics": NAMED_ZONE,
    "calcard/resources__ical__105.ics": NAMED_ZONE,
    "calcard/resources__ical__106.ics": NAMED_ZONE,
    "calcard/resources__ical__162.ics": COERCED,
    "calcard/resources__ical__181.ics": COUNTED,
    "calcard/resources__ical__197.ics": ORPHAN,
    "calcard/resources__ical__224.ics": UNTIL_BEFORE,
    "ical4j/src__test__resources__samples__valid__blalor.ics": ORPHAN,
    "ical4j/src__test__resources__samples__valid__lotr.ics": UNTIL_BEFORE,
    "icalendar/src__icalendar__tests__calendars__issue_526_calendar_with_different_events.ics": NAMED_ZONE,
    "icalendar/src__icalendar__tests__calendars__issue_526_calendar_with_events.ics": NAMED_ZONE,
    f"{RIE}issue_132_swapped_start_and_end.ics": INVERTED,
    f"{RIE}issue_253_additional_recurrence_id.ics": ORPHAN,
    f"{RIE}issue_75_range_parameter.ics": ("UNTIL as a DATE on a timed series is the end of that day"),
    "vobject/tests__VObject__RecurrenceIterator__UntilRespectsTimezoneTest.ics": (
        "UNTIL in local time is in DTSTART's zone, as the file's own name says"
    ),
}

_FILE_ZONE = re.compile(rb"X-WR-TIMEZONE[^\r\n]*\r?\n")


SHARDS = 10


def _documents(shard: int) -> Iterator[tuple[str, bytes, Document]]:
    for name, data in corpus.files(shard, SHARDS):
        try:
            parse_calendar(data)
            pieces = list(Splitter(data))
        except Refusal:
            continue
        for _, piece in pieces:
            try:
                yield name, piece, parse_document(piece).document
            except Refusal:
                continue


def _window(document: Document) -> tuple[datetime, datetime] | None:
    """Two years from the first start."""
    text = document.members[0].value("DTSTART") or ""
    if not text[:4].isdigit() or not 1900 < int(text[:4]) < 2900:
        return None
    low = datetime(int(text[:4]), 1, 1, tzinfo=UTC)
    return low, low.replace(year=low.year + 2)


def _expected(piece: bytes, low: datetime, high: datetime) -> set[tuple[int, int]] | None:
    # X-WR-TIMEZONE is not a standard and is ignored here; the oracle would move floating time by it.
    try:
        calendar = icalendar.Calendar.from_ical(_FILE_ZONE.sub(b"", piece))
        query = recurring_ical_events.of(calendar, components=["VEVENT", "VTODO"])
        day = timedelta(days=2)
        found = {(instant_of(each.start), instant_of(each.end)) for each in query.between(low - day, high + day)}
    except Exception:
        return None  # the oracle does not read this file
    first, last = int(low.timestamp()), int(high.timestamp())
    return {(start, end) for start, end in found if first <= start < last}


def _agree(piece: bytes, found: set[tuple[int, int]], expected: set[tuple[int, int]]) -> bool:
    if found == expected:
        return True
    # A DATE with a TZID (not allowed): the oracle moves the day to the zone, here it is the day.
    dated = re.search(rb"DTSTART[^:\r\n]*:\d{8}\s", piece) is not None
    return dated and {start for start, _ in found} == {(start + 43_200) // 86_400 * 86_400 for start, _ in expected}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:.*is a globally unique TZID")  # from the oracle, about zones that both guess
@pytest.mark.parametrize("shard", shards(SHARDS))
def test_every_corpus_object_agrees_or_is_named(shard: int) -> None:
    different: set[str] = set()
    compared = 0
    for name, piece, document in _documents(shard):
        window = _window(document)
        expected = None if window is None or b"BEGIN:V" not in piece else _expected(piece, *window)
        if window is None or expected is None:
            continue
        first, last = (int(each.timestamp()) for each in window)
        try:
            items = occurrences(document, TimeRange(first, last))
        except Refusal:
            continue
        compared += 1
        found = {(item.start, item.end) for item in items if item.start >= first}
        if document.component.name in ("VEVENT", "VTODO") and not _agree(piece, found, expected):
            different.add(name)
    assert different == {name for name, _ in corpus.files(shard, SHARDS) if name in DIFFERENT}
    assert compared or not list(corpus.files(shard, SHARDS))


def test_every_named_difference_is_a_file_of_the_corpus() -> None:
    names = {name for name, _ in corpus.files()}
    assert not names or set(DIFFERENT) <= names


@pytest.mark.slow
@pytest.mark.parametrize("shard", shards(SHARDS))
def test_no_corpus_object_is_a_surprise(shard: int) -> None:
    for name, _, document in _documents(shard):
        for window in (TimeRange(0, 1 << 31), TimeRange(1_700_000_000, 1_710_000_000), TimeRange(None, None)):
            try:
                found = occurrences(document, window, limit=1500)
                first, last = span(document)
                count_until(document)
            except Refusal:
                continue
            assert all(first <= each.start <= each.end <= last for each in found), name
