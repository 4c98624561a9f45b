"""Busy periods as data: union, precedence, clipping (RFC 5545 §3.2.9, RFC 4791 §7.10, RFC 7953 §4).

Rules of this module: numbers only, and the UTC stamps of answers. Every time is epoch seconds, every period half-open;
returned lists are sorted, disjoint and have no empty periods.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from protocol.model import DAY, MINUTE, BusyType, TimeRange

Span = tuple[int, int]
FIRST_INSTANT = -62_135_596_800
LAST_INSTANT = 253_402_300_799
"""The first and last second that a DATE-TIME in UTC can express, of the years 1 and 9999 (RFC 5545 §3.3.4)."""


class BusyPeriod(NamedTuple):
    """A period and the free-busy time it makes; a tuple, because there are many."""

    start: int
    end: int
    kind: BusyType = BusyType.BUSY


def union(spans: Iterable[Span]) -> list[Span]:
    """Spans with overlapping and touching ones joined."""
    joined: list[Span] = []
    last_start = last_end = None
    for start, end in sorted(spans):
        if end <= start:
            continue
        if last_end is None or start > last_end:
            if last_start is not None and last_end is not None:
                joined.append((last_start, last_end))
            last_start, last_end = start, end
        elif end > last_end:
            last_end = end
    if last_start is not None and last_end is not None:
        joined.append((last_start, last_end))
    return joined


def subtract(spans: list[Span], holes: list[Span]) -> list[Span]:
    """What remains of ``spans`` without ``holes``; both must come from ``union``."""
    if not holes:
        return spans
    left: list[Span] = []
    position = 0
    for start, end in spans:
        while position < len(holes) and holes[position][1] <= start:
            position += 1
        at = position
        while at < len(holes) and holes[at][0] < end:
            hole_start, hole_end = holes[at]
            if hole_start > start:
                left.append((start, hole_start))
            start = hole_end
            at += 1
        if start < end:
            left.append((start, end))
    return left


def clip(spans: Iterable[Span], window: TimeRange) -> list[Span]:
    """The parts of spans inside a window, in the given order; the rest is dropped."""
    low, high = window.start, window.end
    clipped = []
    for start, end in spans:
        if low is not None and start < low:
            start = low
        if high is not None and end > high:
            end = high
        if start < end:
            clipped.append((start, end))
    return clipped


def merge(
    periods: Iterable[tuple[int, int, BusyType]],
    unavailable: Iterable[tuple[int, int, BusyType]] = (),
    window: TimeRange | None = None,
) -> list[BusyPeriod]:
    """Busy periods as an answer lists them: clipped, joined and disjoint; the higher ``BusyType`` wins.

    ``unavailable`` comes from ``availability.unavailable``; FREE periods do not remove anything.
    """
    by_kind: dict[BusyType, list[Span]] = {}
    for source in (periods, unavailable):
        for start, end, kind in source:
            by_kind.setdefault(kind, []).append((start, end))
    by_kind.pop(BusyType.FREE, None)
    merged: list[BusyPeriod] = []
    covered: list[Span] = []
    for kind in sorted(by_kind, reverse=True):
        spans = by_kind[kind]
        whole = union(spans if window is None else clip(spans, window))
        merged.extend(BusyPeriod(start, end, kind) for start, end in subtract(whole, covered))
        covered = union(covered + whole) if covered else whole
    merged.sort()
    return merged


@lru_cache(maxsize=4096)
def _day_text(day: int) -> str:
    # isoformat pads the year to four digits, as RFC 5545 §3.3.4 requires; strftime does not on every platform.
    return date.fromordinal(day + 719163).isoformat().replace("-", "") + "T"


_MINUTES = tuple(f"{minute // 60:02}{minute % 60:02}" for minute in range(1440))
_SECONDS = tuple(f"{second:02}Z" for second in range(60))


def utc_text(seconds: int) -> str:
    """Epoch seconds as a DATE-TIME in UTC (RFC 5545 §3.3.5); outside the years 1 to 9999 the nearest possible one."""
    day, rest = divmod(seconds, DAY)
    minute, second = divmod(rest, MINUTE)
    try:
        return _day_text(day) + _MINUTES[minute] + _SECONDS[second]
    except (ValueError, OverflowError):
        # Long durations can lead beyond four-digit years, and RFC 5545 §3.3.4 has no others.
        return utc_text(FIRST_INSTANT if seconds < 0 else LAST_INSTANT)
