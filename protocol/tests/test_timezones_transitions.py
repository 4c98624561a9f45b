"""Every transition of every zone: our clocks against the TZif data itself and against ``zoneinfo``."""

from __future__ import annotations

import random
import struct
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

import pytest

from protocol.ical.timezones import clock_of, to_epoch
from protocol.ical.values import wall_of, wall_seconds
from testing.lengths import shards

ZONES = files("tzdata").joinpath("zones").read_text("ascii").split()
LOW = int(datetime(1900, 1, 1, tzinfo=UTC).timestamp())
HIGH = int(datetime(2037, 1, 1, tzinfo=UTC).timestamp())


def _transitions_of_file(key: str) -> list[tuple[int, int, int]]:
    """The transitions of a TZif file's 64-bit block (RFC 8536 §3), those without a change of offset left out."""
    # zoneinfo reads the system's data where there is some, the tzdata package otherwise.
    system = [path for path in (Path(folder, key) for folder in TZPATH) if path.is_file()]
    data = (system[0] if system else files("tzdata").joinpath("zoneinfo").joinpath(*key.split("/"))).read_bytes()

    def header(at: int) -> tuple[int, ...]:
        return struct.unpack(">6L", data[at + 20 : at + 44])

    isut, isstd, leap, times, types, chars = header(0)
    at = 44 + times * 5 + types * 6 + chars + leap * 8 + isstd + isut
    _, _, _, times, types, _ = header(at)
    at += 44
    instants = struct.unpack(f">{times}q", data[at : at + 8 * times])
    indexes = data[at + 8 * times : at + 9 * times]
    at += 9 * times
    offsets = [struct.unpack(">l", data[at + 6 * n : at + 6 * n + 4])[0] for n in range(types)]
    before = offsets[0]
    found = []
    for instant, index in zip(instants, indexes, strict=True):
        if offsets[index] != before:
            found.append((instant, before, offsets[index]))
        before = offsets[index]
    return found


@pytest.mark.parametrize("part", shards(8))
def test_the_transitions_of_every_zone_are_found(part: int) -> None:
    for key in ZONES[part::8]:
        expected = [each for each in _transitions_of_file(key) if LOW <= each[0] < HIGH]
        last = expected[-1][0] if expected else LOW
        found = [each for each in clock_of(ZoneInfo(key)).transitions(LOW, HIGH) if each[0] <= last]
        assert found == expected, key


@pytest.mark.parametrize("key", [*random.Random(5545).sample(ZONES, 40), "Europe/Berlin", "Pacific/Apia"])
def test_wall_time_around_every_transition(key: str) -> None:
    zone = ZoneInfo(key)
    clock = clock_of(zone)
    for instant, before, after in clock.transitions(LOW, HIGH):
        for wall in (instant + min(before, after), instant + max(before, after)):
            for delta in (-3601, -1, 0, 1, 1800, 3601):
                naive = wall_of(wall + delta)
                # fold=0 is the first of two, and in a gap the offset before it: RFC 5545 §3.3.5 word for word.
                expected = naive.replace(tzinfo=zone, fold=0).timestamp()
                assert clock.to_epoch(wall + delta) == expected, (key, naive)
        for delta in (-1, 0, 1):
            local = datetime.fromtimestamp(instant + delta, zone).replace(tzinfo=None)
            assert wall_of(clock.to_wall(instant + delta)) == local


@pytest.mark.parametrize("year", [1, 1750, 1899, 2038, 2099, 2100, 2101, 2400, 2500, 2501, 3000, 9998])
@pytest.mark.parametrize("key", ["Europe/Berlin", "America/New_York", "Africa/Casablanca", "Australia/Lord_Howe"])
def test_distant_years_follow_the_zone(key: str, year: int) -> None:
    zone = ZoneInfo(key)
    for day in range(0, 365, 13):
        naive = datetime.fromisoformat(f"{year:04}0101") + timedelta(days=day, hours=9)
        offset = naive.replace(tzinfo=zone).utcoffset()
        assert offset is not None
        expected = wall_seconds(naive) - offset // timedelta(seconds=1)
        assert to_epoch(naive, zone) == expected
        assert wall_of(clock_of(zone).to_wall(expected)) == naive


def test_the_examples_of_rfc_5545_for_gap_and_overlap() -> None:
    zone = ZoneInfo("America/New_York")
    overlap = to_epoch(datetime.fromisoformat("20071104T013000"), zone)
    gap = to_epoch(datetime.fromisoformat("20070311T023000"), zone)
    assert datetime.fromtimestamp(overlap, UTC).isoformat() == "2007-11-04T05:30:00+00:00"
    assert datetime.fromtimestamp(gap, UTC).isoformat() == "2007-03-11T07:30:00+00:00"
