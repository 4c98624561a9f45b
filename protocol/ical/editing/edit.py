"""An edit as data, and how its lines replace those of a component (RFC 5545 §3.8.7, RFC 5546 §2.1.4).

Rules of this module: one component in, one component out; it knows nothing about recurrence. Lines that an edit does
not name stay the same objects. A component is never changed in place, because documents are shared.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from protocol.errors import Condition, Refusal
from protocol.ical.components import Component, Property, render_component
from protocol.ical.document import Document
from protocol.ical.periods import utc_text
from protocol.ical.timezones import tzid_of

_IDENTITY = frozenset({"UID", "RECURRENCE-ID"})
_SIGNIFICANT = frozenset({"DTSTART", "DTEND", "DURATION", "DUE", "RRULE", "RDATE", "EXDATE", "STATUS"})
"""A change of one of these makes a new revision of the event (RFC 5546 §2.1.4)."""
_OTHER_END = {"DTEND": {"DURATION"}, "DUE": {"DURATION"}, "DURATION": {"DTEND", "DUE"}}


@dataclass(frozen=True, slots=True)
class Edit:
    """New properties, each replacing all lines of its name, and names to remove."""

    properties: tuple[Property, ...] = ()
    removed: frozenset[str] = frozenset()
    alarms: tuple[Component, ...] | None = None
    """The VALARM components; ``None`` leaves them as they are."""
    timezones: tuple[Component, ...] = ()
    """The VTIMEZONE components that the new times refer to."""

    def __post_init__(self) -> None:
        if _IDENTITY & self.names:
            raise Refusal(
                Condition.VALID_CALENDAR_OBJECT_RESOURCE,
                "UID and RECURRENCE-ID identify a component: they stay."
                "UID and RECURRENCE-ID identify the component and cannot be edited.",
            )

    @property
    def names(self) -> frozenset[str]:
        """Every property name that the edit touches."""
        return self.removed | {line.name for line in self.properties}


def with_edit(component: Component, edit: Edit) -> Component:
    """The component after an edit; a new DTEND, DUE or DURATION removes an end of another kind."""
    dropped = set(edit.removed).union(*(_OTHER_END.get(line.name, ()) for line in edit.properties))
    changed = with_lines(component, edit.properties, dropped)
    if edit.alarms is None:
        return changed
    kept = [child for child in changed.components if child.name != "VALARM"]
    return Component(changed.name, changed.properties, [*kept, *edit.alarms])


def with_lines(component: Component, lines: Iterable[Property], dropped: AbstractSet[str] = frozenset()) -> Component:
    """The component with new lines in the place of those of the same name, or at its end; ``dropped`` names go."""
    fresh: dict[str, list[Property]] = {}
    for line in lines:
        fresh.setdefault(line.name, []).append(line)
    names = frozenset(fresh)
    properties: list[Property] = []
    for line in component.properties:
        if line.name in names:
            properties.extend(fresh.pop(line.name, ()))
        elif line.name not in dropped:
            properties.append(line)
    for rest in fresh.values():
        properties.extend(rest)
    return Component(component.name, properties, component.components)


def raw_lines(component: Component, name: str) -> list[str]:
    """The lines of one name as they were sent."""
    return [line.raw for line in component.all(name)]


def start_line(component: Component) -> Property | None:
    """The line with which a component begins: a VTODO may have a DUE alone (RFC 5545 §3.6.2)."""
    return component.first("DTSTART") or (component.first("DUE") if component.name == "VTODO" else None)


def alarms_of(component: Component) -> list[Component]:
    """The VALARM components."""
    return [child for child in component.components if child.name == "VALARM"]


def with_revision(component: Component, before: Component, now: int) -> Component:
    """The component marked as changed at ``now`` (epoch seconds), and as a new revision if RFC 5546 §2.1.4 says so."""
    stamp = utc_text(now)
    lines = [Property.make("DTSTAMP", stamp), Property.make("LAST-MODIFIED", stamp)]
    if any(raw_lines(component, name) != raw_lines(before, name) for name in _SIGNIFICANT):
        lines.append(Property.make("SEQUENCE", str(sequence_of(before) + 1)))
    return with_lines(component, lines)


def sequence_of(component: Component) -> int:
    """The revision number of a component (RFC 5545 §3.8.7.4); 0 when it has none or it is unreadable."""
    text = (component.value("SEQUENCE") or "").strip()
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def render_document(document: Document, members: Iterable[Component], timezones: Iterable[Component] = ()) -> bytes:
    """The text of the object with other members; its own lines and other components stay, new time zones are added."""
    known = set(document.timezones)
    added = [zone for zone in timezones if tzid_of(zone) not in known]
    kind = document.component.name
    others = [item for item in document.calendar.components if item.name != kind]
    calendar = Component(document.calendar.name, document.calendar.properties, [*others, *added, *members])
    return render_component(calendar).encode("utf-8", "replace")
