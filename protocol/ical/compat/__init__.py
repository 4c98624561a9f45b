"""Tolerated defects: a closed list, one row per defect, one file per family.

Rules of this package: a repair changes the view (the Document) unless its row says TEXT. It is a pure function and
leaves alone what it does not understand. A new defect is a new row, a file or function, and a test. The documents are
made from the table.
"""

from __future__ import annotations

from protocol.errors import Condition
from protocol.ical.compat import dtstamp, durations, ends, override_recurrence, rules, unreadable, until, value_types
from protocol.ical.compat.defect import Defect, Treatment
from protocol.ical.names import RECURRENCE_NAMES

__all__ = ["BY_NAME", "IN_COMPONENTS", "TABLE", "Defect", "How"]

_DATA = Condition.VALID_CALENDAR_DATA
_OBJECT = Condition.VALID_CALENDAR_OBJECT_RESOURCE

READING = (
    Defect("byte-order-mark", "a byte order mark before BEGIN", Treatment.ACCEPT),
    Defect("line-ends", "bare LF, CR alone, blank lines, spaces after BEGIN and END values", Treatment.ACCEPT),
    Defect("transcoded", "another charset, named by the Content-Type: stored as UTF-8", Treatment.TEXT),
    Defect(
        "surrogate-pairs", "characters beyond 16 bits written as two surrogates, whole or folded apart", Treatment.INDEX
    ),
    Defect("control-characters", "control characters anywhere (Exchange): read without them", Treatment.INDEX, _DATA),
    Defect(
        "stray-lines", "line breaks inside a value that were not escaped: joined to the line before", Treatment.INDEX
    ),
)
WHOLE_OBJECT = (
    Defect("method-removed", "METHOD in a stored object (mail imports): its line is cut out", Treatment.TEXT, _OBJECT),
    Defect("duplicate-override", "two overrides of one occurrence: the newest counts", Treatment.INDEX, _OBJECT),
)
IN_COMPONENTS = (
    Defect(
        "time-unreadable",
        "DTEND, DUE, DURATION, EXDATE or RDATE values that are no time: read as absent",
        Treatment.INDEX,
        _DATA,
        unreadable.repair,
        unreadable.NAMES,
    ),
    Defect(
        "override-recurrence",
        "RRULE, RDATE or EXDATE in an override (Simple Calendar, Etar): dropped",
        Treatment.INDEX,
        None,
        override_recurrence.repair,
        RECURRENCE_NAMES,
    ),
    Defect(
        "duration-form",
        "PT2D, -P2DT and the like in DURATION and TRIGGER: each part by its unit",
        Treatment.INDEX,
        None,
        durations.repair,
    ),
    Defect(
        "end-and-duration",
        "DTEND and DURATION both (Zimbra): DTEND counts",
        Treatment.INDEX,
        _DATA,
        ends.repair_both,
        ends.NAMES,
    ),
    Defect(
        "end-type",
        "DTEND of another type than DTSTART, or a TZID on one of them only: DTSTART decides",
        Treatment.INDEX,
        _DATA,
        ends.repair_type,
        ends.NAMES,
    ),
    Defect(
        "end-order",
        "DTEND not after DTSTART: no time for a timed event, its day for an all-day event",
        Treatment.INDEX,
        _DATA,
        ends.repair_order,
        ends.NAMES,
    ),
    Defect(
        "rule-empty",
        "COUNT=0, INTERVAL=0, UNTIL before DTSTART, unreadable rules: the event happens at DTSTART",
        Treatment.INDEX,
        _DATA,
        rules.repair_empty,
        rules.NAMES,
    ),
    Defect(
        "rule-values",
        "BYMONTH=13 and other values out of range: the value is dropped",
        Treatment.INDEX,
        _DATA,
        rules.repair_ranges,
        rules.NAMES,
    ),
    Defect(
        "rule-bounds",
        "COUNT and UNTIL both: whichever comes first ends the series",
        Treatment.INDEX,
        _DATA,
        rules.has_both_bounds,
        rules.NAMES,
    ),
    Defect("until-type", "UNTIL of another type than DTSTART", Treatment.INDEX, None, until.repair, rules.NAMES),
    Defect(
        "occurrence-type",
        "RECURRENCE-ID or EXDATE of another type than DTSTART: DTSTART decides",
        Treatment.INDEX,
        None,
        value_types.repair,
        value_types.NAMES,
    ),
    Defect("dtstamp-missing", "no DTSTAMP: generated answers carry one", Treatment.INDEX, None, dtstamp.repair),
)
TABLE: tuple[Defect, ...] = READING + WHOLE_OBJECT + IN_COMPONENTS
BY_NAME: dict[str, Defect] = {defect.name: defect for defect in TABLE}
