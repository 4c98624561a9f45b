"""Many members of a calendar at once: their ids, and rows by name or UID.

Rules of this module: set-based statements only. ``objects`` is for one object at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import bindparam, select

from protocol.model import CalendarId, ComponentKind, ObjectId, ObjectMeta, PrincipalId, Uid
from storage import objects
from storage.database import Statement, Transaction, in_list
from storage.tables import objects as table

_o = table.c
_mine = (_o.principal_id == bindparam("pid"), _o.calendar_id == bindparam("cid"))
_live = _o.etag.is_not(None)

_IDS = Statement(select(_o.object_id, _o.component).where(*_mine, _o.deleted == 0).order_by(_o.seq))
_UIDS = Statement(select(_o.object_id, _o.uid).where(*_mine, _o.deleted == 0))
_BY_UID = Statement(select(*objects.META).where(*_mine, in_list(_o.uid, "uids"), _o.deleted == 0, objects.UNIQUE_UID))
_METAS = Statement(select(*objects.META).where(*_mine, in_list(_o.name, "names"), _live))


def ids(
    tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId, components: Collection[ComponentKind] | None
) -> list[ObjectId]:
    """The ids of all objects of these component types (``None``: of any), oldest change first."""
    rows = tx.fetch_all(_IDS, pid=principal_id, cid=calendar_id)
    if components is None:
        return [row[0] for row in rows]
    wanted = {int(kind) for kind in components}
    return [row[0] for row in rows if row[1] in wanted]


def uids(tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId) -> list[tuple[ObjectId, Uid]]:
    """The id and UID of every object."""
    return tx.fetch_all(_UIDS, pid=principal_id, cid=calendar_id)


def metas(
    tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId, names: Iterable[str]
) -> list[ObjectMeta]:
    """The rows of the objects with these names, without text; unknown names are left out."""
    return [objects.meta_of(row) for row in tx.fetch_all(_METAS, pid=principal_id, cid=calendar_id, names=list(names))]


def by_uid(
    tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId, uids: Iterable[str]
) -> dict[Uid, ObjectMeta]:
    """The rows of the objects with these UIDs; unknown ones are left out, and so are messages of an inbox."""
    rows = tx.fetch_all(_BY_UID, pid=principal_id, cid=calendar_id, uids=list(uids))
    return {meta.uid: meta for meta in map(objects.meta_of, rows)}


def taken_names(
    tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId, names: Iterable[str]
) -> frozenset[str]:
    """Those of the names that a live object has."""
    return frozenset(meta.name for meta in metas(tx, principal_id, calendar_id, names))
