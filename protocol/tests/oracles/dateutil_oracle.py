"""python-dateutil's ``rrule`` as an oracle, with every deliberate difference named.

``DIFFERENCES`` is the table; each row says what dateutil does, what this project does, and why. A row either is
adjusted for (the rule is rewritten, or the answer completed) or makes ``applies`` false for the rules it is about;
those are compared with ``definition_oracle`` alone.
"""

from __future__ import annotations

import datetime as real_datetime
from datetime import datetime, timedelta
from itertools import takewhile
from types import SimpleNamespace

from dateutil import rrule as module

from protocol.tests.oracles.rules import WEEKDAYS, Case

DIFFERENCES = {
    "dtstart": """
        dateutil leaves out a DTSTART that the rule does not yield; here it is the first occurrence and counts for
        COUNT. RFC 5545 §3.8.5.3: "The DTSTART property defines the first instance in the recurrence set"; §3.3.10:
        "The DTSTART property value always counts as the first occurrence".""",
    "byweekno-weekday": """
        dateutil yields all seven days of a BYWEEKNO week without BYDAY; here the weekday is DTSTART's. RFC 5545
        §3.3.10: "Information, not contained in the rule, necessary to determine the various recurrence instance start
        time and dates are derived from the Start Time".""",
    "byweekno-period": """
        dateutil cuts the weeks at New Year's Day and counts INTERVAL and BYSETPOS in calendar years; here a week
        belongs whole to the year that numbers it (ISO 8601, which RFC 5545 §3.3.10 refers to), so that INTERVAL=2
        never yields a part of a week. The same result with INTERVAL=1 and without BYSETPOS.""",
    "byweekno-last": """
        dateutil works out how many weeks the previous year has from the length of this one, and so may miss the days of
        its last week after New Year: 1 January 2011 is in week 52 of 2010 (ISO 8601). Of week one it misses the days
        before New Year when that is named by its number from the end: 30 December 2003 is in week -53 of 2004.""",
    "weekly-setpos": """
        dateutil begins the first week of a WEEKLY rule with BYSETPOS at DTSTART; here every set is a whole week.
        RFC 5545 §3.3.10: "A set of recurrence instances starts at the beginning of the interval defined by the FREQ
        rule part".""",
}


def differences(case: Case) -> set[str]:
    """The rows of ``DIFFERENCES`` that this rule is about (``dtstart`` always may be)."""
    found = {"dtstart"}
    if case.part("BYWEEKNO"):
        if not (case.part("BYDAY") or case.part("BYMONTHDAY") or case.part("BYYEARDAY")):
            found.add("byweekno-weekday")
        if case.part("INTERVAL") or case.part("BYSETPOS"):
            found.add("byweekno-period")
        if {"52", "53", "-52", "-53"} & set((case.part("BYWEEKNO") or "").split(",")):
            found.add("byweekno-last")
    if case.freq == "WEEKLY" and case.part("BYSETPOS"):
        found.add("weekly-setpos")
    return found


def applies(case: Case) -> bool:
    """Whether dateutil's answer can be compared at all."""
    return not differences(case) & {"byweekno-period", "byweekno-last"}


def _bounded_calendar(last_year: int) -> SimpleNamespace:
    # dateutil steps to datetime.MAXYEAR before it gives up a rule that matches nothing: for the oracle's purpose the
    # calendar ends soon after the horizon.
    names = {name: getattr(real_datetime, name) for name in dir(real_datetime) if not name.startswith("__")}
    return SimpleNamespace(**(names | {"MAXYEAR": last_year}))


def starts(case: Case) -> list[datetime]:
    """Every start up to the horizon; ``ValueError`` for a rule that dateutil refuses (it can never match)."""
    text = ";".join(f"{name}={value}" for name, value in case.parts if name != "COUNT")
    known = differences(case)
    if "byweekno-weekday" in known or ("weekly-setpos" in known and not case.part("BYDAY")):
        text += f";BYDAY={WEEKDAYS[case.start.weekday()]}"
    begin = case.start
    if "weekly-setpos" in known:
        begin -= timedelta(days=(begin.weekday() - WEEKDAYS.index(case.part("WKST") or "MO")) % 7)
    end = case.start + case.horizon
    found = [start for start in _until(text, begin, end) if start >= case.start]
    if not found or found[0] != case.start:
        found.insert(0, case.start)
    count = case.part("COUNT")
    return found if count is None else found[: int(count)]


def plain(case: Case) -> list[datetime]:
    """What dateutil itself says, nothing adjusted."""
    return _until(case.text, case.start, case.start + case.horizon)


def _until(text: str, begin: datetime, end: datetime) -> list[datetime]:
    module.datetime = _bounded_calendar(end.year + 1)
    try:
        return list(takewhile(lambda start: start < end, module.rrulestr(text, dtstart=begin)))
    finally:
        module.datetime = real_datetime


__all__ = ["DIFFERENCES", "applies", "differences", "plain", "starts"]
