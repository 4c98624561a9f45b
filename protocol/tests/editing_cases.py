"""What the tests of editing share: series, their edits, and the resulting occurrences."""

from __future__ import annotations

from protocol.ical.components import Property
from protocol.ical.document import Document
from protocol.ical.editing import (
    Edit,
    change_occurrence,
    remove_occurrence,
)
from protocol.ical.periods import utc_text
from protocol.ical.recurrence import Occurrence, occurrences
from testing.appendix_b import US_EASTERN
from testing.builders import calendar, component
from testing.values import at, between, document

NOW = at("20260301T120000Z")
LONG = between("20250101T000000Z", "20280101T000000Z")


def edit(*raw: str, **more) -> Edit:
    return Edit(properties=tuple(map(read, raw)), **more)


def read(raw: str) -> Property:
    head, _, value = raw.partition(":")
    return Property(head.partition(";")[0], value, None, raw)


def event(*lines: str, more: tuple[str, ...] = ()) -> bytes:
    return calendar(US_EASTERN, component("VEVENT", "UID:u", "SEQUENCE:3", *lines), *more)


def override(*lines: str) -> str:
    return component("VEVENT", "UID:u", *lines)


def shown(data: bytes | Document | None, window=LONG) -> list[tuple[str, str, str | None]]:
    """Start, end and title of every occurrence."""
    if data is None:
        return []
    parsed = data if isinstance(data, Document) else document(data)
    return [
        (utc_text(item.start), utc_text(item.end), item.component.value("SUMMARY"))
        for item in occurrences(parsed, window)
    ]


def nth(data: bytes, number: int) -> Occurrence:
    return occurrences(document(data), LONG)[number]


def berlin(*lines: str, more: tuple[str, ...] = ()) -> bytes:
    return event(*(raw.replace("BERLIN:", "TZID=Europe/Berlin:") for raw in lines), more=more)


def from_then_on(*lines: str) -> tuple[str, ...]:
    """A THISANDFUTURE override."""
    return (override(*(raw.replace("BERLIN:", "TZID=Europe/Berlin:") for raw in lines), "SUMMARY:b"),)


def without_and_with_a_title(data: bytes, number: int) -> tuple[bytes, bytes]:
    """Remove one occurrence, or give it a title of its own: the others must stay the same."""
    before = shown(data)
    removed = remove_occurrence(document(data), nth(data, number), now=NOW)
    assert sorted(map(str, shown(removed))) == sorted(map(str, [*before[:number], *before[number + 1 :]]))
    changed = change_occurrence(document(data), nth(data, number), edit("SUMMARY:x"), now=NOW)
    before[number] = (*before[number][:2], "x")
    assert sorted(map(str, shown(changed))) == sorted(map(str, before))
    return removed, changed
