"""The change log: the object rows, read in the order of their ``seq`` (RFC 6578).

Rules of this module: one indexed query per page. The caller checks tokens against ``Calendar.seq`` and
``Calendar.min_valid_seq`` read in the same snapshot.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Select, bindparam, literal_column, or_, select, union_all

from protocol.model import CalendarId, ETag, PrincipalId, Seq
from storage.database import Statement, Transaction
from storage.tables import calendars, objects

_o = objects.c
_c = calendars.c


def _half(deleted: int, after: str) -> Select[Any]:
    return select(_o.name, _o.seq.label("seq"), _o.etag, _o.component).where(
        _o.principal_id == bindparam("pid"),
        _o.calendar_id == bindparam("cid"),
        _o.deleted == deleted,
        _o.seq > bindparam(after, type_=BigInteger),
    )


# Objects and tombstones have an index each. Merged, they are the log in its order. A client that needs no tombstones
# reads none, however many there are.
_SINCE = Statement(
    union_all(_half(0, "after"), _half(1, "dead_after")).order_by(literal_column("seq")).limit(bindparam("limit"))
)
ChangeRow = tuple[str, Seq, ETag | None, int]
"""``(name, seq, etag, component)``; without an etag the name was removed."""

_HOME_SINCE = Statement(
    select(_c.name, _c.home_seq, _c.removed)
    .where(
        _c.principal_id == bindparam("pid"),
        _c.home_seq > bindparam("after"),
        _c.name.is_not(None),
        or_(_c.removed == 0, _c.home_seq > bindparam("floor")),
    )
    .order_by(_c.home_seq, _c.removed)
    .limit(bindparam("limit"))
)


def rows(
    tx: Transaction,
    principal_id: PrincipalId,
    calendar_id: CalendarId,
    seq: int,
    limit: int = 1 << 31,
    floor: int = 0,
) -> list[ChangeRow]:
    """``(name, seq, etag, component)`` of each name that changed after ``seq``, in order; without an etag: removed.

    Tombstones numbered ``floor`` or less are left out, because the client never knew the name (first full sync).
    """
    dead_after = max(seq, floor)
    return tx.fetch_all(_SINCE, pid=principal_id, cid=calendar_id, after=seq, dead_after=dead_after, limit=limit)


def home_since(
    tx: Transaction, principal_id: PrincipalId, seq: int, limit: int = 1 << 31, floor: int = 0
) -> list[tuple[str, Seq, bool]]:
    """``(name, home_seq, removed)`` of each collection of a home that changed itself after ``seq``, in order.

    ``floor`` is the same as for ``rows``.
    """
    found = tx.fetch_all(_HOME_SINCE, pid=principal_id, after=seq, floor=floor, limit=limit)
    return [(name, Seq(number), bool(removed)) for name, number, removed in found]
