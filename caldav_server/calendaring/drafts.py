"""Reading a body as a calendar object: checked, repaired and indexed before a write (RFC 4791 §5.3.2.1)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from caldav_server.calendaring.context import Rules
from protocol.errors import Condition, Refusal
from protocol.ical.document import Document, parse_document
from protocol.ical.index import index_document
from protocol.model import MAX_KEY_OCTETS, CalendarKind, ETag, ObjectIndex
from storage import occurrences as stored_occurrences


@dataclass(frozen=True, slots=True)
class Draft:
    """A body that was read, checked and indexed: ready to be saved under any name."""

    data: bytes
    etag: ETag
    index: ObjectIndex
    """Without its entries, which are the rows."""
    rows: list[stored_occurrences.IndexRow]
    repairs: tuple[str, ...]
    altered: bool
    """A repair changed the text, so that the stored bytes are not the sent ones and no ETag is answered."""
    document: Document | None = None
    """The parsed text; ``None`` when another process read it (import)."""


def draft(rules: Rules, now: int, data: bytes, *, strict: bool, kind: CalendarKind = CalendarKind.CALENDAR) -> Draft:
    """Read a body as a calendar object resource; refuses with the condition of RFC 4791 §5.3.2.1 that it breaks.

    ``now``: epoch seconds; occurrences are indexed as far ahead of it as the rules say. ``kind`` is that of the
    collection: what an inbox holds are scheduling messages.
    """
    message = kind is CalendarKind.INBOX
    parsed = parse_document(data, limits=rules.limits, strict=strict, message=message)
    index = index_document(parsed.document, horizon=now + rules.horizon_seconds, cap=rules.occurrences_cap)
    if len(index.uid.encode("utf-8", "surrogatepass")) > MAX_KEY_OCTETS:
        raise Refusal(Condition.VALID_CALENDAR_OBJECT_RESOURCE, f"A UID may hold at most {MAX_KEY_OCTETS} octets.")
    rows = stored_occurrences.rows_of(index.component, index.entries)
    index = replace(index, entries=())
    return Draft(
        parsed.data, etag_of(parsed.data), index, rows, parsed.repairs, parsed.data is not data, parsed.document
    )


def etag_of(data: bytes) -> ETag:
    """The strong entity tag of a body: it depends on the bytes alone."""
    return ETag(hashlib.sha256(data).hexdigest()[:32])
