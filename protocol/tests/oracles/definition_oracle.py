"""RFC 5545 §3.3.10 read word for word, as slowly as that goes: every period is walked, every day asked.

It shares nothing with the engine but the RFC: a day belongs to a rule when predicates written from the text say so,
a period's set is the product of its days and times, BYSETPOS picks from that list. Only periods near a window are
walked, so that any window of any rule without COUNT can be checked.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from protocol.tests.oracles.rules import WEEKDAYS, Case

DAY = timedelta(days=1)


def _list(case: Case, name: str) -> list[int]:
    text = case.part(name)
    return [int(item) for item in text.split(",")] if text else []


def _weekdays(case: Case) -> list[tuple[int, int]]:
    text = case.part("BYDAY")
    items = text.split(",") if text else []
    return [(int(item[:-2] or 0), WEEKDAYS.index(item[-2:])) for item in items]


def _week(day: date, week_start: int) -> tuple[int, int, int]:
    """The year that numbers the week of ``day``, the week's number and how many weeks that year has."""
    # The week's fourth day decides: it is in the year that has at least four days of the week.
    middle = day - DAY * ((day.weekday() - week_start) % 7) + DAY * 3
    number = (middle.timetuple().tm_yday - 1) // 7 + 1
    last = date(middle.year, 12, 31)
    last_middle = last - DAY * ((last.weekday() - week_start) % 7) + DAY * 3
    if last_middle.year > middle.year:
        last_middle -= DAY * 7
    return middle.year, number, (last_middle.timetuple().tm_yday - 1) // 7 + 1


def _numbered(day: int, total: int, wanted: list[int]) -> bool:
    return day in wanted or day - total - 1 in wanted


def _nth(day: int, total: int, wanted: list[tuple[int, int]], weekday: int) -> bool:
    """Whether the ``day`` of ``total`` is one of the wanted weekdays, counted from both ends."""
    forward, backward = (day - 1) // 7 + 1, -((total - day) // 7 + 1)
    return any(weekday == name and number in (0, forward, backward) for number, name in wanted)


def _is_day(case: Case, day: date) -> bool:
    freq = case.freq
    months, weeks = _list(case, "BYMONTH"), _list(case, "BYWEEKNO")
    year_days, month_days, weekdays = _list(case, "BYYEARDAY"), _list(case, "BYMONTHDAY"), _weekdays(case)
    year_length = 366 if calendar.isleap(day.year) else 365
    year_day = day.timetuple().tm_yday
    month_length = calendar.monthrange(day.year, day.month)[1]
    if months and day.month not in months:
        return False
    if weeks:
        _, number, total = _week(day, WEEKDAYS.index(case.part("WKST") or "MO"))
        if not _numbered(number, total, weeks):
            return False
    if year_days and not _numbered(year_day, year_length, year_days):
        return False
    if month_days and not _numbered(day.day, month_length, month_days):
        return False
    if weekdays:
        if freq == "MONTHLY" or (freq == "YEARLY" and months and not weeks):
            return _nth(day.day, month_length, weekdays, day.weekday())
        if freq == "YEARLY" and not weeks:
            return _nth(year_day, year_length, weekdays, day.weekday())
        return any(day.weekday() == name for _, name in weekdays)
    if year_days or month_days or freq not in ("YEARLY", "MONTHLY", "WEEKLY"):
        return True
    if weeks or freq == "WEEKLY":
        return day.weekday() == case.start.weekday()
    if freq == "YEARLY" and not months and day.month != case.start.month:
        return False
    return day.day == case.start.day


def _period(case: Case, moment: datetime) -> int:
    """The number of the period that holds ``moment``, in units of FREQ from some fixed point."""
    freq = case.freq
    week_start = WEEKDAYS.index(case.part("WKST") or "MO")
    if freq == "YEARLY":
        return _week(moment.date(), week_start)[0] if case.part("BYWEEKNO") else moment.year
    if freq == "MONTHLY":
        return moment.year * 12 + moment.month
    if freq == "WEEKLY":
        return (moment.toordinal() - 1 - week_start) // 7
    seconds = moment.toordinal() * 86400 + moment.hour * 3600 + moment.minute * 60 + moment.second
    return seconds // {"DAILY": 86400, "HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}[freq]


def _is_time(case: Case, moment: datetime) -> bool:
    """Whether the parts that limit (RFC 5545 §3.3.10, the table) and DTSTART allow this time of day."""
    freq = case.freq
    rank = ("SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY").index(freq)
    for name, unit, value, first in (
        ("BYHOUR", 3, moment.hour, case.start.hour),
        ("BYMINUTE", 2, moment.minute, case.start.minute),
        ("BYSECOND", 1, moment.second, case.start.second),
    ):
        wanted = _list(case, name)
        if wanted and value not in wanted:
            return False
        if not wanted and rank >= unit and value != first:
            return False
    return True


def _times(case: Case) -> list[timedelta]:
    """The times of day that matter to a rule of days or longer."""
    hours = _list(case, "BYHOUR") or [case.start.hour]
    minutes = _list(case, "BYMINUTE") or [case.start.minute]
    seconds = _list(case, "BYSECOND") or [case.start.second]
    return sorted(timedelta(hours=h, minutes=m, seconds=s) for h in hours for m in minutes for s in seconds)


def _candidates(case: Case, low: datetime, high: datetime) -> Iterator[datetime]:
    """Every moment of ``[low, high)`` that the rule's parts allow, whatever its period."""
    day = low.date()
    midnight = datetime.fromisoformat("20000101")
    while day < high.date() or (day == high.date()):
        if _is_day(case, day):
            base = midnight.replace(year=day.year, month=day.month, day=day.day)
            if case.freq in ("HOURLY", "MINUTELY", "SECONDLY"):
                step = DAY if case.freq == "DAILY" else timedelta(seconds=1)
                moment = max(base, low)
                while moment < min(base + DAY, high):
                    if _is_time(case, moment):
                        yield moment
                    moment += step
            else:
                yield from (base + time for time in _times(case) if low <= base + time < high)
        day += DAY


_MARGIN = {
    "YEARLY": timedelta(days=370),
    "MONTHLY": timedelta(days=32),
    "WEEKLY": timedelta(days=8),
    "DAILY": DAY,
    "HOURLY": timedelta(hours=1),
    "MINUTELY": timedelta(minutes=1),
    "SECONDLY": timedelta(seconds=1),
}


def starts(case: Case, low: datetime, high: datetime) -> list[datetime]:
    """The starts in ``[low, high)``; COUNT is not looked at."""
    interval = int(case.part("INTERVAL") or 1)
    first = _period(case, case.start)
    positions = _list(case, "BYSETPOS")
    margin = _MARGIN[case.freq] if positions else timedelta(0)
    periods: dict[int, list[datetime]] = {}
    for moment in _candidates(case, max(low, case.start) - margin, high + margin):
        number = _period(case, moment)
        if (number - first) % interval == 0:
            periods.setdefault(number, []).append(moment)
    found = []
    for moments in periods.values():
        chosen = moments
        if positions:
            size = len(moments)
            places = {position - 1 if position > 0 else size + position for position in positions}
            chosen = [moments[place] for place in sorted(places) if 0 <= place < size]
        found.extend(chosen)
    until = case.part("UNTIL")
    last = datetime.fromisoformat(until) if until else None
    kept = {each for each in found if low <= each < high and each > case.start and (last is None or each <= last)}
    if low <= case.start < high:
        kept.add(case.start)
    return sorted(kept)
