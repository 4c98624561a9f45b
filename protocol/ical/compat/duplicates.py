"""Two overrides for the same occurrence.

Sent by clients that append an edit instead of replacing it. The one with the higher SEQUENCE, then the later DTSTAMP,
then the one that comes last in the text is the view's; the text keeps both.
"""

from __future__ import annotations

from protocol.ical.components import Component


def newest(overrides: list[Component]) -> list[Component]:
    """One override per RECURRENCE-ID (value and TZID as written), in the order of their first appearance."""
    chosen: dict[tuple[tuple[str, str | None], ...], Component] = {}
    for override in overrides:
        key = tuple((line.value.strip().upper(), line.param("TZID")) for line in override.all("RECURRENCE-ID"))
        rival = chosen.get(key)
        if rival is None or _rank(override) >= _rank(rival):
            chosen[key] = override
    return list(chosen.values())


def _rank(component: Component) -> tuple[int, str]:
    text = (component.value("SEQUENCE") or "").strip()
    sequence = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    return sequence, component.value("DTSTAMP") or ""
