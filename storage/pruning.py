"""Deletes what is kept for some time only: previous texts, the content of removed collections, tombstones.

Rules of this module: one call deletes at most ``limit`` rows of a table and ``OCTETS`` of their texts, so that nobody
waits long for its transaction; the caller repeats it until it answers 0. Times (epoch seconds) are arguments. The
transaction that deletes a tombstone makes the sync tokens from before it invalid (RFC 6578 §3.2).
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    ColumnElement,
    Select,
    Table,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    tuple_,
    update,
)

from protocol.model import CalendarId, PrincipalId
from storage.database import Statement, Transaction, in_list
from storage.tables import calendars, dead_properties, metadata, objects, principals, versions

NO_LIMIT = 1 << 31
OCTETS = 4 * 1024 * 1024
"""The texts that one call deletes are at most this large together, but for the last: SQLite overwrites each of them."""

_c, _o, _v, _d = calendars.c, objects.c, versions.c, dead_properties.c
_pid: BindParameter[bytes] = bindparam("pid")
_cid: BindParameter[bytes] = bindparam("cid")
_limit: BindParameter[int] = bindparam("limit")
_before = bindparam("before", type_=BigInteger)
_seq = bindparam("seq", type_=BigInteger)
_removed = (_c.principal_id == _pid, _c.removed == 1)
_this = (*_removed, _c.calendar_id == _cid)

CONTENT = tuple(
    table
    for table in reversed(metadata.sorted_tables)
    if table is not calendars and {"principal_id", "calendar_id"} <= set(table.c.keys())
)
"""The tables with rows of a calendar; a table comes before those that it refers to."""


def _first_rows(table: Table, *conditions: ColumnElement[bool], order: tuple[Column[int], ...] = ()) -> Statement:
    """The deletion of the first ``limit`` rows that meet the conditions; of large texts fewer, but at least one."""
    own = table.c.principal_id == _pid
    key = [column for column in table.primary_key if column is not table.c.principal_id]
    first = select(*key).where(own, *conditions).order_by(*(order or key)).limit(_limit)
    if "data" in table.c:
        rows = first.add_columns(*order, func.length(table.c.data).label("size")).subquery("first_rows")
        names = [rows.c[column.name] for column in key]
        until = func.sum(rows.c.size).over(
            order_by=[*(rows.c[column.name] for column in order), *names], rows=(None, 0)
        )
        sized = select(*names, (until - rows.c.size).label("before")).subquery("sized")
        first = select(*(sized.c[column.name] for column in key)).where(sized.c.before < OCTETS)
    return Statement(delete(table).where(own, tuple_(*key).in_(first)))


def _anything_in(calendar_id: ColumnElement[bytes]) -> ColumnElement[bool]:
    here = (
        select(table.c.calendar_id).where(table.c.principal_id == _pid, table.c.calendar_id == calendar_id)
        for table in CONTENT
    )
    return or_(*map(exists, here))


def _tombstones_of(calendar_id: ColumnElement[bytes]) -> Select[tuple[int, int, bytes]]:
    return (
        select(_o.seq, _o.modified_at, _o.object_id)
        .where(_o.principal_id == _pid, _o.calendar_id == calendar_id, _o.deleted == 1)
        .order_by(_o.seq)
    )


_ANY_VERSION = Statement(select(_v.replaced_at).where(_v.principal_id == _pid, _v.replaced_at <= _before).limit(1))
_VERSIONS = _first_rows(versions, _v.replaced_at <= _before, order=(_v.replaced_at,))

_REMOVED = Statement(select(_c.calendar_id).where(*_removed, _c.removed_at <= _before, _anything_in(_c.calendar_id)))
_UNFINISHED = Statement(select(_c.calendar_id).where(*_removed, _c.home_seq == 0, _c.created_at <= _before))
_LOCK_REMOVED = Statement(select(_c.calendar_id).where(*_this).with_for_update())
_first_objects = (
    select(_o.object_id).where(_o.principal_id == _pid, _o.calendar_id == _cid).order_by(_o.object_id).limit(_limit)
)
_EMPTY = (
    Statement(
        delete(dead_properties).where(
            _d.principal_id == _pid, or_(_d.resource_id == _cid, _d.resource_id.in_(_first_objects))
        )
    ),
    *(_first_rows(table, table.c.calendar_id == _cid) for table in CONTENT),
)
_SET_EMPTY = Statement(update(calendars).where(*_this, _c.members > 0).values(members=0, size=0))
_DELETE_ROW = Statement(delete(calendars).where(*_this))

_WITH_TOMBSTONES = Statement(
    select(_c.calendar_id).where(
        _c.principal_id == _pid,
        _c.removed == 0,
        _tombstones_of(_c.calendar_id).with_only_columns(_o.modified_at).limit(1).scalar_subquery() <= _before,
    )
)
_OLDEST_TOMBSTONES = Statement(_tombstones_of(_cid).limit(_limit))
_RAISE_SEQ = Statement(
    update(calendars)
    .where(_c.principal_id == _pid, _c.calendar_id == _cid, _c.min_valid_seq < _seq)
    .values(min_valid_seq=_seq)
)
_DELETE_TOMBSTONES = Statement(
    delete(objects).where(_o.principal_id == _pid, _o.calendar_id == _cid, _o.deleted == 1, _o.seq <= _seq)
)
_DELETE_PROPERTIES = Statement(delete(dead_properties).where(_d.principal_id == _pid, in_list(_d.resource_id, "ids")))

_HOME_TOMBSTONES = Statement(
    select(_c.home_seq, _c.calendar_id)
    .where(*_removed, _c.home_seq > 0, _c.removed_at <= _before, ~_anything_in(_c.calendar_id))
    .order_by(_c.home_seq)
    .limit(_limit)
)
_RAISE_HOME_SEQ = Statement(
    update(principals)
    .where(principals.c.principal_id == _pid, principals.c.min_valid_home_seq < _seq)
    .values(min_valid_home_seq=_seq)
)
_SIZES = (
    Statement(select(func.count(), func.sum(func.length(_v.data))).where(_v.principal_id == _pid)),
    Statement(select(func.count(), func.sum(func.length(_o.name))).where(_o.principal_id == _pid, _o.deleted == 1)),
    Statement(select(func.sum(_c.members), func.sum(_c.size)).where(*_removed)),
)


def any_version(tx: Transaction, principal_id: PrincipalId, before: int) -> bool:
    """Whether a text was replaced at ``before`` or earlier."""
    return tx.fetch_one(_ANY_VERSION, pid=principal_id, before=before) is not None


def delete_versions(tx: Transaction, principal_id: PrincipalId, before: int, limit: int) -> int:
    """Delete texts that were replaced at ``before`` or earlier; answers how many."""
    return tx.execute(_VERSIONS, pid=principal_id, before=before, limit=limit)


def removed_collections(tx: Transaction, principal_id: PrincipalId, before: int) -> list[CalendarId]:
    """The collections that were removed at ``before`` or earlier and still have content."""
    return [CalendarId(row[0]) for row in tx.fetch_all(_REMOVED, pid=principal_id, before=before)]


def unfinished_copies(tx: Transaction, principal_id: PrincipalId, before: int) -> list[CalendarId]:
    """The collections that were staged at ``before`` or earlier and never published."""
    return [CalendarId(row[0]) for row in tx.fetch_all(_UNFINISHED, pid=principal_id, before=before)]


def empty(tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId, limit: int = NO_LIMIT) -> int:
    """Delete content of a removed collection; answers how many rows. The collection stays as a tombstone."""
    if tx.fetch_one(_LOCK_REMOVED, pid=principal_id, cid=calendar_id) is None:
        return 0
    deleted = sum(tx.execute(statement, pid=principal_id, cid=calendar_id, limit=limit) for statement in _EMPTY)
    if not deleted:
        tx.execute(_SET_EMPTY, pid=principal_id, cid=calendar_id)
    return deleted


def purge(tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId) -> bool:
    """Delete a removed or staged collection with its content, and its tombstone; answers whether it existed."""
    while empty(tx, principal_id, calendar_id):
        pass
    return tx.execute(_DELETE_ROW, pid=principal_id, cid=calendar_id) > 0


def calendars_with_tombstones(tx: Transaction, principal_id: PrincipalId, before: int) -> list[CalendarId]:
    """The calendars whose oldest tombstone is from ``before`` or earlier."""
    return [CalendarId(row[0]) for row in tx.fetch_all(_WITH_TOMBSTONES, pid=principal_id, before=before)]


def delete_tombstones(
    tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId, before: int, limit: int
) -> int:
    """Delete the oldest tombstones of a calendar, up to the first that is younger than ``before``; how many."""
    place = {"pid": principal_id, "cid": calendar_id}
    last, ids = 0, []
    for seq, removed_at, object_id in tx.fetch_all(_OLDEST_TOMBSTONES, **place, limit=limit):
        if removed_at > before:
            break
        last = seq
        ids.append(object_id)
    if ids:
        tx.execute(_RAISE_SEQ, **place, seq=last)
        tx.execute(_DELETE_PROPERTIES, pid=principal_id, ids=ids)
        tx.execute(_DELETE_TOMBSTONES, **place, seq=last)
    return len(ids)


def any_home_tombstone(tx: Transaction, principal_id: PrincipalId, before: int) -> bool:
    """Whether ``delete_home_tombstones`` has something to delete."""
    return tx.fetch_one(_HOME_TOMBSTONES, pid=principal_id, before=before, limit=1) is not None


def delete_home_tombstones(tx: Transaction, principal_id: PrincipalId, before: int, limit: int) -> int:
    """Delete collections that were removed at ``before`` or earlier and have no content; answers how many."""
    found = tx.fetch_all(_HOME_TOMBSTONES, pid=principal_id, before=before, limit=limit)
    if found:
        tx.execute(_RAISE_HOME_SEQ, pid=principal_id, seq=found[-1][0])
        for _, calendar_id in found:
            tx.execute(_DELETE_ROW, pid=principal_id, cid=calendar_id)
    return len(found)


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is kept for some time only, in rows and octets: previous texts, tombstones (the characters of their names),
    and the objects of removed calendars."""

    versions: int = 0
    versions_octets: int = 0
    tombstones: int = 0
    tombstones_octets: int = 0
    removed_calendars: int = 0
    removed_calendars_octets: int = 0

    def plus(self, other: Sizes) -> Sizes:
        """The sum of both."""
        return Sizes(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


def sizes(tx: Transaction, principal_id: PrincipalId) -> Sizes:
    """What a principal has of each; reads every index entry, so only a job asks it."""
    rows = [tx.fetch_one(statement, pid=principal_id) for statement in _SIZES]
    return Sizes(*(int(number or 0) for row in rows if row for number in row))
