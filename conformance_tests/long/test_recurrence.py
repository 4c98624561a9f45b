"""A million windows of random rules against the oracles (``make conformance``); the short form is in ``make test``.

``RECURRENCE_SEED`` makes other rules; a difference prints its case, which then becomes a row of ``FOUND`` in
``protocol/tests/test_recurrence_oracles.py``.
"""

from __future__ import annotations

import os
import random
import sys
from datetime import timedelta

import pytest

from protocol.ical.document import parse_document
from protocol.ical.recurrence import occurrences
from protocol.model import TimeRange
from protocol.tests.oracles import dateutil_oracle, definition_oracle, events_oracle
from protocol.tests.oracles.rules import Case, random_case, random_window
from protocol.tests.test_recurrence_oracles import in_window, series_of

SEED = os.environ.get("RECURRENCE_SEED", "1")
SHARDS = 50
RULES = 100_000
WINDOWS = 10


def _report(what: str, shard: int, done: int) -> None:
    print(
        f"{what}: {shard + 1} of {SHARDS} done, {done:,} windows without a difference", file=sys.__stderr__, flush=True
    )


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_million_windows_agree_with_dateutil(shard: int) -> None:
    compared = 0
    rng = random.Random(f"long {SEED} {shard}")
    while compared < RULES // SHARDS * WINDOWS:
        case = random_case(rng)
        if not dateutil_oracle.applies(case):
            continue
        try:
            expected = dateutil_oracle.starts(case)
        except ValueError:
            continue  # dateutil refuses what it knows will never match
        if len(expected) < int(case.part("COUNT") or 0):
            continue  # the rule may never reach its COUNT, which only the budget can say
        series = series_of(case)
        for _ in range(WINDOWS):
            low, high = random_window(rng, case)
            assert in_window(series, low, high) == [each for each in expected if low <= each < high], (case, low, high)
        compared += WINDOWS
    _report("python-dateutil", shard, compared)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_windows_agree_with_the_definition(shard: int) -> None:
    rng = random.Random(f"definition {SEED} {shard}")
    for _ in range(400):
        case = random_case(rng)
        case = Case(tuple(part for part in case.parts if part[0] != "COUNT"), case.start, case.horizon)
        series = series_of(case)
        low, high = random_window(rng, case)
        short = case.freq in ("HOURLY", "MINUTELY", "SECONDLY")
        high = min(high, low + (timedelta(minutes=20) if short else timedelta(days=400)))
        assert in_window(series, low, high) == definition_oracle.starts(case, low, high), (case, low, high)
    _report("RFC 5545 word for word", shard, 400)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_objects_agree_with_recurring_ical_events(shard: int) -> None:
    rng = random.Random(f"events {SEED} {shard}")
    for _ in range(1_000):
        made = events_oracle.random_object(rng)
        found = occurrences(parse_document(made.text.encode()).document, TimeRange(made.low, made.high))
        assert {(each.start, each.end) for each in found} == events_oracle.occurrences(made), made
    _report("recurring-ical-events", shard, 1_000)
