"""Series split around the nights when clocks change: each occurrence comes once, even after earlier moves.

The series are made from a seed: rules with many starts a day, an override of this and following, others, EXDATEs of an
instant and of a day, an RDATE. ``DIFFERED`` are the seeds that once lost or doubled an occurrence.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from protocol.errors import Refusal
from protocol.ical.editing import change_following, remove_following
from protocol.ical.recurrence import Occurrence, occurrences
from protocol.tests.editing_cases import NOW, edit, event, override, shown
from testing.lengths import shards
from testing.values import between, document

WINDOW = between("20251001T000000Z", "20270101T000000Z")
NIGHTS = [
    (zone, datetime.fromisoformat(day))
    for zone, days in {
        "Europe/Berlin": ("2026-03-29", "2026-10-25"),
        "America/New_York": ("2026-03-08", "2026-11-01"),
        "Australia/Lord_Howe": ("2026-10-04", "2026-04-05"),
    }.items()
    for day in days
]
RULES = [
    *(f"FREQ=HOURLY;INTERVAL={number}" for number in (1, 1, 2, 3, 5)),
    *(f"FREQ=MINUTELY;INTERVAL={number}" for number in (20, 30, 45, 60, 90)),
    "FREQ=DAILY", "FREQ=DAILY;BYHOUR=1,2,3", "FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=0,30",
    "FREQ=DAILY;BYHOUR=2,3;BYMINUTE=0,30;BYSETPOS=2,3",
]  # fmt: skip
SHIFTS = [timedelta(minutes=number) for number in (0, 15, 30, 45, 60, 60, 120, -60, 1440)]
DIFFERED = (
    2,
    7,
    16,
    47,
    60,
    72,
    73,
    76,
    91,
    94,
    96,
    109,
    113,
    115,
    157,
    160,
    173,
    183,
    187,
    192,
    10_057,
    11_517,
    50_524,
)


def text(at: datetime) -> str:
    return at.strftime("%Y%m%dT%H%M%S")


def make_series(dice: random.Random) -> tuple[bytes, datetime]:
    """A series that runs through a night, and that night."""
    zone, night = dice.choice(NIGHTS)
    begin = night + timedelta(days=dice.choice([-3, -2, -1, -1, 0, 0]), minutes=15 * dice.randint(0, 20))
    ends = [f"COUNT={dice.randint(3, 120)}", f"UNTIL={text(night + timedelta(minutes=15 * dice.randint(0, 300)))}Z"]
    length = dice.choice(["DURATION:PT1H", "DURATION:PT30M", f"DTEND;TZID={zone}:{text(begin + timedelta(hours=1))}"])
    lines = [
        f"DTSTART;TZID={zone}:{text(begin)}", length, f"RRULE:{dice.choice(RULES)};{dice.choice(ends)}", "SUMMARY:a"
    ]  # fmt: skip
    starts = [item.recurrence_id for item in occurrences(document(event(*lines)), WINDOW)] or [begin]
    more = []
    for name, chance in ((";RANGE=THISANDFUTURE", 0.7), ("", 0.3)):
        if dice.random() < chance:
            at, shift = dice.choice(starts), dice.choice(SHIFTS)
            length = dice.choice(["DURATION:PT1H", "DURATION:PT2H"])
            said = f"RECURRENCE-ID{name};TZID={zone}:{text(at)}", f"DTSTART;TZID={zone}:{text(at + shift)}"
            more.append(override(*said, length, f"SUMMARY:b{name[:1]}"))
    for name, chance in (("EXDATE", 0.3), ("RDATE", 0.2)):
        if dice.random() < chance:
            shift = dice.choice(SHIFTS) if name == "RDATE" else timedelta()
            lines.append(f"{name};TZID={zone}:{text(dice.choice(starts) + shift)}")
    if dice.random() < 0.1:
        lines.append(f"EXDATE;VALUE=DATE:{dice.choice(starts):%Y%m%d}")
    return event(*lines, more=tuple(more)), night


def cuts_of(dice: random.Random, data: bytes, night: datetime) -> list[Occurrence]:
    """Some occurrences of the series, mostly those in that night."""
    found = occurrences(document(data), WINDOW)
    near = [item for item in found if timedelta() <= item.recurrence_id - night < timedelta(hours=5)]
    return [*dice.sample(found, min(2, len(found))), *dice.sample(near, min(5, len(near)))]


def test_differences_once_found() -> None:
    """RFC 5545 §3.3.5, §3.8.5.3: starts in a gap are later instants than they look, and may equal others."""
    _cut(DIFFERED)


@pytest.mark.parametrize("shard", shards(8))
def test_a_series_cut_in_a_night_when_clocks_change(shard: int) -> None:
    """RFC 5545 §3.3.5, §3.8.5.3: the same, for series that nobody chose."""
    _cut(range(10_000 + shard * 50, 10_050 + shard * 50))


def _cut(seeds: Sequence[int]) -> None:
    whole_cuts = 0
    for seed in seeds:
        dice = random.Random(seed)
        data, night = make_series(dice)
        whole = Counter(shown(data, WINDOW))
        for cut in cuts_of(dice, data, night):
            try:
                split = change_following(document(data), cut, edit(), uid="v", now=NOW)
            except Refusal:
                continue
            before, after = Counter(shown(split.before, WINDOW)), Counter(shown(split.after, WINDOW))
            assert before + after == whole, (seed, cut.recurrence_id)
            assert Counter(shown(remove_following(document(data), cut, now=NOW), WINDOW)) == before, seed
            whole_cuts += 1
    assert whole_cuts > 3 * len(seeds)
