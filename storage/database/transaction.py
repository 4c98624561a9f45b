"""The transaction that a unit of work gets: seven ways to run a statement.

Rules of this module: no driver, no dialect. The two implementations are in ``sqlite.py`` and ``postgres/session.py``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, TypeVar

from storage.database.statements import Row, Statement

T = TypeVar("T")

Event = Literal["statement", "before commit", "after commit"]
FaultHook = Callable[[Event], None]
"""Called before every statement and around every COMMIT; it may raise (tests only)."""


class Batch(Generic[T]):
    """A unit of work that waits for no result: it uses ``enqueue`` and ``enqueue_returning`` only.

    Call it with a transaction. ``Database.write`` runs it without a thread where that is cheaper.
    """

    __slots__ = ("_work",)

    def __init__(self, work: Callable[[Transaction], T]) -> None:
        self._work = work

    def __call__(self, tx: Transaction) -> T:
        return self._work(tx)


class Receipt:
    """The row that an enqueued statement answers; ``row`` is set when the unit of work has been committed."""

    __slots__ = ("row",)
    row: Row


class Transaction(ABC):
    """A running transaction. It belongs to one thread and ends when the unit of work returns or raises."""

    __slots__ = ()

    @abstractmethod
    def fetch_all(self, statement: Statement, **params: Any) -> list[Row]:
        """Every row the statement answers."""

    @abstractmethod
    def fetch_one(self, statement: Statement, **params: Any) -> Row | None:
        """The first row, or ``None``."""

    @abstractmethod
    def execute(self, statement: Statement, **params: Any) -> int:
        """Run a statement and answer how many rows it inserted, changed or deleted."""

    @abstractmethod
    def enqueue(self, statement: Statement, **params: Any) -> None:
        """Run a statement in order, but do not wait for it; an error shows at a later statement or at COMMIT."""

    @abstractmethod
    def enqueue_returning(self, statement: Statement, **params: Any) -> Receipt:
        """The same for a statement with RETURNING; ``RowChanged`` undoes the transaction when it touches no row."""

    @abstractmethod
    def execute_many(self, insert: Statement, names: tuple[str, ...], rows: Sequence[Row], **same: Any) -> int:
        """Run an INSERT of one row for many rows in bulk and answer how many rows it touched.

        ``names``: the parameters that ``rows`` hold, in order; ``same``: the parameters that all rows share. No two
        rows may have the same key, whatever ON CONFLICT says.
        """

    @abstractmethod
    def enqueue_many(self, insert: Statement, names: tuple[str, ...], rows: Sequence[Row], **same: Any) -> None:
        """The same without waiting for it; an error shows here, at a later statement or at COMMIT."""
