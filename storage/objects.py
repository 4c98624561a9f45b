"""Calendar object resources: one row per name that was used in a calendar; a removed name stays as a tombstone.

Rules of this module: the text is stored and returned verbatim. Every other column is derived from it (``ObjectIndex``)
or from the request. A change is conditional on the ETag that the caller read. It carries the ``seq`` that
``calendars.next_seq`` gave in the same transaction. Listings read the covering index, never a wide row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import bindparam, null, or_, select
from sqlalchemy import update as sql_update
from sqlalchemy.dialects.postgresql import insert as sql_insert

from protocol.model import (
    FOREVER,
    CalendarId,
    CalendarKind,
    CalendarObject,
    ComponentKind,
    ETag,
    ObjectId,
    ObjectIndex,
    ObjectMeta,
    PrincipalId,
    Seq,
    Uid,
)
from storage.database import Receipt, Row, Statement, Transaction, in_list
from storage.tables import calendars, objects

_o = objects.c
META = (
    _o.object_id,
    _o.name,
    _o.uid,
    _o.component,
    _o.etag,
    _o.seq,
    _o.size,
    _o.schedule_tag,
    _o.created_at,
    _o.modified_at,
)
"""What ``meta_of`` reads, in the order of ``ObjectMeta``."""

KINDS = tuple(ComponentKind(n) if n else None for n in range(max(ComponentKind) + 1))

_mine = (_o.principal_id == bindparam("pid"), _o.calendar_id == bindparam("cid"))
_live = _o.etag.is_not(None)
"""Not ``deleted = 0``: with it PostgreSQL could use the partial index over the UIDs for any statement, and prefers that
index where most rows are tombstones."""
_listed = _o.deleted == 0
"""The same for listings, which have their own partial index."""
UNIQUE_UID = _o.inbox == 0
"""Objects that have their UID alone: an inbox holds many messages of one UID, every other collection one object."""
_at = _o.object_id == bindparam("oid")

_FIND = Statement(select(*META, _o.data).where(*_mine, _o.name == bindparam("name"), _live))
_FIND_META = Statement(select(*META).where(*_mine, _o.name == bindparam("name"), _live))
_FIND_UID = Statement(select(*META).where(*_mine, _o.uid == bindparam("uid"), _listed, UNIQUE_UID))
_GET = Statement(select(*META, _o.data).where(*_mine, _at, _live))
_ETAGS = Statement(select(_o.name, _o.etag).where(*_mine, _listed).order_by(_o.seq))
_PAGE = Statement(
    select(*META, _o.data)
    .where(*_mine, _listed, _o.seq > bindparam("after"))
    .order_by(_o.seq)
    .limit(bindparam("limit"))
)
_small = _o.size <= bindparam("up_to")
_HEAD = (
    select(calendars.c.seq)
    .where(calendars.c.principal_id == bindparam("pid"), calendars.c.calendar_id == bindparam("cid"))
    .scalar_subquery()
)
"""The current ``seq`` of the calendar."""
_FETCH = Statement(select(*META, _o.data, _HEAD).where(*_mine, in_list(_o.name, "names"), _live, _small))
_FETCH_IDS = Statement(select(*META, _o.data).where(*_mine, in_list(_o.object_id, "oids"), _live, _small))

_insert = sql_insert(objects)
_SET_ALL = {
    column.name: _insert.excluded[column.name]
    for column in objects.columns
    if column.name not in {"principal_id", "calendar_id", "name"}
}
_INSERT = Statement(
    _insert.on_conflict_do_update(
        index_elements=["principal_id", "calendar_id", "name"], set_=_SET_ALL, where=_o.deleted == 1
    )
)
_INDEX_COLUMNS = (
    "first_start",
    "last_end",
    "indexed_until",
    "recurring",
    "count_until",
    "index_version",
    "zones",
)
_UPDATE = Statement(
    sql_update(objects)
    .where(*_mine, _at, _o.etag == bindparam("expected"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in (
                "seq",
                "etag",
                "component",
                "uid",
                "size",
                "schedule_tag",
                "modified_at",
                "data",
                *_INDEX_COLUMNS,
            )
        }
    )
)
_TOMBSTONE_VALUES: dict[str, Any] = {
    "deleted": 1,
    "etag": null(),
    "data": null(),
    "schedule_tag": null(),
    "size": 0,
    "indexed_until": FOREVER,
    "seq": bindparam("new_seq"),
    "modified_at": bindparam("now"),
}
_TOMBSTONE = Statement(
    sql_update(objects)
    .where(*_mine, _at, _live, or_(bindparam("expected", type_=_o.etag.type) == _o.etag, bindparam("any") == 1))
    .values(_TOMBSTONE_VALUES)
)
_TOMBSTONE_AT_CURRENT_SEQ = Statement(
    sql_update(objects)
    .where(*_mine, _at, _o.etag == bindparam("expected"))
    .values({**_TOMBSTONE_VALUES, "seq": _HEAD})
    .returning(_o.seq)
)
_REINDEX = Statement(
    sql_update(objects)
    .where(*_mine, _at, _o.etag == bindparam("expected"))
    .values({name: bindparam(f"new_{name}") for name in _INDEX_COLUMNS})
)


def meta_of(row: Row) -> ObjectMeta:
    """What a row that begins with ``META`` says of an object."""
    return ObjectMeta(row[0], row[1], row[2], KINDS[row[3]], *row[4:10])  # type: ignore[arg-type]


def object_of(row: Row) -> CalendarObject:
    """An object from a row of ``META`` and the text."""
    return CalendarObject(meta_of(row), row[10])


def find(tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId, name: str) -> CalendarObject | None:
    """The object with this name, with its text."""
    row = tx.fetch_one(_FIND, pid=principal_id, cid=calendar_id, name=name)
    return None if row is None else object_of(row)


def get(
    tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId, object_id: ObjectId
) -> CalendarObject | None:
    """The object with this id, with its text."""
    row = tx.fetch_one(_GET, pid=principal_id, cid=calendar_id, oid=object_id)
    return None if row is None else object_of(row)


def find_meta(tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId, name: str) -> ObjectMeta | None:
    """The object with this name, without its text."""
    row = tx.fetch_one(_FIND_META, pid=principal_id, cid=calendar_id, name=name)
    return None if row is None else meta_of(row)


def find_by_uid(tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId, uid: Uid) -> ObjectMeta | None:
    """The object with this UID; a calendar has at most one (RFC 4791 §4.1)."""
    row = tx.fetch_one(_FIND_UID, pid=principal_id, cid=calendar_id, uid=uid)
    return None if row is None else meta_of(row)


def members_etags(tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId) -> list[tuple[str, ETag]]:
    """``(name, etag)`` of every object, oldest change first, from the covering index."""
    return tx.fetch_all(_ETAGS, pid=principal_id, cid=calendar_id)


def page(
    tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId, *, after: int = 0, limit: int = 200
) -> list[CalendarObject]:
    """Objects with text in order of ``seq``; page on with the last ``seq`` (export, scans)."""
    rows = tx.fetch_all(_PAGE, pid=principal_id, cid=calendar_id, after=after, limit=limit)
    return [object_of(row) for row in rows]


def fetch(
    tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId, names: Iterable[str], up_to: int = FOREVER
) -> tuple[list[CalendarObject], Seq]:
    """The objects with these names, with text, in no particular order; unknown names are left out.

    So are those whose text has more than ``up_to`` octets: many small ones fit into memory at once, large ones do not.
    Second comes the number the calendar was at in the same snapshot; 0 when there is no object.
    """
    rows = tx.fetch_all(_FETCH, pid=principal_id, cid=calendar_id, names=list(names), up_to=up_to)
    return [object_of(row) for row in rows], Seq(rows[0][11] if rows else 0)


def fetch_ids(
    tx: Transaction,
    principal_id: PrincipalId,
    calendar_id: CalendarId,
    object_ids: Iterable[ObjectId],
    up_to: int = FOREVER,
) -> list[CalendarObject]:
    """The objects with these ids, like ``fetch``. Ask for a few hundred at a time."""
    rows = tx.fetch_all(_FETCH_IDS, pid=principal_id, cid=calendar_id, oids=list(object_ids), up_to=up_to)
    return [object_of(row) for row in rows]


def _index_values(index: ObjectIndex) -> dict[str, Any]:
    return {
        "first_start": index.first_start,
        "last_end": index.last_end,
        "indexed_until": index.indexed_until,
        "recurring": int(index.recurring),
        "count_until": index.count_until,
        "index_version": index.index_version,
        "zones": "\n".join(index.zones),
    }


def _insert_values(
    principal_id: PrincipalId,
    calendar_id: CalendarId,
    meta: ObjectMeta,
    data: bytes,
    index: ObjectIndex,
    kind: CalendarKind,
) -> dict[str, Any]:
    return {
        "principal_id": principal_id,
        "calendar_id": calendar_id,
        "object_id": meta.object_id,
        "seq": meta.seq,
        "name": meta.name,
        "etag": meta.etag,
        "deleted": 0,
        "component": int(meta.component),
        "uid": meta.uid,
        "size": meta.size,
        "schedule_tag": meta.schedule_tag,
        "created_at": meta.created_at,
        "modified_at": meta.modified_at,
        "data": data,
        "inbox": int(kind is CalendarKind.INBOX),
        **_index_values(index),
    }


def insert(
    tx: Transaction,
    principal_id: PrincipalId,
    calendar_id: CalendarId,
    meta: ObjectMeta,
    data: bytes,
    index: ObjectIndex,
    kind: CalendarKind = CalendarKind.CALENDAR,
) -> bool:
    """Add an object under a name that is free or a tombstone; ``False`` when a live object has the name.

    ``kind`` is that of the collection. Raises ``Duplicate`` (``objects.uid``) when another live object of a collection
    that is no inbox has the UID.
    """
    return tx.execute(_INSERT, **_insert_values(principal_id, calendar_id, meta, data, index, kind)) == 1


def insert_many(
    tx: Transaction,
    principal_id: PrincipalId,
    calendar_id: CalendarId,
    rows: Sequence[tuple[ObjectMeta, bytes, ObjectIndex]],
    kind: CalendarKind = CalendarKind.CALENDAR,
) -> int:
    """Add many objects with different names in bulk: how many were added (a live name is left as it is)."""
    values = [_insert_values(principal_id, calendar_id, *row, kind) for row in rows]
    return tx.execute_many(_INSERT, tuple(values[0]), [tuple(each.values()) for each in values]) if values else 0


def update(
    tx: Transaction,
    principal_id: PrincipalId,
    calendar_id: CalendarId,
    meta: ObjectMeta,
    data: bytes,
    index: ObjectIndex,
    *,
    expected: ETag,
) -> bool:
    """Replace an object's text if its ETag is still ``expected``; ``False`` when it is not, or the object is gone.

    ``created_at`` stays. Raises ``Duplicate`` (``objects.uid``).
    """
    values = {
        "seq": meta.seq,
        "etag": meta.etag,
        "component": int(meta.component),
        "uid": meta.uid,
        "size": meta.size,
        "schedule_tag": meta.schedule_tag,
        "modified_at": meta.modified_at,
        "data": data,
        **_index_values(index),
    }
    params = {f"new_{name}": value for name, value in values.items()}
    return tx.execute(_UPDATE, pid=principal_id, cid=calendar_id, oid=meta.object_id, expected=expected, **params) == 1


def tombstone(
    tx: Transaction,
    principal_id: PrincipalId,
    calendar_id: CalendarId,
    object_id: ObjectId,
    *,
    seq: Seq,
    now: int,
    expected: ETag | None = None,
) -> bool:
    """Turn an object into a tombstone; ``False`` when it is gone or its ETag is not ``expected`` (``None``: any).

    Its occurrences are dropped by ``occurrences.drop``, its text kept by ``versions.keep`` before.
    """
    return (
        tx.execute(
            _TOMBSTONE,
            pid=principal_id,
            cid=calendar_id,
            oid=object_id,
            new_seq=seq,
            now=now,
            expected=expected,
            any=int(expected is None),
        )
        == 1
    )


def tombstone_at_current_seq(
    tx: Transaction,
    principal_id: PrincipalId,
    calendar_id: CalendarId,
    object_id: ObjectId,
    *,
    now: int,
    expected: ETag,
) -> Receipt:
    """The same under the number the calendar is at, which ``calendars.advance`` took in this transaction.

    Nothing is waited for: the receipt holds that number after the commit, and an object that is gone or whose ETag is
    not ``expected`` undoes the transaction with ``RowChanged``.
    """
    return tx.enqueue_returning(
        _TOMBSTONE_AT_CURRENT_SEQ, pid=principal_id, cid=calendar_id, oid=object_id, now=now, expected=expected
    )


def set_index(
    tx: Transaction,
    principal_id: PrincipalId,
    calendar_id: CalendarId,
    object_id: ObjectId,
    index: ObjectIndex,
    *,
    expected: ETag,
) -> bool:
    """Replace what is derived from the text without a change that clients see (``reindex``)."""
    params = {f"new_{name}": value for name, value in _index_values(index).items()}
    return tx.execute(_REINDEX, pid=principal_id, cid=calendar_id, oid=object_id, expected=expected, **params) == 1
