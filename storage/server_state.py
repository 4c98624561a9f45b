"""The state of the whole server: the epoch of this database, the version of the accounts, what upkeep has done.

Rules of this module: one row per key, no tenant data.
"""

from __future__ import annotations

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from storage.database import Statement, Transaction
from storage.errors import SchemaError
from storage.tables import server_state

_EPOCH = Statement(select(server_state.c.value).where(server_state.c.key == "epoch"))
_SET_EPOCH = Statement(update(server_state).where(server_state.c.key == "epoch").values(value=bindparam("epoch")))
_VALUE = Statement(select(server_state.c.value).where(server_state.c.key == bindparam("key")))
_insert = insert(server_state)
_SET_VALUE = Statement(_insert.on_conflict_do_update(index_elements=["key"], set_={"value": _insert.excluded.value}))
_RAISE_NUMBER = Statement(
    _insert.on_conflict_do_update(
        index_elements=["key"],
        set_={"number": _insert.excluded.number},
        where=server_state.c.number < _insert.excluded.number,
    )
)
_ACCOUNTS = Statement(select(server_state.c.number).where(server_state.c.key == "accounts_version"))
_BUMP_ACCOUNTS = Statement(
    update(server_state)
    .where(server_state.c.key == "accounts_version")
    .values(number=server_state.c.number + 1)
    .returning(server_state.c.number)
)


def epoch(tx: Transaction) -> str:
    """The random text that is part of every sync token; it changes after a restore from a backup."""
    row = tx.fetch_one(_EPOCH)
    if row is None:
        raise SchemaError("the database has no epoch; run the migrations")
    return str(row[0])


def set_epoch(tx: Transaction, value: str) -> None:
    """Make all sync tokens invalid (after a restore: ``ids.new_epoch()``)."""
    tx.execute(_SET_EPOCH, epoch=value)


def zone_data(tx: Transaction) -> str:
    """The version of the zone data that all stored occurrences were derived with; empty: unknown."""
    return _value(tx, "zone_data")


def set_zone_data(tx: Transaction, value: str) -> None:
    """Note that every stored occurrence was derived with this version of the zone data."""
    tx.execute(_SET_VALUE, key="zone_data", value=value, number=0)


def index_version(tx: Transaction) -> int:
    """The version that every stored index has at least; 0: unknown."""
    return int(_value(tx, "index_version") or 0)


def set_index_version(tx: Transaction, value: int) -> None:
    """Note that no stored index is of an older version than this."""
    tx.execute(_SET_VALUE, key="index_version", value=str(value), number=0)


def pruning_report(tx: Transaction) -> str:
    """What the last complete pruning reported (JSON); empty before the first."""
    return _value(tx, "pruning")


def set_pruning_report(tx: Transaction, report: str) -> None:
    """Keep what a complete pruning reports (JSON)."""
    tx.execute(_SET_VALUE, key="pruning", value=report, number=0)


def begin_period(tx: Transaction, kind: str, period: int) -> bool:
    """Note that a period of a recurring job has begun; ``False`` when it, or a later one, had begun before.

    Of all processes that ask for the same period exactly one gets ``True``.
    """
    return tx.execute(_RAISE_NUMBER, key=f"period of {kind}", value="", number=period) == 1


def _value(tx: Transaction, key: str) -> str:
    row = tx.fetch_one(_VALUE, key=key)
    return "" if row is None else str(row[0])


def accounts_version(tx: Transaction) -> int:
    """A number that grows with every change to a principal, membership, delegation or credential."""
    row = tx.fetch_one(_ACCOUNTS)
    return 0 if row is None else int(row[0])


def bump_accounts_version(tx: Transaction) -> int:
    """Note in the transaction that changes accounts that they changed; answers the new number."""
    row = tx.fetch_one(_BUMP_ACCOUNTS)
    return 0 if row is None else int(row[0])
