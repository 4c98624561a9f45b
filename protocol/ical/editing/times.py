"""Wall times of one series: read, moved and written in the form of the series (RFC 5545 §3.3.4, §3.3.5, §3.8.5).

Rules of this module: lines and numbers. Wall time is what a clock in the zone of DTSTART shows, as epoch seconds read
as UTC. A time moved by ``delta`` keeps its distance on the clock, not in elapsed seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from protocol.errors import Condition, Refusal
from protocol.ical.components import Component, Property
from protocol.ical.lines import TIME_PARAMS, params_without, with_value
from protocol.ical.periods import utc_text
from protocol.ical.timezones import ZoneClock
from protocol.ical.timing import Moment, Zones, moment_of
from protocol.ical.values import Form, render_when, wall_of
from protocol.model import DAY


@dataclass(frozen=True, slots=True)
class SeriesTime:
    """The form of a series' times: that of its DTSTART (or, without a master, of a RECURRENCE-ID)."""

    wall: int
    form: Form
    clock: ZoneClock | None
    """``None``: floating, or whole days."""
    tzid: str
    """The TZID parameter with its semicolon, as written."""
    zones: Zones

    @classmethod
    def of(cls, line: Property, timezones: Mapping[str, Component]) -> SeriesTime | None:
        """The form of a line's time; ``None`` when it cannot be read."""
        zones = Zones(timezones)
        moment = moment_of(line.value, line, zones)
        if moment is None:
            return None
        tzid = "" if moment.form is not Form.LOCAL else _tzid_params(line)
        return cls(moment.wall, moment.form, moment.clock, tzid, zones)

    def same_form(self, other: SeriesTime) -> bool:
        """Whether both write their times in the same way."""
        return (self.form, self.tzid) == (other.form, other.tzid)

    def line(self, name: str, wall: int, like: Property | None = None) -> Property:
        """A property of this form at a wall time, with the foreign parameters of ``like``."""
        kept = "" if like is None else params_without(like, TIME_PARAMS | {"RANGE"})
        params = (";VALUE=DATE" if self.form is Form.DATE else self.tzid) + kept
        value = self.text(wall)
        return Property(name, value, None, f"{name}{params}:{value}")

    def lines(self, name: str, walls: Iterable[int]) -> list[Property]:
        """All those wall times as one line, or no line."""
        texts = list(dict.fromkeys(map(self.text, sorted(set(walls)))))
        return [with_value(self.line(name, 0), ",".join(texts), drop=frozenset())] if texts else []

    def line_at(self, name: str, instant: int, like: Property) -> Property:
        """A property at an instant; in UTC for the second pass of an hour that comes twice, which has no local time."""
        wall = instant if self.clock is None else self.clock.to_wall(instant)
        if self.instant(wall) == instant:
            return self.line(name, wall, like=like)
        return with_value(like, utc_text(instant))

    def text(self, wall: int) -> str:
        """A value of this form; refuses with CALDAV:max-date-time beyond the years 1 to 9999 (RFC 4791 §5.2.7)."""
        try:
            return render_when(wall_of(wall), self.form)
        except ValueError:
            raise Refusal(
                Condition.MAX_DATE_TIME, "A time of this object would be outside of the years 1 to 9999."
            ) from None

    def wall_of(self, moment: Moment) -> int:
        """Another time as an original start of this series, in wall time."""
        if self.form is Form.DATE:
            return moment.wall - moment.wall % DAY
        if moment.form is Form.DATE:
            return moment.wall + self.wall % DAY
        if self.clock is None or moment.clock is None or moment.clock is self.clock:
            return moment.wall
        return self.clock.to_wall(moment.instant)

    def key_of(self, moment: Moment) -> int:
        """The original start that another time means, as an instant: two wall times of a DST gap may be the same."""
        wall = self.wall_of(moment)
        if self.form is Form.DATE or moment.form is Form.DATE or self.clock is None or moment.clock is None:
            return self.instant(wall)
        return moment.instant

    def keys(self, line: Property) -> list[int]:
        """The times of an EXDATE, RDATE or RECURRENCE-ID as instants of original starts; of a PERIOD its start."""
        moments = (moment_of(text.partition("/")[0], line, self.zones) for text in line.value.split(","))
        return [self.key_of(moment) for moment in moments if moment is not None]

    def walls(self, line: Property) -> list[int]:
        """The times of an EXDATE, RDATE or RECURRENCE-ID as original starts; of a PERIOD its start."""
        found = []
        for text in line.value.split(","):
            moment = moment_of(text.partition("/")[0], line, self.zones)
            if moment is not None:
                found.append(self.wall_of(moment))
        return found

    def readings(self, wall: int) -> tuple[int, ...]:
        """The wall times of the same instant as ``wall``: a time in a DST gap has a second one (RFC 5545 §3.3.5)."""
        if self.clock is None:
            return (wall,)
        instant = self.clock.to_epoch(wall)
        shown = self.clock.to_wall(instant), instant + self.clock.offset(instant - DAY)
        return wall, *(other for other in shown if other != wall and self.clock.to_epoch(other) == instant)

    def wall_at(self, instant: int) -> int:
        """The wall time of an instant; for floating time and whole days the number itself."""
        return instant if self.clock is None else self.clock.to_wall(instant)

    def disorder(self, wall: int) -> int:
        """How many seconds wall times and instants may differ in order around a wall time (RFC 5545 §3.3.5)."""
        if self.clock is None:
            return 0
        near = self.clock.transitions(wall - 3 * DAY, wall + 3 * DAY)
        return max((abs(after - before) for _, before, after in near), default=0)

    def instant(self, wall: int) -> int:
        """The epoch seconds of a wall time; for floating time and whole days the number itself."""
        return wall if self.clock is None else self.clock.to_epoch(wall)


def with_same_length(line: Property, start: SeriesTime, end: SeriesTime, new: SeriesTime, wall: int) -> Property:
    """A DTEND or DUE: ``end`` belonged to a start at ``start``, the new one belongs to a start at ``wall`` of ``new``.

    An end time gives every occurrence the same exact length (RFC 5545 §3.8.5.3), so the end keeps that length when the
    clocks change, not its wall time.
    """
    form = end if start.same_form(new) else new
    clock = form.clock or new.clock
    if clock is None or start.clock is None or Form.DATE in (start.form, end.form, new.form):
        return form.line(line.name, end.wall + wall - start.wall, like=line)
    length = (end.clock or start.clock).to_epoch(end.wall) - start.instant(start.wall)
    return replace(form, clock=clock).line_at(line.name, new.instant(wall) + length, line)


def _tzid_params(line: Property) -> str:
    rest = {key for key, _ in line.params if key != "TZID"}
    return params_without(line, rest)
