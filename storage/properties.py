"""Dead properties: stored verbatim, never interpreted (RFC 4918 §4.1).

Rules of this module: a resource is identified by the id of its principal, calendar or object.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from protocol.model import DeadProperty, PrincipalId
from storage import tables
from storage.database import Statement, Transaction, in_list

_d = tables.dead_properties.c
_of = (_d.principal_id == bindparam("pid"), _d.resource_id == bindparam("resource"))

_ALL = Statement(select(_d.name, _d.xml).where(*_of).order_by(_d.name))
_OF_MANY = Statement(
    select(_d.resource_id, _d.name, _d.xml).where(_d.principal_id == bindparam("pid"), in_list(_d.resource_id, "ids"))
)
_OF_PRINCIPAL = Statement(select(_d.resource_id, _d.name, _d.xml).where(_d.principal_id == bindparam("pid")))
_NAMED = Statement(
    select(_d.resource_id, _d.name, _d.xml).where(_d.principal_id == bindparam("pid"), in_list(_d.name, "names"))
)
_insert = insert(tables.dead_properties)
_SET = Statement(
    _insert.on_conflict_do_update(
        index_elements=["principal_id", "resource_id", "name"], set_={"xml": _insert.excluded.xml}
    )
)
_REMOVE = Statement(delete(tables.dead_properties).where(*_of, _d.name == bindparam("old_name")))
_DROP = Statement(delete(tables.dead_properties).where(*_of))


def dead_properties(tx: Transaction, principal_id: PrincipalId, resource_id: bytes) -> list[DeadProperty]:
    """Every dead property of a resource, by name."""
    return [DeadProperty(*row) for row in tx.fetch_all(_ALL, pid=principal_id, resource=resource_id)]


def dead_properties_of_many(
    tx: Transaction, principal_id: PrincipalId, resource_ids: Iterable[bytes]
) -> dict[bytes, list[DeadProperty]]:
    """The dead properties of many resources of one principal; resources without any are left out."""
    found: dict[bytes, list[DeadProperty]] = {}
    for resource_id, name, xml in tx.fetch_all(_OF_MANY, pid=principal_id, ids=list(resource_ids)):
        found.setdefault(resource_id, []).append(DeadProperty(name, xml))
    return found


def set_dead(tx: Transaction, principal_id: PrincipalId, resource_id: bytes, dead: DeadProperty) -> None:
    """Store a dead property, replacing one of the same name."""
    tx.execute(_SET, principal_id=principal_id, resource_id=resource_id, name=dead.name, xml=dead.xml)


def remove_dead(tx: Transaction, principal_id: PrincipalId, resource_id: bytes, name: str) -> bool:
    """Remove one dead property; whether it was there."""
    return tx.execute(_REMOVE, pid=principal_id, resource=resource_id, old_name=name) > 0


def set_all_dead(tx: Transaction, principal_id: PrincipalId, resource_id: bytes, dead: Iterable[DeadProperty]) -> None:
    """Give a resource these dead properties and no others (COPY and MOVE, RFC 4918 §9.8.2)."""
    drop_dead(tx, principal_id, resource_id)
    for each in dead:
        set_dead(tx, principal_id, resource_id, each)


def drop_dead(tx: Transaction, principal_id: PrincipalId, resource_id: bytes) -> int:
    """Remove every dead property of a resource: how many."""
    return tx.execute(_DROP, pid=principal_id, resource=resource_id)


def dead_properties_all(
    tx: Transaction, principal_id: PrincipalId, names: Iterable[str] | None = None
) -> dict[bytes, list[DeadProperty]]:
    """Every dead property below a principal, or those of some names, by the resource that carries it."""
    found: dict[bytes, list[DeadProperty]] = {}
    wanted = None if names is None else list(names)
    if wanted is None:
        rows = tx.fetch_all(_OF_PRINCIPAL, pid=principal_id)
    else:
        rows = tx.fetch_all(_NAMED, pid=principal_id, names=wanted) if wanted else []
    for resource_id, name, xml in rows:
        found.setdefault(resource_id, []).append(DeadProperty(name, xml))
    return found
