"""Recurrence rules that are empty or impossible.

Outlook bridges, feeds and hand-written files send COUNT=0, INTERVAL=0, UNTIL before DTSTART, or no readable FREQ: the
event happens once, at DTSTART. Values outside the ranges of RFC 5545 §3.3.10, such as BYMONTH=13, are dropped. With
COUNT and UNTIL together, whichever comes first ends the series, and nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from protocol.ical.components import Component, Property, PropertyMap
from protocol.ical.names import RULE_NAMES
from protocol.ical.rules.rule import RANGES, Freq, rule_parts
from protocol.ical.values import parse_when

NAMES = frozenset(RULE_NAMES)


def rule_lines(component: Component) -> Iterator[tuple[int, Property]]:
    """Each rule of the component with its place among the properties, the last first, so that places stay valid."""
    lines = component.properties
    return ((number, lines[number]) for number in range(len(lines) - 1, -1, -1) if lines[number].name in NAMES)


def rewrite(component: Component, props: PropertyMap, number: int, parts: dict[str, str] | None) -> None:
    """Put a rule with these parts at place ``number``, or remove the rule there."""
    line = component.properties[number]
    if parts is not None:
        made = Property.make(line.name, ";".join(f"{name}={part}" for name, part in parts.items()), line.params)
        component.properties[number] = props[line.name] = made
        return
    del component.properties[number]
    props.pop(line.name, None)
    rest = component.first(line.name)
    if rest is not None:
        props[line.name] = rest


def repair_empty(component: Component, props: PropertyMap, _: PropertyMap) -> bool:
    """Drop each rule that yields no occurrence of its own: the event happens at DTSTART."""
    start = props.get("DTSTART")
    repaired = False
    for number, line in rule_lines(component):
        if is_empty(rule_parts(line.value), start.value if start else ""):
            rewrite(component, props, number, None)
            repaired = True
    return repaired


def is_empty(parts: dict[str, str], start: str) -> bool:
    """Whether a rule has a zero, an end before ``start`` (compared as written), or no readable FREQ."""
    if parts.get("FREQ") not in Freq.__members__:
        return True
    for name in ("COUNT", "INTERVAL"):
        if name in parts and not _positive(parts[name]):
            return True
    if "UNTIL" not in parts:
        return False
    try:
        until = parse_when(parts["UNTIL"])[0]
    except ValueError:
        return True
    try:
        # A day of tolerance: the zones may differ, and an end on the first day keeps the first occurrence.
        return until + timedelta(days=1) < parse_when(start)[0]
    except (ValueError, OverflowError):
        return False


def _positive(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0


def repair_ranges(component: Component, props: PropertyMap, _: PropertyMap) -> bool:
    """Drop each value outside its range, and each part without values."""
    repaired = False
    for number, line in rule_lines(component):
        if "BY" not in line.value.upper():
            continue
        parts = rule_parts(line.value)
        kept = within_ranges(parts)
        if kept != parts:
            rewrite(component, props, number, kept)
            repaired = True
    return repaired


def within_ranges(parts: dict[str, str]) -> dict[str, str]:
    """The parts of a rule without the values that RFC 5545 §3.3.10 does not allow."""
    kept: dict[str, str] = {}
    for name, part in parts.items():
        if name in RANGES:
            values = [value for value in part.split(",") if _in_range(name, value.strip(), "RSCALE" in parts)]
            if values:
                kept[name] = ",".join(values)
        else:
            kept[name] = part
    return kept


def _in_range(name: str, text: str, other_calendar: bool) -> bool:
    if name == "BYMONTH" and other_calendar:
        return True
    lowest, highest, negative = RANGES[name]
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 4):
        return False
    return lowest <= int(digits) <= highest and (negative or text[0] != "-")


def has_both_bounds(component: Component, _: PropertyMap, __: PropertyMap) -> bool:
    """Whether a rule has COUNT and UNTIL; whichever comes first ends the series, so nothing is changed."""
    return any({"COUNT", "UNTIL"} <= rule_parts(line.value).keys() for _number, line in rule_lines(component))
