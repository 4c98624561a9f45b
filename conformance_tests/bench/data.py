"""The calendar that is measured: deterministic objects, and what every query over them must answer.

Two thirds are single events and one third series; a fifth are all-day. Series end by COUNT, by UNTIL or never, have
exceptions (EXDATE) and occurrences that were moved or cancelled. Starts keep away from the hours in which clocks
change, so that every wall time here happens exactly once.
"""

from __future__ import annotations

import datetime as dt
import itertools
import random
from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from conformance_tests.bench.patterns import LAST_DAY, choose
from conformance_tests.bench.zones import DEFINITIONS, SHARES

FIRST_DAY = dt.date(2024, 1, 1)
DAYS = 1060
_VOCABULARY = (
    "agenda answer bridge budget café call canteen checklist choir dentist draft échéance field fête ferry garden "
    "handover hiring inventory kickoff laundry library lunch market minutes offsite orchestra paint parents piano "
    "plumber quarter rehearsal release repair report retrospective review rollout route sailing schedule school "
    "shortlist sketch soccer sprint swim ticket train translation Überblick vaccination vendor visit workshop"
)
WORDS = _VOCABULARY.split()


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One occurrence: epoch seconds (of the UTC day when all-day), whether it is busy, and its start as expanded."""

    start: int
    end: int
    busy: bool
    written: str


@dataclass(frozen=True, slots=True)
class Change:
    """What an override does to its occurrence."""

    minutes: int
    cancelled: bool


def fold(line: str) -> str:
    """A content line in pieces of at most 75 octets, never inside a character."""
    pieces, room = [""], 75
    for character in line:
        size = len(character.encode())
        if size > room:
            pieces.append("")
            room = 74
        pieces[-1] += character
        room -= size
    return "\r\n ".join(pieces)


class Sample:
    """One calendar object: its name, its text at any revision, and its occurrences."""

    def __init__(self, number: int, prefix: str) -> None:
        chance = random.Random(f"{prefix} {number}")
        self.uid = f"{prefix}-{number}-{chance.getrandbits(40):010x}"
        self.name = f"{self.uid}.ics"
        self.all_day = chance.random() < 0.2
        self.zone = None if self.all_day else chance.choices(list(SHARES), list(SHARES.values()))[0]
        self.clock = dt.time(chance.randrange(6, 21), chance.choice((0, 0, 15, 30, 45)))
        self.length = self._length(chance)
        self.tentative = not self.all_day and chance.random() < 0.06
        self.summary = " ".join(chance.choices(WORDS, k=3)).capitalize()
        self.notes = " ".join(chance.choices(WORDS, k=chance.randrange(40, 125)))
        self.place = " ".join(chance.choices(WORDS, k=2))
        self.people = chance.sample(range(1000), chance.choice((0, 0, 0, 3, 4, 6)))
        self.alarms = chance.choice((0, 1, 1, 2))
        self.first = FIRST_DAY + dt.timedelta(days=chance.randrange(DAYS))
        self.rule = ""
        self.excluded: list[dt.date] = []
        self.changed: dict[dt.date, Change] = {}
        days = self._recur(chance) if chance.random() < 0.32 else [self.first]
        self.occurrences = sorted(
            (self._occurrence(day) for day in days if day not in self.excluded), key=lambda each: each.start
        )

    def _length(self, chance: random.Random) -> dt.timedelta:
        if self.all_day:
            return dt.timedelta(days=chance.choices((1, 2, 3, 10), (75, 12, 8, 5))[0])
        return dt.timedelta(minutes=chance.choice((20, 30, 30, 45, 60, 60, 90, 150, 240)))

    def _recur(self, chance: random.Random) -> list[dt.date]:
        pattern = choose(self.first, chance)
        self.first = pattern.first
        days = list(itertools.takewhile(lambda day: day < LAST_DAY, pattern.days))
        end = chance.choice(("COUNT", "COUNT", "UNTIL", "FOREVER"))
        wanted = chance.randrange(3, pattern.usual + 1) if pattern.usual > 3 else pattern.usual
        self.rule = pattern.rule
        if end == "COUNT":
            self.rule += f";COUNT={wanted}"
            days = days[:wanted]
        elif end == "UNTIL":
            days = days[:wanted]
            self.rule += ";UNTIL=" + self._until(days[-1])
        self._except(days, chance)
        return days

    def _until(self, day: dt.date) -> str:
        if self.all_day:
            return f"{day:%Y%m%d}"
        return f"{dt.datetime.fromtimestamp(self._instant(day), dt.UTC):%Y%m%dT%H%M%SZ}"

    def _except(self, days: list[dt.date], chance: random.Random) -> None:
        if len(days) < 4:
            return
        later = days[1:40]
        picked = chance.sample(later, min(len(later), chance.choice((0, 0, 1, 2, 3, 4))))
        cut = chance.randrange(len(picked) + 1)
        self.excluded = sorted(picked[:cut])
        for day in picked[cut:]:
            minutes = chance.choice((1440, 10080)) if self.all_day else chance.choice((-45, 30, 90, 1440, 10080, 0))
            self.changed[day] = Change(minutes, chance.random() < 0.15)

    def _wall(self, day: dt.date, minutes: int = 0) -> dt.datetime:
        clock = dt.time() if self.all_day else self.clock
        return dt.datetime.combine(day, clock) + dt.timedelta(minutes=minutes)

    def _instant(self, day: dt.date, minutes: int = 0) -> int:
        zone = ZoneInfo(self.zone or "UTC")
        return int(self._wall(day, minutes).replace(tzinfo=zone).timestamp())

    def _occurrence(self, day: dt.date) -> Occurrence:
        change = self.changed.get(day, Change(0, cancelled=False))
        start = self._instant(day, change.minutes)
        utc = dt.datetime.fromtimestamp(start, dt.UTC)
        written = f"{utc:%Y%m%d}" if self.all_day else f"{utc:%Y%m%dT%H%M%SZ}"
        end = start + int(self.length.total_seconds())
        return Occurrence(start, end, not self.all_day and not change.cancelled, written)

    # -- the text

    def text(self, revision: int = 0) -> bytes:
        """The object as iCalendar; a revision changes SEQUENCE and SUMMARY and nothing else that is asked for."""
        lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Bench//Samples//EN"]
        if self.zone in DEFINITIONS:
            lines += DEFINITIONS[self.zone].split("\n")
        lines += self._event(self.first, revision, None)
        for day in sorted(self.changed):
            lines += self._event(day, revision, self.changed[day])
        lines.append("END:VCALENDAR")
        return ("\r\n".join(map(fold, lines)) + "\r\n").encode()

    def _dated(self, name: str, wall: dt.datetime) -> str:
        if self.all_day:
            return f"{name};VALUE=DATE:{wall:%Y%m%d}"
        if self.zone == "UTC":
            return f"{name}:{wall:%Y%m%dT%H%M%S}Z"
        return f"{name};TZID={self.zone}:{wall:%Y%m%dT%H%M%S}"

    def _event(self, day: dt.date, revision: int, change: Change | None) -> list[str]:
        start = self._wall(day, change.minutes if change else 0)
        status = "CANCELLED" if change and change.cancelled else "TENTATIVE" if self.tentative else "CONFIRMED"
        lines = ["BEGIN:VEVENT", f"UID:{self.uid}", "DTSTAMP:20240105T080000Z", f"SEQUENCE:{revision}"]
        if change:
            lines.append(self._dated("RECURRENCE-ID", self._wall(day)))
        lines += [self._dated("DTSTART", start), self._dated("DTEND", start + self.length)]
        lines.append(f"SUMMARY:{self.summary}{f' ({revision})' if revision else ''}")
        lines += [f"LOCATION:{self.place}", f"STATUS:{status}"]
        lines.append("TRANSP:TRANSPARENT" if self.all_day else "TRANSP:OPAQUE")
        if change is None:
            lines.append(f"DESCRIPTION:{self.notes}")
            lines += [f"RRULE:{self.rule}"] if self.rule else []
            lines += [self._dated("EXDATE", self._wall(excluded)) for excluded in self.excluded]
        return [*lines, *self._people(), *self._alarms(), "END:VEVENT"]

    def _people(self) -> list[str]:
        if not self.people:
            return []
        first, *others = self.people
        states = itertools.cycle(("ACCEPTED", "NEEDS-ACTION", "TENTATIVE", "DECLINED"))
        lines = [f"ORGANIZER;CN=Guest No. {first}:mailto:guest{first}@example.net"]
        for person, state in zip(others, states, strict=False):
            lines.append(
                f"ATTENDEE;CN=Guest No. {person};CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT={state}"
                f":mailto:guest{person}@example.net"
            )
        return lines

    def _alarms(self) -> list[str]:
        lines = []
        for minutes in (10, 60)[: self.alarms]:
            lines += ["BEGIN:VALARM", "ACTION:DISPLAY", f"DESCRIPTION:{self.summary}"]
            lines += [f"TRIGGER:-PT{minutes}M", "END:VALARM"]
        return lines


Window = tuple[int, int]


def merge(stretches: Iterable[Window]) -> list[Window]:
    """Stretches of time as the fewest disjoint ones, in order; those that touch become one."""
    merged: list[Window] = []
    for start, end in sorted(stretches):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


@dataclass(frozen=True, slots=True)
class Expected:
    """What a query over a window must answer."""

    names: frozenset[str]
    starts: frozenset[tuple[str, str]]
    busy: tuple[Window, ...]


class Samples:
    """A calendar's worth of objects and the answers it must give."""

    def __init__(self, size: int, prefix: str) -> None:
        self.all = [Sample(number, prefix) for number in range(size)]
        self.by_name = {sample.name: sample for sample in self.all}

    def expect(self, window: Window) -> Expected:
        """What lies in a window of epoch seconds (half-open)."""
        low, high = window
        names, starts, busy = set(), set(), []
        for sample in self.all:
            for each in sample.occurrences:
                if each.start < high and each.end > low:
                    names.add(sample.name)
                    starts.add((sample.uid, each.written))
                    if each.busy:
                        busy.append((max(low, each.start), min(high, each.end)))
        return Expected(frozenset(names), frozenset(starts), tuple(merge(busy)))


def _window(first: dt.datetime, last: dt.datetime) -> Window:
    return int(first.timestamp()), int(last.timestamp())


def months() -> list[Window]:
    """Six months of the data, as windows in UTC."""
    places = ((2024, 2), (2024, 8), (2025, 3), (2025, 7), (2025, 10), (2026, 5))
    return [_window(dt.datetime(y, m, 1, tzinfo=dt.UTC), dt.datetime(y, m + 1, 1, tzinfo=dt.UTC)) for y, m in places]


def weeks() -> list[Window]:
    """Six weeks of the data, two of them with a change of clocks, as windows in UTC."""
    mondays = ((2024, 2, 12), (2024, 10, 21), (2025, 3, 24), (2025, 7, 14), (2025, 12, 1), (2026, 5, 18))
    firsts = [dt.datetime(*monday, tzinfo=dt.UTC) for monday in mondays]
    return [_window(first, first + dt.timedelta(days=7)) for first in firsts]
