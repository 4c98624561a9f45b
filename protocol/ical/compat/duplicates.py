"""Two overrides for the same occurrence.

Clients send them that append an edit instead of replacing the old one. The view takes the one with the higher SEQUENCE,
then the later DTSTAMP, then the last in the text. The text keeps both.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from protocol.ical.components import Component, Property
from protocol.ical.instants import instant, zone_of
from protocol.ical.timezones import UTC
from protocol.ical.values import parse_when

_UTC_LENGTH = 16


def newest(
    overrides: Sequence[Component], master: Component | None, timezones: Mapping[str, Component]
) -> list[Component]:
    """One override per occurrence, in the order of their first appearance (RFC 5545 §3.8.4.4)."""
    lines = [override.first("RECURRENCE-ID") for override in overrides]
    texts = [None if line is None else (line.param("TZID"), line.value.strip().upper()) for line in lines]
    keys: Sequence[Hashable] = texts
    # Written in the same way, different occurrences have different texts, so ordinary objects need no closer look.
    if len({(text[0], len(text[1])) for text in texts if text is not None}) > 1:
        keys = _originals(lines, texts, master, timezones)
    chosen: dict[Hashable, Component] = {}
    for key, override in zip(keys, overrides, strict=True):
        rival = chosen.get(key)
        if rival is None or rank(override) >= rank(rival):
            chosen[key] = override
    return list(chosen.values())


def rank(component: Component) -> tuple[int, str]:
    """Of two overrides of one occurrence, the higher rank counts; of equal ones, the later in the text."""
    text = (component.value("SEQUENCE") or "").strip()
    sequence = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    return sequence, component.value("DTSTAMP") or ""


def _originals(
    lines: Sequence[Property | None],
    texts: Sequence[Hashable],
    master: Component | None,
    timezones: Mapping[str, Component],
) -> list[Hashable]:
    """The original starts of the RECURRENCE-IDs in the zone of the series, in whatever form they are written."""
    start = None if master is None else master.first("DTSTART") or master.first("DUE")
    home = None if start is None else zone_of(start, timezones)
    if start is not None and len(start.value.strip()) == _UTC_LENGTH:
        home = UTC
    floating = start is not None and home is None
    found: list[Hashable] = []
    for line, text in zip(lines, texts, strict=True):
        if floating and line is not None:
            found.append(_wall(line) or text)
        else:
            at = instant(line, timezones, home)
            found.append(text if at is None else at[0])
    return found


def _wall(line: Property) -> Hashable:
    """The wall time of an occurrence of a floating series, which has no zone (RFC 5545 §3.3.5)."""
    try:
        return parse_when(line.value)[0]
    except ValueError:
        return None
