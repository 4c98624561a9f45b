"""The occurrence index: when every object occurs, so that a time-range query reads only its answers.

Rules of this module: ``protocol.ical.index`` makes the rows so that ``start < b and end > a`` is the whole test
(RFC 4791 §9.9). There are four buckets: short (at most ``SHORT`` seconds) or long, each in UTC or floating. A query is
a few index ranges per bucket. Floating rows are compared with the range in wall time, read as if it were UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, bindparam, delete, insert, literal_column, select
from sqlalchemy import union as sql_union
from sqlalchemy import union_all as sql_union_all

from protocol.model import (
    DAY,
    FOREVER,
    CalendarId,
    ComponentKind,
    IndexEntry,
    ObjectId,
    PrincipalId,
    TimeRange,
)
from storage.database import Statement, Transaction
from storage.tables import objects, occurrences

SHORT = 7 * DAY
"""Seconds: an occurrence longer than this goes into a long bucket."""

WIDE = 70 * DAY
"""Seconds: in a longer range an object may occur hundreds of times, so the database answers each object once."""

_ZONE_SLACK = DAY
"""Seconds: no wall time is further from UTC than this; spans of floating objects are compared with this slack."""

_EVERYTHING = (1 << 15) - 1
_COLUMNS = ("bucket", "start_at", "end_at", "component", "busy")
IndexRow = tuple[int, int, int, int, int]
"""The values of these columns for one occurrence."""
ObjectRow = tuple[int, int, int, int, int, ObjectId]
"""The same with the object."""

_r = occurrences.c
_o = objects.c
_mine = (_r.principal_id == bindparam("pid"), _r.calendar_id == bindparam("cid"))

_INSERT = Statement(insert(occurrences))
_DROP = Statement(delete(occurrences).where(*_mine, _r.object_id == bindparam("oid")))


def _bit(column: ColumnElement[int]) -> ColumnElement[Any]:
    """A component type as the bit that stands for it in the parameter ``mask``."""
    return literal_column("1").op("<<")(column)


def _in_bucket(bucket: int, *, columns: Sequence[ColumnElement[Any]], busy_only: bool) -> Select[Any]:
    prefix = "wall" if bucket >= 2 else "utc"
    start, end = bindparam(f"{prefix}_start", type_=BigInteger), bindparam(f"{prefix}_end", type_=BigInteger)
    # A long occurrence may start at any time, but the statement needs a lower bound: PostgreSQL estimates a range with
    # one end as a third of the table, and then reads the whole calendar by another index.
    first = bindparam(f"{prefix}_early" if bucket % 2 == 0 else "ever", type_=BigInteger)
    conditions = [*_mine, _r.bucket == bucket, _r.start_at < end, _r.start_at > first, _r.end_at > start]
    if busy_only:
        conditions.append(_r.busy > 0)
    else:
        conditions.append(_bit(_r.component).op("&")(bindparam("mask", type_=BigInteger)) != 0)
    return select(*columns).where(and_(*conditions))


_IN_BUCKETS = [_in_bucket(bucket, columns=[_r.object_id], busy_only=False) for bucket in range(4)]
_CANDIDATES = Statement(sql_union_all(*_IN_BUCKETS))
_CANDIDATES_ONCE = Statement(sql_union(*_IN_BUCKETS))
_BUSY = Statement(
    sql_union_all(
        *(
            _in_bucket(
                bucket,
                columns=[_r.start_at, _r.end_at, literal_column(str(int(bucket >= 2))), _r.busy, _r.object_id],
                busy_only=True,
            )
            for bucket in range(4)
        )
    ).limit(bindparam("limit"))
)
_BEYOND = Statement(
    select(_o.object_id).where(
        _o.principal_id == bindparam("pid"),
        _o.calendar_id == bindparam("cid"),
        _o.indexed_until < FOREVER,
        _o.indexed_until < bindparam("late", type_=BigInteger),
        _o.first_start < bindparam("late", type_=BigInteger),
        _o.last_end > bindparam("early", type_=BigInteger),
        _o.etag.is_not(None),
        _bit(_o.component).op("&")(bindparam("mask", type_=BigInteger)) != 0,
    )
)
_STORED = Statement(
    select(_r.bucket, _r.start_at, _r.end_at, _r.component, _r.busy).where(*_mine, _r.object_id == bindparam("oid"))
)
_INDEXED_UNTIL = Statement(
    select(_o.indexed_until).where(
        _o.principal_id == bindparam("pid"), _o.calendar_id == bindparam("cid"), _o.object_id == bindparam("oid")
    )
)
_SPAN = Statement(select(_r.start_at, _r.end_at).where(*_mine, _r.object_id == bindparam("oid")).order_by(_r.start_at))


def _mask(components: Collection[ComponentKind] | None) -> int:
    return _EVERYTHING if components is None else sum(1 << kind for kind in set(components))


def _bounds(absolute: TimeRange, wall: TimeRange) -> dict[str, int]:
    bounds = {"ever": -FOREVER - 1}
    for prefix, span in (("utc", absolute), ("wall", wall)):
        start = -FOREVER if span.start is None else span.start
        bounds[f"{prefix}_start"] = start
        bounds[f"{prefix}_early"] = start - SHORT - 1
        bounds[f"{prefix}_end"] = FOREVER if span.end is None else span.end
    return bounds


def rows_of(component: ComponentKind, entries: Iterable[IndexEntry]) -> list[IndexRow]:
    """The rows for the entries of an object; of equal intervals the busiest stays."""
    busiest: dict[tuple[int, int, int], int] = {}
    for start, end, floating, busy in entries:
        key = ((1 if end - start > SHORT else 0) + (2 if floating else 0), start, end)
        known = busiest.get(key)
        if known is None or known < busy:
            busiest[key] = int(busy)
    kind = int(component)
    return [(*key, kind, busy) for key, busy in busiest.items()]


def replace(
    tx: Transaction,
    principal_id: PrincipalId,
    calendar_id: CalendarId,
    object_id: ObjectId,
    rows: Sequence[IndexRow],
) -> None:
    """Replace the rows of an object. Writes nothing when they are the same, as most changes keep the times."""
    if set(rows) == set(tx.fetch_all(_STORED, pid=principal_id, cid=calendar_id, oid=object_id)):
        return
    tx.enqueue(_DROP, pid=principal_id, cid=calendar_id, oid=object_id)
    add(tx, principal_id, calendar_id, object_id, rows)


def add(
    tx: Transaction,
    principal_id: PrincipalId,
    calendar_id: CalendarId,
    object_id: ObjectId,
    rows: Sequence[IndexRow],
) -> None:
    """Index an object that has no rows yet."""
    same = {"principal_id": principal_id, "calendar_id": calendar_id, "object_id": object_id}
    if len(rows) == 1:
        tx.enqueue(_INSERT, **same, **dict(zip(_COLUMNS, rows[0], strict=True)))
    elif rows:
        tx.enqueue_many(_INSERT, _COLUMNS, rows, **same)


def in_order(objects_rows: Iterable[tuple[ObjectId, Sequence[IndexRow]]]) -> list[ObjectRow]:
    """The rows of many objects in the order of the index, so that writing them changes fewer of its pages."""
    return sorted((*row, object_id) for object_id, some in objects_rows for row in some)


def add_rows(
    tx: Transaction,
    principal_id: PrincipalId,
    calendar_id: CalendarId,
    rows: Sequence[ObjectRow],
    of: Collection[ObjectId],
) -> None:
    """Index many objects that have no rows yet, in bulk (import, copies); rows of others are left out."""
    wanted = [row for row in rows if row[-1] in of]
    tx.enqueue_many(_INSERT, (*_COLUMNS, "object_id"), wanted, principal_id=principal_id, calendar_id=calendar_id)


def drop(tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId, object_id: ObjectId) -> None:
    """Remove every index entry of an object."""
    tx.enqueue(_DROP, pid=principal_id, cid=calendar_id, oid=object_id)


def candidates(
    tx: Transaction,
    principal_id: PrincipalId,
    calendar_id: CalendarId,
    absolute: TimeRange,
    wall: TimeRange,
    components: Collection[ComponentKind] | None = None,
) -> list[ObjectId]:
    """The objects with an indexed occurrence in the range, each once.

    ``absolute`` is the range in UTC, ``wall`` the same range in the wall time of the query's zone; ``components`` none:
    all. Occurrences past ``indexed_until`` of an object are not in the index: ask ``beyond`` too.
    """
    short = absolute.start is not None and absolute.end is not None and absolute.end - absolute.start <= WIDE
    found = tx.fetch_all(
        _CANDIDATES if short else _CANDIDATES_ONCE,
        pid=principal_id,
        cid=calendar_id,
        mask=_mask(components),
        **_bounds(absolute, wall),
    )
    return list(dict.fromkeys([row[0] for row in found]))


def busy(
    tx: Transaction,
    principal_id: PrincipalId,
    calendar_id: CalendarId,
    absolute: TimeRange,
    wall: TimeRange,
    limit: int = 1 << 31,
) -> list[tuple[int, int, int, int, ObjectId]]:
    """``(start, end, floating, busy, object_id)`` of each indexed occurrence in the range that takes time.

    ``floating`` 1: start and end are wall time read as UTC; ``busy`` is a ``BusyType`` above ``FREE``.
    """
    return tx.fetch_all(_BUSY, pid=principal_id, cid=calendar_id, limit=limit, **_bounds(absolute, wall))


def beyond(
    tx: Transaction,
    principal_id: PrincipalId,
    calendar_id: CalendarId,
    span: TimeRange,
    components: Collection[ComponentKind] | None = None,
) -> list[ObjectId]:
    """The objects whose index ends before the range does and whose span reaches it (UTC, a day of slack for zones).

    They have to be expanded from their text; some may be among ``candidates`` as well.
    """
    early = -FOREVER if span.start is None else span.start - _ZONE_SLACK
    late = FOREVER if span.end is None else span.end + _ZONE_SLACK
    found = tx.fetch_all(_BEYOND, pid=principal_id, cid=calendar_id, early=early, late=late, mask=_mask(components))
    return [row[0] for row in found]


def of_object(
    tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId, object_id: ObjectId
) -> list[tuple[int, int]]:
    """``(start, end)`` of every index entry of an object, in order."""
    return tx.fetch_all(_SPAN, pid=principal_id, cid=calendar_id, oid=object_id)


def indexed_until(tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId, object_id: ObjectId) -> int:
    """The instant up to which the index entries of an object are complete; ``FOREVER``: they all are."""
    row = tx.fetch_one(_INDEXED_UNTIL, pid=principal_id, cid=calendar_id, oid=object_id)
    return -FOREVER if row is None else int(row[0])
