"""UNTIL of another type than DTSTART: a DATE in a timed series, a DATE-TIME in an all-day one.

Lightning, calcurse and the Outlook bridges send it (RFC 5545 §3.3.10 requires the same type). A DATE in a timed series
means the end of that local day, a DATE-TIME in an all-day series its date. A local UNTIL beside a DTSTART with TZID
needs no repair: ``recurrence`` reads it in DTSTART's zone.
"""

from __future__ import annotations

from protocol.ical.compat.rules import rewrite, rule_lines
from protocol.ical.components import Component, PropertyMap
from protocol.ical.rules.rule import rule_parts
from protocol.ical.values import Form, parse_when, render_when


def repair(component: Component, props: PropertyMap, _: PropertyMap) -> bool:
    """Give each UNTIL the type of DTSTART."""
    start = props.get("DTSTART")
    repaired = False
    for number, line in rule_lines(component):
        if start is None or "UNTIL" not in line.value.upper():
            continue
        parts = rule_parts(line.value)
        until = coerced(start.value, parts.get("UNTIL", ""))
        if until is not None:
            parts["UNTIL"] = until
            rewrite(component, props, number, parts)
            repaired = True
    return repaired


def coerced(start: str, until: str) -> str | None:
    """UNTIL's value with the type of DTSTART's; ``None`` when the types agree or a value is unreadable."""
    try:
        _, form = parse_when(start)
        last, until_form = parse_when(until)
    except ValueError:
        return None
    if (form is Form.DATE) == (until_form is Form.DATE):
        return None
    if form is Form.DATE:
        return render_when(last, Form.DATE)
    return render_when(last.replace(hour=23, minute=59, second=59), form)
