"""Reading iCalendar in tests: content lines, component names, free-busy periods. Own code, no library's opinion."""

from __future__ import annotations

import datetime as dt
import re


def unfold(data: str | bytes) -> list[str]:
    """The content lines of a text, unfolded."""
    text = data.decode() if isinstance(data, bytes) else data
    return [line for line in re.sub(r"\r?\n[ \t]", "", text).replace("\r\n", "\n").split("\n") if line]


def component_names(content: list[str]) -> list[str]:
    """The components in order, nested ones of time zones and alarms aside."""
    names = [line[6:] for line in content if line.startswith("BEGIN:")]
    return [name for name in names if name not in {"STANDARD", "DAYLIGHT", "VALARM"}]


def lines(content: list[str], name: str) -> list[str]:
    """The content lines of a property, time zone definitions aside."""
    found, inside = [], False
    for line in content:
        if line in {"BEGIN:VTIMEZONE", "END:VTIMEZONE"}:
            inside = line.startswith("BEGIN")
        elif not inside and re.match(rf"{name}[;:]", line):
            found.append(line)
    return found


def _instant(text: str) -> dt.datetime:
    return dt.datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)


def _duration(text: str) -> dt.timedelta:
    match = re.fullmatch(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", text)
    assert match, text
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return dt.timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def busy(data: bytes) -> set[tuple[str, str, str]]:
    """The periods of a VFREEBUSY answer as (start, end, type), each in UTC; asserts its form."""
    content = unfold(data)
    assert content[0] == "BEGIN:VCALENDAR" and content[-1] == "END:VCALENDAR"
    assert component_names(content) == ["VCALENDAR", "VFREEBUSY"]
    for name in ("VERSION", "PRODID", "DTSTAMP", "DTSTART", "DTEND", "UID"):
        assert len(lines(content, name)) == 1, name
    periods = set()
    for line in lines(content, "FREEBUSY"):
        head, value = line.split(":", 1)
        kind = re.search(r"FBTYPE=([A-Z-]+)", head)
        for period in value.split(","):
            start, end = period.split("/")
            if end.startswith("P"):
                end = (_instant(start) + _duration(end)).strftime("%Y%m%dT%H%M%SZ")
            periods.add((start, end, kind[1] if kind else "BUSY"))
    return periods
