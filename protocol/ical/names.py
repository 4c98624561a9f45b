"""Names of iCalendar that several modules use: groups of properties, kinds of time, weekdays.

RFC 5545 §3.2.9, §3.3.10, §3.8.2 and §3.8.5. Rules of this module: names in upper case, nothing else.
"""

from __future__ import annotations

from protocol.model import BusyType

START_NAMES = ("DTSTART", "DUE")
"""The properties with which a component begins: a VTODO without DTSTART begins and recurs by DUE (RFC 5545 §3.6.2)."""
END_NAMES = ("DTEND", "DUE")
"""The properties that give an end as a time."""
EXTENT_NAMES = frozenset({*END_NAMES, "DURATION"})
"""The properties that give an end, as a time or as a length."""
TIME_NAMES = EXTENT_NAMES | {"DTSTART"}
"""The properties that place one component in time."""
RULE_NAMES = ("RRULE", "EXRULE")
"""The properties that hold a recurrence rule (EXRULE comes from RFC 2445)."""
DATE_LIST_NAMES = ("RDATE", "EXDATE")
"""The properties that list single occurrences."""
RECURRENCE_NAMES = frozenset({*RULE_NAMES, *DATE_LIST_NAMES})
"""The properties that make a component a series."""

FBTYPES = {
    BusyType.FREE: "FREE",
    BusyType.BUSY: "BUSY",
    BusyType.UNAVAILABLE: "BUSY-UNAVAILABLE",
    BusyType.TENTATIVE: "BUSY-TENTATIVE",
}
"""The FBTYPE of each kind of time (RFC 5545 §3.2.9)."""
BUSY_TYPES = {text: kind for kind, text in FBTYPES.items()}

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
"""The weekdays of BYDAY and WKST; the place in this tuple is the number of a weekday, Monday is 0."""
TIMES_OF_DAY = ("BYHOUR", "BYMINUTE", "BYSECOND")
"""The rule parts that choose times of day."""
