"""Parsing stored texts, and what one request may spend on them.

What is stored was accepted once, so no limit on its size refuses it again. But one request may only spend so much on
all the texts it touches, however many of them are hostile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from protocol.errors import Condition, Refusal
from protocol.ical.document import Document, parse_document
from protocol.ical.recurrence import DEFAULT_PERIODS, Budget
from protocol.ical.scanner import STORED

REQUEST_PERIODS = 50 * DEFAULT_PERIODS
"""Recurrence periods one request may examine in vain over all objects: about a second of CPU."""


def document_of(data: bytes) -> Document:
    """The parsed form of a stored text."""
    return parse_document(data, limits=STORED).document


class RequestBudget:
    """What one request may still spend on work that answers nothing; each object gets a budget out of it.

    Occurrences that are answered are free: their number is bounded by what the client takes, as it is for large texts.
    """

    def __init__(self, periods: int = REQUEST_PERIODS) -> None:
        self._left = periods

    @contextmanager
    def for_object(self) -> Iterator[Budget]:
        """The budget for one object; refuses ``number-of-matches-within-limits`` when the request used up its own."""
        if self._left <= 0:
            raise Refusal(
                Condition.NUMBER_OF_MATCHES_WITHIN_LIMITS, "The question takes too much work; ask for a shorter time."
            )
        granted = Budget()
        try:
            yield granted
        finally:
            spent = DEFAULT_PERIODS - max(0, granted.left)
            self._left -= max(0, spent - granted.answered)
