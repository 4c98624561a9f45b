"""Principals and the directory: principals by name, address and group, and their delegates.

Rules of this module: a directory table is keyed by what is asked for; a principal's row is found by its id. A statement
that crosses principals says why (``across``). Every change bumps the accounts version.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, bindparam, delete, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert

from protocol.model import Principal, PrincipalId, PrincipalKind, Seq
from storage.database import Row, Statement, Transaction, in_list
from storage.errors import ParentGone
from storage.server_state import bump_accounts_version
from storage.tables import (
    OWNERS,
    delegates,
    directory_addresses,
    directory_names,
    memberships,
    metadata,
    principals,
)

_p = principals.c
COLUMNS = (
    _p.principal_id,
    _p.kind,
    _p.name,
    _p.display_name,
    _p.emails,
    _p.time_zone,
    _p.is_admin,
    _p.auto_accept,
    _p.home_seq,
)
"""What ``principal_of`` reads, in order."""

_BY_DIRECTORY = "the directory finds the principal"

_GET = Statement(select(*COLUMNS).where(_p.principal_id == bindparam("pid")))
_BY_NAME = Statement(
    select(*COLUMNS)
    .select_from(directory_names.join(principals, _p.principal_id == directory_names.c.principal_id))
    .where(directory_names.c.name == bindparam("name")),
    across=_BY_DIRECTORY,
)
_BY_ADDRESS = Statement(
    select(*COLUMNS)
    .select_from(directory_addresses.join(principals, _p.principal_id == directory_addresses.c.principal_id))
    .where(directory_addresses.c.address == bindparam("address")),
    across=_BY_DIRECTORY,
)
_ALL = Statement(select(*COLUMNS).order_by(_p.name), across="the list of all principals")
_PAGE = Statement(
    select(*COLUMNS)
    .select_from(directory_names.join(principals, _p.principal_id == directory_names.c.principal_id))
    .where(directory_names.c.name > bindparam("after"))
    .order_by(directory_names.c.name)
    .limit(bindparam("limit")),
    across="the list of all principals",
)
_MANY = Statement(
    select(*COLUMNS).where(in_list(_p.principal_id, "ids")).order_by(_p.name), across="principals known by their ids"
)
_insert = insert(principals)
_SAVE = Statement(
    _insert.on_conflict_do_update(
        index_elements=["principal_id"],
        set_={
            key: _insert.excluded[key]
            for key in (
                "kind",
                "name",
                "display_name",
                "emails",
                "time_zone",
                "is_admin",
                "auto_accept",
                "folded_name",
                "folded_emails",
            )
        },
    )
)
_HOME_SEQ = Statement(
    update(principals)
    .where(_p.principal_id == bindparam("pid"))
    .values(home_seq=_p.home_seq + 1)
    .returning(_p.home_seq)
)
_NAME_SAVE = Statement(insert(directory_names))
_NAME_DROP = Statement(delete(directory_names).where(directory_names.c.principal_id == bindparam("pid")))
_ADDRESS_SAVE = Statement(insert(directory_addresses))
_ADDRESS_DROP = Statement(delete(directory_addresses).where(directory_addresses.c.principal_id == bindparam("pid")))
_GROUPS_OF = Statement(
    select(*COLUMNS)
    .select_from(memberships.join(principals, _p.principal_id == memberships.c.group_id))
    .where(memberships.c.member_id == bindparam("member"))
    .order_by(_p.name),
    across=_BY_DIRECTORY,
)
_MEMBERS_OF = Statement(
    select(*COLUMNS)
    .select_from(memberships.join(principals, _p.principal_id == memberships.c.member_id))
    .where(memberships.c.group_id == bindparam("group"))
    .order_by(_p.name),
    across=_BY_DIRECTORY,
)
_MEMBERS_DROP = Statement(delete(memberships).where(memberships.c.group_id == bindparam("group")))
_MEMBER_SAVE = Statement(insert(memberships))
_DELEGATES_OF = Statement(
    select(delegates.c.can_write, *COLUMNS)
    .select_from(delegates.join(principals, _p.principal_id == delegates.c.delegate_id))
    .where(delegates.c.principal_id == bindparam("pid"))
    .order_by(_p.name),
    across=_BY_DIRECTORY,
)
_DELEGATORS_OF = Statement(
    select(delegates.c.can_write, *COLUMNS)
    .select_from(delegates.join(principals, _p.principal_id == delegates.c.principal_id))
    .where(delegates.c.delegate_id == bindparam("delegate"))
    .order_by(_p.name),
    across=_BY_DIRECTORY,
)
_DELEGATES_DROP = Statement(delete(delegates).where(delegates.c.principal_id == bindparam("pid")))
_DELEGATE_SAVE = Statement(insert(delegates))
_MIN_VALID_HOME_SEQ = Statement(select(_p.min_valid_home_seq).where(_p.principal_id == bindparam("pid")))
_IDS_AFTER = Statement(
    select(_p.principal_id)
    .where(_p.principal_id > bindparam("after"))
    .order_by(_p.principal_id)
    .limit(bindparam("limit")),
    across="upkeep visits every principal, page by page",
)
_REMOVE = tuple(
    Statement(delete(table).where(or_(*(column == bindparam("pid") for column in table.c if column.name in OWNERS))))
    for table in reversed(metadata.sorted_tables)
    if table is not principals and any(column.name in OWNERS for column in table.c)
)
"""One for each table with rows of a principal, those that refer to others first."""
_REMOVE_ROW = Statement(delete(principals).where(_p.principal_id == bindparam("pid")))


def principal_of(row: Row) -> Principal:
    """A principal from a row of ``COLUMNS``."""
    pid, kind, name, display_name, emails, time_zone, is_admin, auto_accept, home_seq = row
    return Principal(
        pid,
        PrincipalKind(kind),
        name,
        display_name,
        tuple(emails.split("\n")) if emails else (),
        time_zone,
        bool(is_admin),
        auto_accept,
        home_seq,
    )


def fold_address(address: str) -> str:
    """The form of an address in the directory: no ``mailto:``, no outer blanks, case folded."""
    bare = address.strip()
    if bare[:7].lower() == "mailto:":
        bare = bare[7:]
    return bare.casefold()


def get(tx: Transaction, principal_id: PrincipalId) -> Principal | None:
    """The principal with this id."""
    row = tx.fetch_one(_GET, pid=principal_id)
    return None if row is None else principal_of(row)


def find_by_name(tx: Transaction, name: str) -> Principal | None:
    """The principal with exactly this name (login and URL segment)."""
    row = tx.fetch_one(_BY_NAME, name=name)
    return None if row is None else principal_of(row)


def find_by_address(tx: Transaction, address: str) -> Principal | None:
    """The principal with this mail address, with or without ``mailto:``, in any letter case."""
    row = tx.fetch_one(_BY_ADDRESS, address=fold_address(address))
    return None if row is None else principal_of(row)


def list_all(tx: Transaction) -> list[Principal]:
    """Every principal, by name."""
    return [principal_of(row) for row in tx.fetch_all(_ALL)]


def page(tx: Transaction, after: str, limit: int) -> list[Principal]:
    """Principals in the order of their names, those behind ``after``, at most ``limit``."""
    return [principal_of(row) for row in tx.fetch_all(_PAGE, after=after, limit=limit)]


def get_many(tx: Transaction, principal_ids: Iterable[PrincipalId]) -> list[Principal]:
    """The principals with these ids, by name; unknown ids are left out."""
    return [principal_of(row) for row in tx.fetch_all(_MANY, ids=list(principal_ids))]


def save(tx: Transaction, principal: Principal) -> None:
    """Add a principal or replace its row, except ``home_seq``.

    Raises ``Duplicate`` with key ``directory_names.name`` or ``directory_addresses.address`` when another principal
    has the name or an address.
    """
    folded = list(dict.fromkeys(fold_address(address) for address in principal.emails))
    pid = principal.principal_id
    if any("\n" in address for address in principal.emails):
        raise ValueError("a mail address has no line break")
    tx.execute(
        _SAVE,
        principal_id=pid,
        kind=principal.kind.value,
        name=principal.name,
        display_name=principal.display_name,
        emails="\n".join(principal.emails),
        time_zone=principal.time_zone,
        is_admin=int(principal.is_admin),
        auto_accept=principal.auto_accept,
        home_seq=principal.home_seq,
        min_valid_home_seq=0,
        folded_name=principal.display_name.casefold(),
        folded_emails="\n" + "".join(f"{address}\n" for address in folded),
    )
    tx.execute(_NAME_DROP, pid=pid)
    tx.execute(_NAME_SAVE, name=principal.name, principal_id=pid)
    tx.execute(_ADDRESS_DROP, pid=pid)
    for address in folded:
        tx.execute(_ADDRESS_SAVE, address=address, principal_id=pid)
    bump_accounts_version(tx)


def remove(tx: Transaction, principal_id: PrincipalId) -> bool:
    """Remove a principal and everything that it owns. Answers whether it existed."""
    for statement in _REMOVE:
        tx.execute(statement, pid=principal_id)
    removed = tx.execute(_REMOVE_ROW, pid=principal_id)
    bump_accounts_version(tx)
    return removed > 0


def next_home_seq(tx: Transaction, principal_id: PrincipalId) -> Seq:
    """Number a change of the home (a collection was made, changed, moved or removed); locks the home until commit."""
    row = tx.fetch_one(_HOME_SEQ, pid=principal_id)
    if row is None:
        raise ParentGone("the principal is gone")
    return Seq(row[0])


def min_valid_home_seq(tx: Transaction, principal_id: PrincipalId) -> Seq:
    """The oldest ``home_seq`` that a sync token may have: older tombstones of the home were pruned."""
    row = tx.fetch_one(_MIN_VALID_HOME_SEQ, pid=principal_id)
    return Seq(0 if row is None else row[0])


def ids_after(tx: Transaction, after: bytes, limit: int) -> list[PrincipalId]:
    """A page of all principals in the order of their ids; ``after`` is the last id of the page before, or empty."""
    return [PrincipalId(row[0]) for row in tx.fetch_all(_IDS_AFTER, after=after, limit=limit)]


def groups_of(tx: Transaction, member_id: PrincipalId) -> list[Principal]:
    """The groups that list this principal as a direct member (RFC 3744 §4.4), by name."""
    return [principal_of(row) for row in tx.fetch_all(_GROUPS_OF, member=member_id)]


def members_of(tx: Transaction, group_id: PrincipalId) -> list[Principal]:
    """The direct members of a group (RFC 3744 §4.3), by name."""
    return [principal_of(row) for row in tx.fetch_all(_MEMBERS_OF, group=group_id)]


def set_members(tx: Transaction, group_id: PrincipalId, member_ids: Iterable[PrincipalId]) -> None:
    """Replace the members of a group."""
    tx.execute(_MEMBERS_DROP, group=group_id)
    for member_id in dict.fromkeys(member_ids):
        tx.execute(_MEMBER_SAVE, group_id=group_id, member_id=member_id)
    bump_accounts_version(tx)


def delegates_of(tx: Transaction, principal_id: PrincipalId) -> list[tuple[Principal, bool]]:
    """The delegates of this principal, and whether each may write."""
    return [(principal_of(row[1:]), bool(row[0])) for row in tx.fetch_all(_DELEGATES_OF, pid=principal_id)]


def delegators_of(tx: Transaction, delegate_id: PrincipalId) -> list[tuple[Principal, bool]]:
    """The principals that this one is a delegate of, and whether it may write there."""
    return [(principal_of(row[1:]), bool(row[0])) for row in tx.fetch_all(_DELEGATORS_OF, delegate=delegate_id)]


def set_delegates(
    tx: Transaction, principal_id: PrincipalId, delegates_and_rights: Iterable[tuple[PrincipalId, bool]]
) -> None:
    """Replace the delegates of a principal: pairs of delegate and whether it may write."""
    tx.execute(_DELEGATES_DROP, pid=principal_id)
    for delegate_id, can_write in dict(delegates_and_rights).items():
        tx.execute(_DELEGATE_SAVE, principal_id=principal_id, delegate_id=delegate_id, can_write=int(can_write))
    bump_accounts_version(tx)


SearchField = Literal["display_name", "email", "name", "kind"]
MatchType = Literal["contains", "equals", "starts-with", "ends-with"]


@dataclass(frozen=True, slots=True)
class Term:
    """One text to search for in one field of a principal, in any letter case."""

    field: SearchField
    text: str
    match: MatchType = "contains"


def search(
    tx: Transaction, searches: Sequence[Sequence[Term]], *, any_of: bool = False, limit: int = 100
) -> list[Principal]:
    """Principals that match all searches (or any of them), by name; at most ``limit``.

    A search is matched when all its terms are. No search at all matches everybody, a search without terms too.
    """
    statement = _search_statement(tuple(tuple(term.field for term in each) for each in searches), any_of)
    terms = [term for each in searches for term in each]
    patterns: dict[str, Any] = {f"text_{n}": _pattern(term) for n, term in enumerate(terms)}
    return [principal_of(row) for row in tx.fetch_all(statement, limit=limit, **patterns)]


_FOLDED: dict[SearchField, ColumnElement[str]] = {
    "display_name": _p.folded_name,
    "email": _p.folded_emails,
    "name": _p.name,
    "kind": _p.kind,
}


@lru_cache(maxsize=256)
def _search_statement(searches: tuple[tuple[SearchField, ...], ...], any_of: bool) -> Statement:
    number = itertools.count()
    conditions = [
        and_(true(), *(_FOLDED[name].like(bindparam(f"text_{next(number)}"), escape="\\") for name in fields))
        for fields in searches
    ]
    joined = or_(*conditions) if any_of and conditions else and_(true(), *conditions)
    return Statement(
        select(*COLUMNS).where(joined).order_by(_p.name).limit(bindparam("limit")),
        across="a search of the directory",
        varied=True,
    )


def _pattern(term: Term) -> str:
    text = term.text.casefold() if term.field in {"display_name", "email"} else term.text
    for special in ("\\", "%", "_"):
        text = text.replace(special, "\\" + special)
    if term.field == "email":  # the column holds every address between two newlines
        before = "%\n" if term.match in {"equals", "starts-with"} else "%"
        after = "\n%" if term.match in {"equals", "ends-with"} else "%"
        return before + text + after
    before = "" if term.match in {"equals", "starts-with"} else "%"
    after = "" if term.match in {"equals", "ends-with"} else "%"
    return before + text + after
