"""Short forms for values that many tests need: a parsed object, an instant, a time range."""

from __future__ import annotations

from datetime import UTC, datetime

from protocol.ical.document import Document, parse_document
from protocol.model import TimeRange


def document(data: bytes) -> Document:
    """The Document of an object's bytes."""
    return parse_document(data).document


def at(text: str) -> int:
    """Epoch seconds of ``20060104T140000Z``."""
    return int(datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp())


def between(start: str | None, end: str | None) -> TimeRange:
    """The range between two UTC texts; ``None``: open."""
    return TimeRange(None if start is None else at(start), None if end is None else at(end))
