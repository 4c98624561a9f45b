"""Collections of a calendar home: the rows, their numbers (``seq``, ``home_seq``) and their tombstones.

Rules of this module: ``calendars.seq`` numbers the changes of members. A write takes it last, because it locks the
calendar. ``principals.home_seq`` numbers the changes of the collections. A removed collection stays as a tombstone for
the sync of the home (RFC 6578). When its name is used again, the tombstone loses the name.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, TypedDict, Unpack

from sqlalchemy import bindparam, func, null, or_, select
from sqlalchemy import update as sql_update
from sqlalchemy.dialects.postgresql import insert

from protocol.model import Calendar, CalendarId, CalendarKind, ComponentKind, PrincipalId, Seq
from storage.database import Row, Statement, Transaction
from storage.errors import Duplicate, ParentGone
from storage.ids import new_id
from storage.principals import next_home_seq
from storage.tables import calendars

_c = calendars.c
COLUMNS = (
    _c.principal_id,
    _c.calendar_id,
    _c.name,
    _c.kind,
    _c.components,
    _c.display_name,
    _c.description,
    _c.color,
    _c.order,
    _c.time_zone,
    _c.time_zone_id,
    _c.transparent,
    _c.created_at,
    _c.seq,
    _c.min_valid_seq,
    _c.home_seq,
)
"""What ``calendar_of`` reads, in order."""

_mine = _c.principal_id == bindparam("pid")
_this = _c.calendar_id == bindparam("cid")
_live = _c.removed == 0

_OF_HOME = Statement(select(*COLUMNS).where(_mine, _live).order_by(_c.name))
_OF_HOME_COUNTED = Statement(select(*COLUMNS, _c.members).where(_mine, _live).order_by(_c.name))
_FIND = Statement(select(*COLUMNS).where(_mine, _c.name == bindparam("name"), _live))
_GET = Statement(select(*COLUMNS).where(_mine, _this, _live))
_INSERT = Statement(insert(calendars))
_FREE_NAME = Statement(
    sql_update(calendars).where(_mine, _c.name == bindparam("old_name"), _c.removed == 1).values(name=null())
)
_REMOVE = Statement(
    sql_update(calendars)
    .where(_mine, _this, _live)
    .values(removed=1, removed_at=bindparam("now"), home_seq=bindparam("number"))
    .returning(_c.name)
)
_RENAME = Statement(
    sql_update(calendars)
    .where(_mine, _this, _live)
    .values(name=bindparam("new_name"), home_seq=bindparam("number"))
    .returning(*COLUMNS)
)
_PUBLISH = Statement(
    sql_update(calendars)
    .where(_mine, _this, _c.removed == 1, _c.name.is_(None), _c.home_seq == 0)
    .values(
        removed=0,
        name=bindparam("new_name"),
        home_seq=bindparam("number"),
    )
    .returning(_c.calendar_id)
)
_NEXT_SEQ = Statement(
    sql_update(calendars)
    .where(_mine, _this, or_(_live, _c.home_seq == 0))  # a staged collection has no number of its home yet
    .values(
        seq=_c.seq + bindparam("n"),
        members=_c.members + bindparam("more_members"),
        size=_c.size + bindparam("more_size"),
    )
    .returning(_c.seq)
)
_LOCK = Statement(select(_c.seq).where(_mine, _this, _live).with_for_update())
_USAGE = Statement(
    select(func.coalesce(func.sum(_c.members), 0), func.coalesce(func.sum(_c.size), 0)).where(_mine, _live)
)


class CalendarFields(TypedDict, total=False):
    """The properties of a calendar that its owner can set."""

    components: frozenset[ComponentKind]
    display_name: str | None
    description: str | None
    color: str | None
    order: str | None
    time_zone: str | None
    time_zone_id: str | None
    transparent: bool


@lru_cache(maxsize=256)
def component_set(mask: int) -> frozenset[ComponentKind]:
    """The component types in a bit mask."""
    return frozenset(kind for kind in ComponentKind if mask >> kind & 1)


def component_mask(kinds: frozenset[ComponentKind]) -> int:
    """The bit mask of component types, one bit each, that the column holds."""
    return sum(1 << kind for kind in kinds)


def calendar_of(row: Row) -> Calendar:
    """A calendar from a row of ``COLUMNS``."""
    return Calendar(
        row[0],
        row[1],
        row[2],
        CalendarKind(row[3]),
        component_set(row[4]),
        row[5],
        row[6],
        row[7],
        row[8],
        row[9],
        row[10],
        bool(row[11]),
        row[12],
        row[13],
        row[14],
        row[15],
    )


def _values(fields: CalendarFields) -> dict[str, Any]:
    values: dict[str, Any] = dict(fields)
    if "components" in fields:
        values["components"] = component_mask(fields["components"])
    if "transparent" in fields:
        values["transparent"] = int(fields["transparent"])
    return values


def of_home(tx: Transaction, principal_id: PrincipalId) -> list[Calendar]:
    """Every collection of a home that is not removed, by name, with inbox, outbox and notification."""
    return [calendar_of(row) for row in tx.fetch_all(_OF_HOME, pid=principal_id)]


def of_home_with_counts(tx: Transaction, principal_id: PrincipalId) -> list[tuple[Calendar, int]]:
    """The same, each with the number of its objects."""
    return [(calendar_of(row), int(row[-1])) for row in tx.fetch_all(_OF_HOME_COUNTED, pid=principal_id)]


def find(tx: Transaction, principal_id: PrincipalId, name: str) -> Calendar | None:
    """The collection with this name, unless it is removed."""
    row = tx.fetch_one(_FIND, pid=principal_id, name=name)
    return None if row is None else calendar_of(row)


def get(tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId) -> Calendar | None:
    """The collection with this id, unless it is removed."""
    row = tx.fetch_one(_GET, pid=principal_id, cid=calendar_id)
    return None if row is None else calendar_of(row)


def _insert_row(tx: Transaction, calendar: Calendar, *, removed_at: int | None = None, staged: bool = False) -> None:
    tx.execute(
        _INSERT,
        principal_id=calendar.principal_id,
        calendar_id=calendar.calendar_id,
        name=None if staged else calendar.name,
        removed=int(staged or removed_at is not None),
        removed_at=removed_at,
        home_seq=calendar.home_seq,
        seq=calendar.seq,
        min_valid_seq=calendar.min_valid_seq,
        members=0,
        size=0,
        kind=calendar.kind.value,
        components=component_mask(calendar.components),
        transparent=int(calendar.transparent),
        created_at=calendar.created_at,
        display_name=calendar.display_name,
        description=calendar.description,
        color=calendar.color,
        order=calendar.order,
        time_zone=calendar.time_zone,
        time_zone_id=calendar.time_zone_id,
    )


def create(tx: Transaction, calendar: Calendar) -> Seq:
    """Add a collection and number the change of the home; answers its ``home_seq``.

    Raises ``Duplicate`` (``calendars.name``) when a live collection has the name, ``ParentGone`` without the principal.
    """
    number = next_home_seq(tx, calendar.principal_id)
    if find(tx, calendar.principal_id, calendar.name) is not None:
        raise Duplicate("calendars.name")
    tx.execute(_FREE_NAME, pid=calendar.principal_id, old_name=calendar.name)
    _insert_row(tx, replace(calendar, home_seq=number))
    return number


def stage(tx: Transaction, calendar: Calendar) -> None:
    """Add a collection that clients do not see until ``publish``; ``pruning.purge`` removes it. Its ``home_seq`` is
    0."""
    _insert_row(tx, replace(calendar, home_seq=Seq(0)), staged=True)


def publish(tx: Transaction, calendar: Calendar) -> None:
    """Show a staged collection under its name, with what was put into it meanwhile.

    Raises ``Duplicate`` (``calendars.name``) when a live collection has the name, ``ParentGone`` when it was purged.
    """
    number = next_home_seq(tx, calendar.principal_id)
    if find(tx, calendar.principal_id, calendar.name) is not None:
        raise Duplicate("calendars.name")
    tx.execute(_FREE_NAME, pid=calendar.principal_id, old_name=calendar.name)
    row = tx.fetch_one(
        _PUBLISH,
        pid=calendar.principal_id,
        cid=calendar.calendar_id,
        new_name=calendar.name,
        number=number,
    )
    if row is None:
        raise ParentGone("the calendar is gone")


@lru_cache(maxsize=64)
def _update_statement(fields: tuple[str, ...]) -> Statement:
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in fields}
    return Statement(
        sql_update(calendars)
        .where(_mine, _this, _live)
        .values(home_seq=bindparam("number"), **values)
        .returning(*COLUMNS)
    )


def update(
    tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId, **fields: Unpack[CalendarFields]
) -> Calendar:
    """Set the named fields and number the change of the home; raises ``ParentGone`` when the calendar is gone."""
    values = _values(fields)
    statement = _update_statement(tuple(sorted(values)))
    number = next_home_seq(tx, principal_id)
    params = {f"new_{name}": value for name, value in values.items()}
    row = tx.fetch_one(statement, pid=principal_id, cid=calendar_id, number=number, **params)
    if row is None:
        raise ParentGone("the calendar is gone")
    return calendar_of(row)


def remove(tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId, *, now: int) -> bool:
    """Turn a collection into a tombstone; its objects stay until it is pruned. Answers whether it existed.

    ``now``: epoch seconds.
    """
    number = next_home_seq(tx, principal_id)
    return tx.fetch_one(_REMOVE, pid=principal_id, cid=calendar_id, number=number, now=now) is not None


def rename(tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId, new_name: str, *, now: int) -> Calendar:
    """Give a collection another name (MOVE within the home); the old name stays as a tombstone.

    Raises ``Duplicate`` (``calendars.name``) when a live collection has the name, ``ParentGone`` when it is gone.
    """
    # Each name needs a number: a truncated answer that ends between them must continue with the second one.
    tombstone_number, number = next_home_seq(tx, principal_id), next_home_seq(tx, principal_id)
    before = get(tx, principal_id, calendar_id)
    if before is None:
        raise ParentGone("the calendar is gone")
    if find(tx, principal_id, new_name) is not None:
        raise Duplicate("calendars.name")
    tx.execute(_FREE_NAME, pid=principal_id, old_name=new_name)
    row = tx.fetch_one(_RENAME, pid=principal_id, cid=calendar_id, new_name=new_name, number=number)
    if row is None:
        raise ParentGone("the calendar is gone")
    tombstone = Calendar(principal_id, CalendarId(new_id()), before.name, kind=before.kind, home_seq=tombstone_number)
    _insert_row(tx, tombstone, removed_at=now)
    return calendar_of(row)


def next_seq(
    tx: Transaction,
    principal_id: PrincipalId,
    calendar_id: CalendarId,
    n: int = 1,
    *,
    members: int = 0,
    size: int = 0,
) -> Seq:
    """Take ``n`` numbers and lock the calendar until commit. Answers the last: the rows get ``seq-n+1 .. seq``.

    ``members`` and ``size`` (octets): how many more the calendar will hold. Call it as late as possible, because
    nothing slow may happen under this lock. Raises ``ParentGone``.
    """
    row = tx.fetch_one(_NEXT_SEQ, pid=principal_id, cid=calendar_id, n=n, more_members=members, more_size=size)
    if row is None:
        raise ParentGone("the calendar is gone")
    return Seq(row[0])


def lock(tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId) -> None:
    """Keep other writers out of a calendar until commit, so that what is read after this does not change.

    It is for writes of many objects. A single object is saved on condition of its ETag instead. Raises ``ParentGone``.
    """
    if tx.fetch_one(_LOCK, pid=principal_id, cid=calendar_id) is None:
        raise ParentGone("the calendar is gone")


def advance(tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId, *, members: int, size: int) -> None:
    """Take one number like ``next_seq`` without waiting for it: later statements read it from the calendar's row.

    A calendar that is gone undoes the transaction with ``RowChanged``.
    """
    tx.enqueue_returning(_NEXT_SEQ, pid=principal_id, cid=calendar_id, n=1, more_members=members, more_size=size)


def usage(tx: Transaction, principal_id: PrincipalId) -> tuple[int, int]:
    """How many objects a home holds and the octets of their texts, without previous versions (RFC 4331)."""
    row = tx.fetch_one(_USAGE, pid=principal_id)
    return (0, 0) if row is None else (int(row[0]), int(row[1]))
