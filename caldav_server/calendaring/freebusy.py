"""Free-busy: when the time of calendars is taken, and how (RFC 4791 §7.10, RFC 7953).

Whoever may only read free-busy may ask this and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from caldav_server.calendaring import access
from caldav_server.calendaring.context import Context
from caldav_server.calendaring.opening import OpenCalendar
from caldav_server.calendaring.queries import fetch_each
from caldav_server.calendaring.work_budget import RequestBudget, document_of
from protocol.errors import Condition, Refusal
from protocol.ical import availability, freebusy, timezones
from protocol.ical.instants import to_instants, wall_range_of
from protocol.model import Access, BusyType, Calendar, ComponentKind, TimeRange
from storage import occurrences as stored_occurrences
from storage.database import Transaction

MOST_BUSY = 100_000
"""Occurrences of one calendar that one free-busy answer is made of at most."""


async def free_busy(
    ctx: Context, opened: Iterable[OpenCalendar], window: TimeRange, zone: timezones.Zone
) -> list[freebusy.BusyPeriod]:
    """The busy periods of calendars within a window, merged (RFC 4791 §7.10).

    An end may be open; where an unending series then makes the answer endless, it is refused with ``max-instances``.
    """
    chosen = list(opened)
    for each in chosen:
        access.require(each, Access.READ_FREE_BUSY)

    def work(tx: Transaction) -> list[freebusy.BusyPeriod]:
        budget = RequestBudget()
        absent = [each for calendar in chosen for each in _availabilities(tx, calendar.calendar, window, zone, budget)]
        periods = (each for calendar in chosen for each in _busy(tx, calendar.calendar, window, zone, budget))
        return freebusy.merge(periods, availability.unavailable(absent, window), window)

    return await ctx.db.read(work)


def _busy(
    tx: Transaction, calendar: Calendar, window: TimeRange, zone: timezones.Zone, budget: RequestBudget
) -> Iterator[freebusy.BusyPeriod]:
    """What the index knows, and of objects whose index ends too early, what their text says."""
    principal_id, calendar_id = calendar.principal_id, calendar.calendar_id
    beyond = stored_occurrences.beyond(tx, principal_id, calendar_id, window, _TAKE_TIME)
    skipped = set(beyond)
    # What the wall clock only seems to show in the window is cut off with all else that is outside of it.
    rows = stored_occurrences.busy(
        tx, principal_id, calendar_id, window, wall_range_of(window, zone).wide, limit=MOST_BUSY + 1
    )
    if len(rows) > MOST_BUSY:
        raise Refusal(Condition.MAX_INSTANCES, "There is too much in this time; ask for less.")
    for start, end, floating, kind, object_id in rows:
        if object_id in skipped:
            continue
        yield freebusy.BusyPeriod(*to_instants(start, end, bool(floating), zone), BusyType(kind))
    for each in fetch_each(tx, calendar, beyond):
        with budget.for_object() as granted:
            yield from freebusy.busy_periods(document_of(each.data), window, zone, granted)


_TAKE_TIME = frozenset({ComponentKind.VEVENT, ComponentKind.VFREEBUSY})
_AVAILABILITY = frozenset({ComponentKind.VAVAILABILITY})


def _availabilities(
    tx: Transaction, calendar: Calendar, window: TimeRange, zone: timezones.Zone, budget: RequestBudget
) -> list[availability.Availability]:
    """The VAVAILABILITY objects of a calendar that reach into the window (RFC 7953 §4)."""
    principal_id, calendar_id = calendar.principal_id, calendar.calendar_id
    wall = wall_range_of(window, zone).wide
    found = stored_occurrences.candidates(tx, principal_id, calendar_id, window, wall, _AVAILABILITY)
    if not found:
        return []
    absent: list[availability.Availability] = []
    for each in fetch_each(tx, calendar, found):
        with budget.for_object() as granted:
            absent += availability.availabilities(document_of(each.data).calendar, window, zone, granted)
    return absent
