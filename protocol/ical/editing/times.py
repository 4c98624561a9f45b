"""Wall times of one series: read, moved and written again in its own form (RFC 5545 §3.3.4, §3.3.5, §3.8.5).

Rules of this module: lines and numbers. Wall time is epoch seconds of the clock on the wall read as UTC, in the zone of
the series' DTSTART; a time moved by ``delta`` keeps what a person reads on it, not the seconds that pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from protocol.ical.components import Component, Property
from protocol.ical.lines import TIME_PARAMS, params_without, said_again
from protocol.ical.recurrence.timing import Moment, Zones, moment_of
from protocol.ical.timezones import Clock
from protocol.ical.values import Form, render_when, wall_of

DAY = 86400


@dataclass(frozen=True, slots=True)
class SeriesTime:
    """How a series writes its times: from its DTSTART (or, without a master, a RECURRENCE-ID)."""

    wall: int
    form: Form
    clock: Clock | None
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
        """Whether both write their times alike."""
        return (self.form, self.tzid) == (other.form, other.tzid)

    def line(self, name: str, wall: int, like: Property | None = None) -> Property:
        """A property of this form at a wall time; ``like`` gives it its foreign parameters."""
        kept = "" if like is None else params_without(like, TIME_PARAMS | {"RANGE"})
        params = (";VALUE=DATE" if self.form is Form.DATE else self.tzid) + kept
        value = self.text(wall)
        return Property(name, value, None, f"{name}{params}:{value}")

    def text(self, wall: int) -> str:
        """A value of this form."""
        return render_when(wall_of(wall), self.form)

    def wall_of(self, moment: Moment) -> int:
        """Another time as original start of this series, in its wall time."""
        if self.form is Form.DATE:
            return moment.wall - moment.wall % DAY
        if moment.form is Form.DATE:
            return moment.wall + self.wall % DAY
        if self.clock is None or moment.clock is None or moment.clock is self.clock:
            return moment.wall
        return self.clock.to_wall(moment.instant)

    def walls(self, line: Property) -> list[int]:
        """The times of an EXDATE, RDATE or RECURRENCE-ID as original starts; of a PERIOD its start."""
        found = []
        for text in line.value.split(","):
            moment = moment_of(text.partition("/")[0], line, self.zones)
            if moment is not None:
                found.append(self.wall_of(moment))
        return found

    def instant(self, wall: int) -> int:
        """Epoch seconds of a wall time; of floating time and whole days the number itself."""
        return wall if self.clock is None else self.clock.to_epoch(wall)


def _tzid_params(line: Property) -> str:
    rest = {key for key, _ in line.params if key != "TZID"}
    return params_without(line, rest)


def moved(line: Property, old: SeriesTime, new: SeriesTime, delta: int) -> Property:
    """An EXDATE, RDATE or RECURRENCE-ID of a series that moved by ``delta`` seconds of wall time and writes ``new``."""
    values = []
    for text in line.value.split(","):
        first, slash, rest = text.partition("/")
        moment = moment_of(first, line, old.zones)
        if moment is None:
            continue
        if moment.form is Form.DATE and old.form is not Form.DATE and line.name == "EXDATE":
            return _moved_days(line, delta)
        value = new.text(old.wall_of(moment) + delta)
        if slash and rest[:1] not in "Pp+-":
            last = moment_of(rest, line, old.zones)
            rest = rest if last is None else new.text(old.wall_of(last) + delta)
        values.append(value + slash + rest)
    is_period = (line.param("VALUE") or "").upper() == "PERIOD" and new.form is not Form.DATE
    params = ";VALUE=DATE" if new.form is Form.DATE else new.tzid + (";VALUE=PERIOD" if is_period else "")
    return said_again(line, ",".join(values), params=params)


def _moved_days(line: Property, delta: int) -> Property:
    """Whole days excluded from a timed series: they move by whole days."""
    days = round(delta / DAY) * DAY
    values = []
    for text in line.value.split(","):
        moment = moment_of(text, line, Zones({}))
        if moment is not None:
            values.append(render_when(wall_of(moment.wall + days), Form.DATE))
    return said_again(line, ",".join(values), params=";VALUE=DATE")
