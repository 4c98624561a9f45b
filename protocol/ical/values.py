"""Property values that are times: DATE, DATE-TIME, DURATION, PERIOD (RFC 5545 §3.3.4, §3.3.5, §3.3.6, §3.3.9).

Rules of this module: text to values and back, no zones and no components. An unreadable value is a ``ValueError``; the
caller decides whether to refuse it. Forms beyond the RFC that real clients send are accepted when they have only one
meaning (``compat/durations.py`` lists the durations).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

from protocol.model import DAY, HOUR, MINUTE


class Form(IntEnum):
    """How a time was written."""

    DATE = 0
    LOCAL = 1
    """DATE-TIME without Z: floating, or wall time of its TZID."""
    UTC = 2


@dataclass(frozen=True, slots=True)
class Duration:
    """Days are nominal (wall time), seconds are exact (RFC 5545 §3.3.6)."""

    days: int = 0
    seconds: int = 0

    @property
    def total(self) -> int:
        """Seconds, with days of 24 hours."""
        return self.days * DAY + self.seconds


def parse_when(text: str) -> tuple[datetime, Form]:
    """A DATE or DATE-TIME as naive wall time (midnight for a DATE), and how it was written; else ``ValueError``."""
    size = len(text)
    if size == 8 and text.isdigit():
        return datetime.fromisoformat(text), Form.DATE
    if size == 16 and text[15] in "Zz":
        return _date_time(text[:15]), Form.UTC
    if size == 15:
        return _date_time(text), Form.LOCAL
    stripped = text.strip()
    if stripped != text:
        return parse_when(stripped)
    raise ValueError(f"{text[:40]!r} is no DATE or DATE-TIME")


def _date_time(text: str) -> datetime:
    if text[8] not in "Tt" or not (text[:8] + text[9:]).isdigit():
        raise ValueError(f"{text[:40]!r} is no DATE-TIME")
    if text.endswith("60"):
        return datetime.fromisoformat(text[:13] + "59")  # a leap second, which ``datetime`` does not have
    return datetime.fromisoformat(text)


def render_when(wall: datetime, form: Form) -> str:
    """The text of a DATE or DATE-TIME value."""
    if form is Form.DATE:
        return f"{wall.year:04}{wall.month:02}{wall.day:02}"
    text = f"{wall.year:04}{wall.month:02}{wall.day:02}T{wall.hour:02}{wall.minute:02}{wall.second:02}"
    return text + "Z" if form is Form.UTC else text


_EPOCH = datetime.fromisoformat("19700101")
_SECOND = timedelta(seconds=1)


def wall_seconds(wall: datetime) -> int:
    """Naive wall time read as if it were UTC, in epoch seconds."""
    return (wall - _EPOCH) // _SECOND


def wall_of(seconds: int) -> datetime:
    """The naive wall time of epoch seconds read as UTC."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


_DURATION = re.compile(
    r"([+-]?)P(?:(\d{1,9})W)?(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?\Z", re.ASCII
)
_LOOSE_DURATION = re.compile(r"([+-]?)P((?:T|\d{1,9}[WDHMS])*)\Z", re.ASCII | re.IGNORECASE)
_PART = re.compile(r"(\d+)([WDHMS])", re.ASCII)
_MAX_DAYS = 3_650_000


def parse_duration(text: str) -> Duration:
    """A DURATION; its parts may lack the ``T`` or stand on its wrong side (RFC 5545 §3.3.6); else ``ValueError``."""
    found = _DURATION.match(text)
    if found is None:
        return _loose_duration(text.strip())
    sign, weeks, days, hours, minutes, seconds = found.groups()
    return _duration(
        sign,
        int(weeks or 0) * 7 + int(days or 0),
        int(hours or 0) * HOUR + int(minutes or 0) * MINUTE + int(seconds or 0),
    )


def is_exact_duration(text: str) -> bool:
    """Whether a DURATION is written as RFC 5545 §3.3.6 requires."""
    found = _DURATION.match(text)
    if found is None or text[-1] in "PT":
        return False
    return found[2] is None or not any(found.groups()[2:])


def _loose_duration(text: str) -> Duration:
    found = _LOOSE_DURATION.match(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no DURATION")
    days = seconds = 0
    for number, unit in _PART.findall(found[2].upper()):
        if unit in "WD":
            days += int(number) * (7 if unit == "W" else 1)
        else:
            seconds += int(number) * {"H": HOUR, "M": MINUTE, "S": 1}[unit]
    return _duration(found[1], days, seconds)


def _duration(sign: str, days: int, seconds: int) -> Duration:
    if days + seconds // DAY > _MAX_DAYS:
        raise ValueError("a DURATION longer than the calendar")
    return Duration(-days, -seconds) if sign == "-" else Duration(days, seconds)


def render_duration(duration: Duration) -> str:
    """The text of a DURATION value; ``PT0S`` for nothing."""
    sign = "-" if duration.total < 0 else ""
    days, seconds = abs(duration.days), abs(duration.seconds)
    text = f"{days}D" if days else ""
    if seconds or not days:
        hours, rest = divmod(seconds, HOUR)
        minutes, rest = divmod(rest, MINUTE)
        text += "T" + (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
        text += f"{rest}S" if rest or not (hours or minutes) else ""
    return f"{sign}P{text}"


def parse_period(text: str) -> tuple[datetime, Form, datetime | Duration]:
    """A PERIOD: start, how the start was written, and end or duration (RFC 5545 §3.3.9); else ``ValueError``."""
    first, slash, second = text.partition("/")
    if not slash:
        raise ValueError(f"{text[:40]!r} is no PERIOD")
    start, form = parse_when(first)
    second = second.strip()
    if second[:1] in "Pp+-":
        return start, form, parse_duration(second)
    return start, form, parse_when(second)[0]
