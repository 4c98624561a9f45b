"""Previous texts of objects, kept so that a change can be undone.

Rules of this module: the transaction that replaces a text keeps it; the database copies the row.
"""

from __future__ import annotations

from sqlalchemy import bindparam, insert, select
from sqlalchemy.types import BigInteger

from protocol.model import CalendarId, ObjectId, PrincipalId
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
    """Keep the current text of an object, just before it is replaced or removed; does nothing without one."""
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
