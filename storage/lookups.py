"""The look-ups of a poll: one statement finds everything that a request needs by the names in its URL.

Rules of this module: the directory finds the principal, and joins on its id find the rest. That is the named exception
to "every statement carries its principal". Each function makes a ``Lookup`` for ``Database.point``.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ScalarSelect, and_, bindparam, select

from protocol.model import Calendar, CalendarId, CalendarObject, ObjectMeta, Principal, Seq
from storage import calendars, objects, principals
from storage.database import Lookup, Row, Statement
from storage.tables import calendars as c
from storage.tables import directory_names as d
from storage.tables import objects as o
from storage.tables import principals as p
from storage.tables import server_state

_ACROSS = "names in a URL: the directory finds the principal, everything else joins its id"


def _state(key: str, column: str) -> ScalarSelect[object]:
    return select(server_state.c[column]).where(server_state.c.key == key).scalar_subquery()


_STATE = (_state("epoch", "value"), _state("accounts_version", "number"))

# A sub-select in each join, so that PostgreSQL finds every table by its whole key, whatever it guesses about the sizes.
# Joins were planned as a scan of all principals while there was only one.
_pid = select(d.c.principal_id).where(d.c.name == bindparam("principal")).scalar_subquery()
_at = and_(c.c.principal_id == _pid, c.c.name == bindparam("calendar"), c.c.removed == 0)
_cid = select(c.c.calendar_id).where(_at).scalar_subquery()
_calendar = p.outerjoin(c, _at)
_object = _calendar.outerjoin(
    o,
    and_(
        o.c.principal_id == _pid,
        o.c.calendar_id == _cid,
        o.c.name == bindparam("object"),
        o.c.etag.is_not(None),
    ),
)
_named = p.c.principal_id == _pid

_HOME = Statement(select(*_STATE, *principals.COLUMNS).select_from(p).where(_named), across=_ACROSS)
_CALENDAR = Statement(
    select(*_STATE, *principals.COLUMNS, *calendars.COLUMNS).select_from(_calendar).where(_named), across=_ACROSS
)
_META = Statement(
    select(*_STATE, *principals.COLUMNS, *calendars.COLUMNS, *objects.META).select_from(_object).where(_named),
    across=_ACROSS,
)
_OBJECT = Statement(
    select(*_STATE, *principals.COLUMNS, *calendars.COLUMNS, *objects.META, o.c.data)
    .select_from(_object)
    .where(_named),
    across=_ACROSS,
)
_CALENDAR_STATE = Statement(select(c.c.seq, c.c.home_seq, c.c.calendar_id, _STATE[1]).where(_at), across=_ACROSS)
_P = len(_STATE)
_C = _P + len(principals.COLUMNS)
_O = _C + len(calendars.COLUMNS)


CalendarState = tuple[Seq, Seq, CalendarId, int]
"""``seq``, ``home_seq``, id and the version of the accounts: answers about one calendar depend on these only."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the names in a URL stand for at one moment: the principal and what exists below it."""

    epoch: str
    accounts_version: int
    principal: Principal
    calendar: Calendar | None = None
    meta: ObjectMeta | None = None
    object: CalendarObject | None = None
    """With its text; set by ``calendar_object`` only."""


def _found(row: Row | None) -> Found | None:
    if row is None:
        return None
    epoch, version = row[:_P]
    principal = principals.principal_of(row[_P:_C])
    if len(row) == _C:
        return Found(epoch, version, principal)
    calendar = None if row[_C] is None else calendars.calendar_of(row[_C:_O])
    if len(row) == _O or row[_O] is None:
        return Found(epoch, version, principal, calendar)
    meta = objects.meta_of(row[_O:])
    whole = None if len(row) == _O + len(objects.META) else CalendarObject(meta, row[-1])
    return Found(epoch, version, principal, calendar, meta, whole)


def home(principal: str) -> Lookup[Found | None]:
    """The principal with this name; ``None`` when there is no such principal."""
    return Lookup(_HOME, {"principal": principal}, _found)


def calendar(principal: str, calendar: str) -> Lookup[Found | None]:
    """A principal and a collection of its home (``Found.calendar`` is ``None`` when there is no such one)."""
    return Lookup(_CALENDAR, {"principal": principal, "calendar": calendar}, _found)


def calendar_state(principal: str, calendar: str) -> Lookup[CalendarState | None]:
    """Which calendar a name in a home stands for, and its numbers: all that a repeated poll needs."""
    return Lookup(_CALENDAR_STATE, {"principal": principal, "calendar": calendar}, _as_it_is)


def _as_it_is(row: Row | None) -> CalendarState | None:
    return row


def meta(principal: str, calendar: str, name: str) -> Lookup[Found | None]:
    """A principal, a collection and an object in it, without the text (HEAD, PROPFIND, DELETE)."""
    return Lookup(_META, {"principal": principal, "calendar": calendar, "object": name}, _found)


def calendar_object(principal: str, calendar: str, name: str) -> Lookup[Found | None]:
    """A principal, a collection and an object in it with its text: all that a GET needs."""
    return Lookup(_OBJECT, {"principal": principal, "calendar": calendar, "object": name}, _found)
