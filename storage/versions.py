"""Previous texts of objects: what undo, merge and history are made of.

Rules of this module: a version is kept in the transaction that replaces it, copied inside the database.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select
from sqlalchemy.types import BigInteger

from protocol.model import CalendarId, ETag, ObjectId, PrincipalId, Seq, Uid
from storage.database import Statement, Transaction
from storage.tables import Id, Word, objects, versions

_o = objects.c
_v = versions.c

_KEEP = Statement(
    insert(versions).from_select(
        [
            "principal_id",
            "calendar_id",
            "object_id",
            "seq",
            "name",
            "uid",
            "etag",
            "replaced_at",
            "action",
            "author_id",
            "request_id",
            "data",
        ],
        select(
            _o.principal_id,
            _o.calendar_id,
            _o.object_id,
            _o.seq,
            _o.name,
            _o.uid,
            _o.etag,
            bindparam("replaced_at", type_=BigInteger),
            bindparam("action", type_=Word),
            bindparam("author", type_=Id),
            bindparam("request", type_=Word),
            _o.data,
        ).where(
            _o.principal_id == bindparam("pid"),
            _o.calendar_id == bindparam("cid"),
            _o.object_id == bindparam("oid"),
            _o.etag.is_not(None),
        ),
    )
)
_of = (_v.principal_id == bindparam("pid"), _v.calendar_id == bindparam("cid"))
_OF_OBJECT = Statement(
    select(_v.seq, _v.name, _v.uid, _v.etag, _v.replaced_at, _v.action, _v.author_id, _v.request_id, _v.data)
    .where(*_of, _v.object_id == bindparam("oid"))
    .order_by(_v.seq.desc())
    .limit(bindparam("limit"))
)


@dataclass(frozen=True, slots=True)
class Version:
    """A text that an object had: current from change ``seq`` until ``replaced_at`` (epoch seconds)."""

    seq: Seq
    name: str
    uid: Uid
    etag: ETag
    replaced_at: int
    action: str
    author_id: PrincipalId | None
    request_id: str
    data: bytes


def keep(
    tx: Transaction,
    principal_id: PrincipalId,
    calendar_id: CalendarId,
    object_id: ObjectId,
    *,
    replaced_at: int,
    action: str,
    author_id: PrincipalId | None,
    request_id: str = "",
) -> None:
    """Keep the text an object has now, just before it is replaced or removed; nothing when there is none."""
    tx.enqueue(
        _KEEP,
        pid=principal_id,
        cid=calendar_id,
        oid=object_id,
        replaced_at=replaced_at,
        action=action,
        author=author_id,
        request=request_id,
    )


def of_object(
    tx: Transaction, principal_id: PrincipalId, calendar_id: CalendarId, object_id: ObjectId, limit: int = 100
) -> list[Version]:
    """The previous texts of an object, newest first."""
    rows = tx.fetch_all(_OF_OBJECT, pid=principal_id, cid=calendar_id, oid=object_id, limit=limit)
    return [Version(*row) for row in rows]
