"""How principals prove who they are: password hashes and app passwords.

Rules of this module: hashes come and go as text; nothing here knows how they are made.
"""

from __future__ import annotations

import json

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from protocol.model import Credential, PrincipalId
from storage.database import Row, Statement, Transaction
from storage.server_state import bump_accounts_version
from storage.tables import credentials

_c = credentials.c
_mine = _c.principal_id == bindparam("pid")

_OF_PRINCIPAL = Statement(
    select(_c.principal_id, _c.credential_id, _c.kind, _c.label, _c.hash, _c.created_at, _c.extra)
    .where(_mine)
    .order_by(_c.created_at, _c.credential_id)
)
_insert = insert(credentials)
_SAVE = Statement(
    _insert.on_conflict_do_update(
        index_elements=["principal_id", "credential_id"],
        set_={key: _insert.excluded[key] for key in ("kind", "label", "hash", "created_at", "extra")},
    )
)
_REMOVE = Statement(delete(credentials).where(_mine, _c.credential_id == bindparam("credential")))
_REMOVE_KIND = Statement(delete(credentials).where(_mine, _c.kind == bindparam("old_kind")))


def _credential(row: Row) -> Credential:
    return Credential(row[0], row[1], row[2], row[3], row[4], row[5], json.loads(row[6]))


def for_principal(tx: Transaction, principal_id: PrincipalId) -> list[Credential]:
    """Every credential of a principal, oldest first."""
    return [_credential(row) for row in tx.fetch_all(_OF_PRINCIPAL, pid=principal_id)]


def save(tx: Transaction, credential: Credential) -> None:
    """Add a credential, or replace the one with the same id; logins cached elsewhere must be checked again."""
    tx.execute(
        _SAVE,
        principal_id=credential.principal_id,
        credential_id=credential.credential_id,
        kind=credential.kind,
        label=credential.label,
        hash=credential.hash,
        created_at=credential.created_at,
        extra=json.dumps(credential.extra, separators=(",", ":"), sort_keys=True),
    )
    bump_accounts_version(tx)


def remove(tx: Transaction, principal_id: PrincipalId, credential_id: bytes) -> bool:
    """Remove one credential; whether there was one."""
    removed = tx.execute(_REMOVE, pid=principal_id, credential=credential_id) > 0
    bump_accounts_version(tx)
    return removed


def remove_kind(tx: Transaction, principal_id: PrincipalId, kind: str) -> int:
    """Remove every credential of one kind, such as the account password before a new one is set: how many."""
    removed = tx.execute(_REMOVE_KIND, pid=principal_id, old_kind=kind)
    bump_accounts_version(tx)
    return removed
