"""Synchronisation: what changed in a calendar or home since a token (RFC 6578).

A token names the database's epoch, the collection and the ``seq`` it was made at. Its floor is the ``seq`` at which a
first, truncated synchronisation began: names removed before it were never shown to the client. No clock is involved.
"""

from __future__ import annotations

from dataclasses import dataclass

from caldav_server.calendaring import access, homes
from caldav_server.calendaring.context import Context
from caldav_server.calendaring.opening import OpenCalendar, OpenHome, open_calendar
from protocol.errors import Condition, Refusal
from protocol.model import Access, Calendar, Seq
from storage import calendars as stored_calendars
from storage import changes as stored_changes
from storage import principals as stored_principals
from storage.changes import ChangeRow
from storage.database import Transaction

__all__ = ["ChangeRow"]
_NOWHERE = Seq(0)
_SCHEME = "urn:caldav-server:sync:"


@dataclass(frozen=True, slots=True)
class SyncToken:
    """A point in the history of one collection."""

    seq: Seq
    floor: Seq = _NOWHERE


def render_token(epoch: str, collection_id: bytes, token: SyncToken) -> str:
    """The token as the URI that clients keep."""
    tail = f":{token.floor}" if token.floor else ""
    return f"{_SCHEME}{epoch}:{collection_id.hex()}:{token.seq}{tail}"


def parse_token(text: str, *, epoch: str, collection_id: bytes, seq: Seq, min_valid_seq: Seq) -> SyncToken:
    """Read a client's token against the collection as it is now; empty is the beginning (RFC 6578 §3.2).

    Refuses ``valid-sync-token`` for a token of another database, of another collection, from the future, or older than
    the tombstones that are kept.
    """
    if not text.strip():
        return SyncToken(Seq(0), floor=seq)
    parts = text.strip().removeprefix(_SCHEME).split(":")
    if not text.strip().startswith(_SCHEME) or len(parts) not in (3, 4) or parts[:2] != [epoch, collection_id.hex()]:
        raise _stale("This sync token is not one of this collection.")
    if not all(part.isascii() and part.isdigit() and len(part) < 20 for part in parts[2:]):
        raise _stale("This sync token is damaged.")
    token = SyncToken(Seq(int(parts[2])), Seq(int(parts[3])) if len(parts) == 4 else Seq(0))
    if token.seq > seq or token.floor > seq:
        raise _stale("This sync token is from a later state than the collection has.")
    if max(token.seq, token.floor) < min_valid_seq:
        raise _stale("This sync token is too old: start again with an empty one.")
    return token


def _stale(message: str) -> Refusal:
    return Refusal(Condition.VALID_SYNC_TOKEN, message)


def token_of_calendar(ctx: Context, opened: OpenCalendar) -> str:
    """The token of the state that a calendar was in when it was opened."""
    return render_token(ctx.epoch, opened.calendar.calendar_id, SyncToken(opened.calendar.seq))


def token_of_home(ctx: Context, opened: OpenHome) -> str:
    """The token of the state that a home was in when it was opened."""
    return render_token(ctx.epoch, opened.owner.principal_id, SyncToken(opened.owner.home_seq))


def _next_token(token: SyncToken, reached: Seq, *, more: bool) -> SyncToken:
    return SyncToken(reached, token.floor if more and token.floor > reached else Seq(0))


@dataclass(frozen=True, slots=True)
class CalendarChanges:
    """Changes of objects since a token: the rows in order, the next token, and the calendar at that moment."""

    calendar: Calendar
    rows: list[ChangeRow]
    token: str
    more: bool
    """The limit cut the changes; the rest follows with the next token."""


async def changes_of_calendar(ctx: Context, opened: OpenCalendar, token: str, limit: int) -> CalendarChanges:
    """The names that changed in a calendar since a token, at most ``limit``; all of one snapshot."""
    access.require(opened, Access.READ)
    place = (opened.calendar.principal_id, opened.calendar.calendar_id)

    def work(tx: Transaction) -> tuple[Calendar, SyncToken, list[ChangeRow]]:
        now = stored_calendars.get(tx, *place)
        if now is None:
            raise Refusal(Condition.NOT_FOUND, "There is no such calendar.")
        since = parse_token(
            token, epoch=ctx.epoch, collection_id=place[1], seq=now.seq, min_valid_seq=now.min_valid_seq
        )
        return now, since, stored_changes.rows(tx, *place, since.seq, limit + 1, since.floor)

    now, since, rows = await ctx.db.read(work)
    more = len(rows) > limit
    rows = rows[:limit]
    after = _next_token(since, rows[-1][1] if more else now.seq, more=more)
    return CalendarChanges(now, rows, render_token(ctx.epoch, place[1], after), more)


@dataclass(frozen=True, slots=True)
class HomeChanges:
    """Changes of the collections of a home since a token; changes inside a calendar are the calendar's."""

    removed: list[str]
    """Names of collections that are gone."""
    present: list[OpenCalendar]
    """Collections that were made or changed."""
    token: str
    more: bool


async def changes_of_home(ctx: Context, opened: OpenHome, token: str, limit: int) -> HomeChanges:
    """The collections of a home that were made, changed or removed since a token, at most ``limit``."""
    access.require(opened, Access.READ)
    owner = opened.owner
    await homes.collections(ctx, owner)  # makes what must always be there, before the token is read

    def work(tx: Transaction) -> tuple[Seq, SyncToken, list[tuple[str, Seq, bool]], list[Calendar]]:
        now = stored_principals.get(tx, owner.principal_id)
        if now is None:
            raise Refusal(Condition.NOT_FOUND, "There is no such principal.")
        since = parse_token(
            token,
            epoch=ctx.epoch,
            collection_id=owner.principal_id,
            seq=now.home_seq,
            min_valid_seq=stored_principals.min_valid_home_seq(tx, owner.principal_id),
        )
        changes = stored_changes.home_since(tx, owner.principal_id, since.seq, limit + 1, since.floor)
        return now.home_seq, since, changes, stored_calendars.of_home(tx, owner.principal_id)

    seq, since, changed, there = await ctx.db.read(work)
    more = len(changed) > limit
    changed = changed[:limit]
    after = _next_token(since, changed[-1][1] if more else seq, more=more)
    by_name = {each.name: open_calendar(opened, each) for each in there}
    return HomeChanges(
        [name for name, _, gone in changed if gone],
        [by_name[name] for name, _, gone in changed if not gone],
        render_token(ctx.epoch, owner.principal_id, after),
        more,
    )
