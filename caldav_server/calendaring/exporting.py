"""Export of whole calendars: one iCalendar file of everything in a calendar, however large (RFC 5545 §3.4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from caldav_server.calendaring import access
from caldav_server.calendaring.context import Context
from caldav_server.calendaring.opening import OpenCalendar
from protocol.ical.join import Joiner
from protocol.model import Access, CalendarId, CalendarObject, PrincipalId
from storage import objects as stored
from storage.database import Transaction

_PAGE = 200


async def export_calendar(ctx: Context, opened: OpenCalendar) -> AsyncIterator[tuple[bytes, int]]:
    """The file piece by piece, each with the number of objects it holds."""
    access.require(opened, Access.READ)
    joiner = Joiner(opened.binding.display_name or opened.binding.name)
    yield joiner.begin(), 0
    async for page in _pages(ctx, opened):
        yield b"".join(joiner.add(each.data) for each in page), len(page)
    yield joiner.end(), 0


async def _pages(ctx: Context, opened: OpenCalendar) -> AsyncIterator[list[CalendarObject]]:
    place = (opened.calendar.principal_id, opened.calendar.calendar_id)
    after = 0
    seen: set[bytes] = set()  # What changes meanwhile comes by again under its new number.
    while page := await ctx.db.read(partial(_page, place=place, after=after)):
        yield [each for each in page if each.meta.object_id not in seen]
        seen.update(each.meta.object_id for each in page)
        after = page[-1].meta.seq


def _page(tx: Transaction, place: tuple[PrincipalId, CalendarId], after: int) -> list[CalendarObject]:
    return stored.page(tx, *place, after=after, limit=_PAGE)
