"""Between wall time and instants: the gap and overlap rules of RFC 5545 §3.3.5, as two bisections.

Both run once or twice per occurrence, so speed matters. A zone's ``tzinfo`` is asked for its transitions once per span
of 2^25 seconds (about a year), and the answer is kept: a conversion is a dictionary look-up and a short bisection.
Rules of this module: wall time and instants are integers (seconds since 1970, wall time read as if it were UTC); it
does not know where a zone comes from.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from protocol.ical.values import wall_seconds
from protocol.model import DAY, MINUTE

Zone = tzinfo

_SHIFT = 25
_SPAN = 1 << _SHIFT
_PROBE = 6 * DAY
"""No zone has ever changed its clocks twice within this time and returned to the same offset."""
_PROBE_LATE = 28 * DAY
_LATE = 4_102_444_800
"""2100-01-01: after it every zone follows its standing rules, with at most two changes a year, months apart."""
_WHOLE_MINUTES = 94_694_400
"""1973-01-01: since then clocks have changed on whole minutes only (but not on whole quarters of an hour)."""
CYCLE = 146_097 * DAY
"""The Gregorian calendar repeats after 400 years, so one cycle of the far future stands for all."""
FAR = 16_725_225_600
"""2500-01-01: later times are converted one or more cycles earlier."""
_FIRST = -5_364_662_400
"""1800-01-01: every zone keeps the offset of this time before it."""
_MAX_KEPT = 512
_MARGIN = DAY

OffsetTable = tuple[tuple[int, ...], tuple[int, ...]]
"""Thresholds, and the offsets before, between and after them (one more than thresholds)."""


class ZoneClock:
    """The conversions of one zone; get it from ``clock_of``."""

    __slots__ = ("_instants", "_is_own", "_walls", "zone")

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        # A client's own definition may do what no law ever did.
        self._is_own = hasattr(zone, "offset_at")
        self._walls: dict[int, OffsetTable] = {}
        self._instants: dict[int, OffsetTable] = {}

    def to_epoch(self, wall: int) -> int:
        """The instant of a wall time: in an overlap the first one, in a gap by the offset before it."""
        if wall >= FAR:
            cycles = (wall - FAR) // CYCLE + 1
            return self.to_epoch(wall - cycles * CYCLE) + cycles * CYCLE
        table = self._walls.get(wall >> _SHIFT)
        if table is None:
            table = self._table_by_wall(wall >> _SHIFT)
        return wall - table[1][bisect_right(table[0], wall)]

    def to_wall(self, instant: int) -> int:
        """The wall time of an instant."""
        return instant + self.offset(instant)

    def offset(self, instant: int) -> int:
        """Seconds east of UTC at an instant."""
        if instant >= FAR:
            return self.offset(instant - ((instant - FAR) // CYCLE + 1) * CYCLE)
        table = self._instants.get(instant >> _SHIFT)
        if table is None:
            table = self._table_by_instant(instant >> _SHIFT)
        return table[1][bisect_right(table[0], instant)]

    def offset_bounds(self, low: int, high: int) -> tuple[int, int]:
        """A generous least and greatest offset for instants and wall times in ``[low, high]``."""
        first, last = low >> _SHIFT, high >> _SHIFT
        if last - first > 2 or high >= FAR:
            return -_MARGIN, _MARGIN
        walls = self._walls
        offsets = (walls.get(first) or self._table_by_wall(first))[1]
        for number in range(first + 1, last + 1):
            offsets += (walls.get(number) or self._table_by_wall(number))[1]
        return min(offsets), max(offsets)

    def transitions(self, low: int, high: int) -> list[tuple[int, int, int]]:
        """``(instant, offset before, offset after)`` of every transition in ``[low, high)``, before year 2500."""
        found: list[tuple[int, int, int]] = []
        for number in range(low >> _SHIFT, (min(high, FAR) - 1 >> _SHIFT) + 1):
            instants, offsets = self._instants.get(number) or self._table_by_instant(number)
            found.extend(
                (instant, offsets[place], offsets[place + 1])
                for place, instant in enumerate(instants)
                if low <= instant < high
            )
        return found

    def offsets_around(self, instant: int) -> tuple[int, int]:
        """The least and the greatest offset of wall times around an instant (RFC 5545 §3.3.5).

        They differ only at a transition, and after it for as long as it moved the clock. There the order of wall times
        differs from that of instants.
        """
        if instant >= FAR:
            return self.offsets_around(instant - ((instant - FAR) // CYCLE + 1) * CYCLE)
        least = most = self.offset(instant)
        for at, before, after in self.transitions(instant - _MARGIN - 1, instant + 2):
            if instant <= at + abs(after - before) + 1:
                least, most = min(least, before, after), max(most, before, after)
        return least, most

    def _table_by_instant(self, number: int) -> OffsetTable:
        begin = number << _SHIFT
        table = self._find_transitions(begin, begin + _SPAN)
        if len(self._instants) >= _MAX_KEPT:
            self._instants.clear()
        self._instants[number] = table
        return table

    def _table_by_wall(self, number: int) -> OffsetTable:
        begin = number << _SHIFT
        instants, offsets = self._find_transitions(begin - _MARGIN, begin + _SPAN + _MARGIN)
        # The offset before a transition holds until the later of the two wall times that the clock shows at it.
        thresholds = tuple(instant + max(offsets[place], offsets[place + 1]) for place, instant in enumerate(instants))
        if len(self._walls) >= _MAX_KEPT:
            self._walls.clear()
        self._walls[number] = thresholds, offsets
        return thresholds, offsets

    def _find_transitions(self, low: int, high: int) -> OffsetTable:
        """The transitions in ``(low, high)``: ask for the offset every few days, and bisect where it changes."""
        offset_at = self._offset_at
        if high <= _FIRST:
            return (), (offset_at(_FIRST),)
        instants: list[int] = []
        before = offset_at(low)
        offsets = [before]
        probe = _PROBE if low < _LATE or self._is_own else _PROBE_LATE
        grain = 1 if low < _WHOLE_MINUTES or self._is_own else MINUTE
        low -= low % grain
        for at in range(low, high, probe):
            end = min(at + probe, high - high % -grain)
            after = offset_at(end)
            if after == before:
                continue
            first, last = at, end
            while last - first > grain:
                middle = (first + last) // (2 * grain) * grain
                if offset_at(middle) == before:
                    first = middle
                else:
                    last = middle
            instants.append(last)
            offsets.append(after)
            before = after
        return tuple(instants), tuple(offsets)

    def _offset_at(self, instant: int) -> int:
        if self._is_own:
            return int(self.zone.offset_at(instant))  # type: ignore[attr-defined]
        offset = datetime.fromtimestamp(max(instant, _FIRST), self.zone).utcoffset()
        return 0 if offset is None else (offset.days * DAY + offset.seconds)


class _Fixed(ZoneClock):
    """A zone with one offset at all times."""

    __slots__ = ("_seconds",)

    def __init__(self, zone: Zone, seconds: int) -> None:
        super().__init__(zone)
        self._seconds = seconds

    def to_epoch(self, wall: int) -> int:
        return wall - self._seconds

    def to_wall(self, instant: int) -> int:
        return instant + self._seconds

    def offset(self, instant: int) -> int:
        return self._seconds

    def offset_bounds(self, low: int, high: int) -> tuple[int, int]:
        return self._seconds, self._seconds

    def offsets_around(self, instant: int) -> tuple[int, int]:
        return self._seconds, self._seconds

    def transitions(self, low: int, high: int) -> list[tuple[int, int, int]]:
        return []


@lru_cache(maxsize=1024)
def clock_of(zone: Zone) -> ZoneClock:
    """The conversions of a zone; all callers share one for each zone."""
    if isinstance(zone, timezone):
        seconds = zone.utcoffset(None) // timedelta(seconds=1)
        return _Fixed(zone, seconds)
    return ZoneClock(zone)


UTC_CLOCK = clock_of(UTC)


def to_epoch(wall: datetime, zone: Zone) -> int:
    """The instant of naive wall time in a zone (RFC 5545 §3.3.5: overlap, the first; gap, the offset before it)."""
    return clock_of(zone).to_epoch(wall_seconds(wall))
