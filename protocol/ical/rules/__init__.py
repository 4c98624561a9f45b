"""The rule engine: the wall times that a recurrence rule yields in a window (RFC 5545 §3.3.10, RFC 7529).

From the inside out: ``rule`` (RECUR text to values), ``calendars`` and ``rscale`` (years of months), ``days`` (the days
of a rule within one year), ``series`` (a rule with its DTSTART), ``budget`` (the limit of work). Rules of this package:
it knows no components and no time zones, so that ``timezones`` can use it for VTIMEZONE and ``recurrence`` for the
rest.
"""

from __future__ import annotations

from protocol.ical.rules.budget import DEFAULT_PERIODS, Budget
from protocol.ical.rules.rule import Freq, Rule, Skip, parse_rule
from protocol.ical.rules.series import Series

__all__ = ["DEFAULT_PERIODS", "Budget", "Freq", "Rule", "Series", "Skip", "parse_rule"]
