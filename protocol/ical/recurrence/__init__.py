"""The occurrences of an object in a window (RFC 5545 §3.8.4, §3.8.5; RFC 7529).

``recurrence_set`` reads the rules, dates, exceptions and overrides of an object, ``expand`` finds its occurrences in a
window. ``protocol.ical.rules`` expands one rule, ``protocol.ical.timezones`` knows the zones. The ``RecurrenceSet`` of
a Document is made once and kept in its ``cache``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from protocol.errors import Refusal
from protocol.ical.components import Component
from protocol.ical.document import Document
from protocol.ical.recurrence.expand import Occurrence, expand, span_of, window_of
from protocol.ical.recurrence.recurrence_set import RecurrenceSet, recurrence_set_of
from protocol.ical.rules import DEFAULT_PERIODS, Budget, Rule, Series, parse_rule
from protocol.ical.timezones.zone import Zone
from protocol.model import TimeRange

__all__ = [
    "DEFAULT_PERIODS",
    "Budget",
    "Occurrence",
    "Rule",
    "Series",
    "count_until",
    "is_recurring",
    "occurrences",
    "occurrences_of",
    "parse_rule",
    "span",
    "zones_used",
]

_CACHE_KEY = "recurrence"
_READING = 30
"""What reading components that are not a Document costs: the result is not kept, and there may be thousands."""


def occurrences(
    document: Document,
    window: TimeRange,
    *,
    zone_floating: Zone | None = None,
    budget: Budget | None = None,
    limit: int | None = None,
    count_until: int | None = None,
) -> list[Occurrence]:
    """The occurrences of a document that overlap ``window`` (epoch seconds), sorted by start.

    Floating and all-day data is compared in ``zone_floating`` (``None``: UTC). An occurrence without length is in the
    window in which it begins. ``limit`` asks for the first ones only; the window may then have an open end.
    ``count_until`` is an earlier result of the function ``count_until``. Refuses with CALDAV:max-instances when
    ``budget`` is used up, and with CALDAV:supported-rscale for an unknown calendar (RFC 7529 §5.4).
    """
    budget = budget or Budget()
    recurrence = _recurrence_set(document, budget, count_until)
    return expand(recurrence, window_of(window, zone_floating), budget, limit)


def occurrences_of(
    master: Component | None,
    overrides: Iterable[Component],
    timezones: Mapping[str, Component],
    window: TimeRange,
    *,
    zone_floating: Zone | None = None,
    budget: Budget | None = None,
    limit: int | None = None,
) -> list[Occurrence]:
    """The same for components that are not a Document, such as the AVAILABLE of a VAVAILABILITY (RFC 7953 §3.1)."""
    budget = budget or Budget()
    budget.spend(_READING)
    recurrence = recurrence_set_of(master, overrides, timezones, budget=budget)
    return expand(recurrence, window_of(window, zone_floating), budget, limit)


def span(document: Document, budget: Budget | None = None) -> tuple[int, int]:
    """The first start and the last end of all occurrences, as bounds (RFC 5545 §3.8.5).

    The end is ``FOREVER`` for a series without end, or with a COUNT that costs more than ``budget``. Floating and
    all-day data is wall time read as UTC. Without any time: ``(-FOREVER, FOREVER)``.
    """
    budget = budget or Budget()
    return span_of(_recurrence_set(document, budget), budget)


def count_until(document: Document, budget: Budget | None = None) -> int | None:
    """The last start of the only rule of a document when it has a COUNT, in wall seconds of its zone; else ``None``.

    Store it with the object and pass it to ``occurrences``, so that a distant window needs no counting. ``None`` also
    when finding it costs more than ``budget``.
    """
    budget = budget or Budget()
    rules = _recurrence_set(document, budget).rules
    if len(rules) != 1 or rules[0].series.count is None:
        return None
    try:
        return rules[0].series.last(budget)
    except Refusal:
        return None


def is_recurring(document: Document) -> bool:
    """Whether the document can have more than one occurrence."""
    return _recurrence_set(document, Budget()).recurring


def zones_used(document: Document) -> tuple[str, ...]:
    """The IANA keys of the zones that its occurrences depend on, sorted, without UTC, whose law never changes."""
    return _recurrence_set(document, Budget()).zones.names()


def _recurrence_set(document: Document, budget: Budget, resolved: int | None = None) -> RecurrenceSet:
    known = document.cache.get(_CACHE_KEY)
    if isinstance(known, RecurrenceSet):
        return known
    recurrence = recurrence_set_of(document.master, document.overrides, document.timezones, resolved, budget)
    document.cache[_CACHE_KEY] = recurrence
    return recurrence
