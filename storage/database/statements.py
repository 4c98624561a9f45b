"""Statements: written once in SQLAlchemy Core, compiled once per dialect to text, run on the raw drivers.

Rules of this module: no I/O. A ``Statement`` is made at import time and is never dropped, but for one of many
``varied`` shapes; it gets its values by name when it runs. Constants are written into the text, because a database uses
a partial index for a literal only."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import BigInteger, BindParameter, ClauseElement, ColumnElement, bindparam
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGDialect
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler, SQLiteDialect
from sqlalchemy.engine.interfaces import BindTyping
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

T = TypeVar("T")

Row = tuple[Any, ...]
Params = dict[str, Any]


class _Inline(SQLCompiler):
    """Writes constants into the text and keeps named parameters."""

    def visit_bindparam(self, bindparam: BindParameter[Any], *args: Any, **kw: Any) -> Any:
        if not bindparam.required and bindparam.value is not None and bindparam.callable is None:
            return self.render_literal_bindparam(bindparam, **kw)  # type: ignore[no-untyped-call]
        return super().visit_bindparam(bindparam, *args, **kw)  # type: ignore[no-untyped-call]


class _SqliteCompiler(_Inline, SQLiteCompiler):
    pass


class _PostgresCompiler(_Inline, PGCompiler):
    pass


_SQLITE = SQLiteDialect(paramstyle="named")
_SQLITE.statement_compiler = _SqliteCompiler
_POSTGRES = PGDialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
_POSTGRES.statement_compiler = _PostgresCompiler
_POSTGRES.bind_typing = BindTyping.NONE


class InList(ColumnElement[bool]):
    """``column IN (the values of a list parameter)``: one array parameter on PostgreSQL, many on SQLite."""

    inherit_cache = False

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column = column
        self.name = name


def in_list(column: ColumnElement[Any], name: str) -> InList:
    """The condition that ``column`` is among the values given as the list parameter ``name``."""
    return InList(column, name)


@compiles(InList, "sqlite")
def _in_list_sqlite(element: InList, compiler: SQLCompiler, **kw: Any) -> str:
    return f"{compiler.process(element.column, **kw)} IN (/*{element.name}*/)"


@compiles(InList, "postgresql")
def _in_list_postgres(element: InList, compiler: SQLCompiler, **kw: Any) -> str:
    array = bindparam(element.name, type_=postgresql.ARRAY(element.column.type))
    return f"{compiler.process(element.column, **kw)} = ANY({compiler.process(array, **kw)})"


class DatabaseClock(ColumnElement[int]):
    """The clock of the database in epoch seconds; for a SELECT only."""

    inherit_cache = False
    type = BigInteger()


@compiles(DatabaseClock, "sqlite")
def _clock_sqlite(_element: DatabaseClock, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "CAST(strftime('%s', 'now') AS INTEGER)"


@compiles(DatabaseClock, "postgresql")
def _clock_postgres(_element: DatabaseClock, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS BIGINT)"


_PARAMETER = re.compile(r":(\w+)")
_LIST_MARK = re.compile(r"/\*(\w+)\*/")


@dataclass(frozen=True, slots=True)
class PostgresText:
    """A statement for PostgreSQL: its text and, in order, the names and types of its parameters."""

    text: str
    names: tuple[str, ...]
    types: tuple[TypeEngine[Any], ...]


class Statement:
    """One SQL statement for both databases. ``across`` says why it may cross principals, if it does.

    ``varied``: clients choose its shape, so there are too many for a connection to keep each one prepared.
    """

    __slots__ = ("_by_order", "_expanded", "_marked", "across", "core", "list_name", "postgres", "sqlite", "varied")

    def __init__(self, core: ClauseElement, *, across: str | None = None, varied: bool = False) -> None:
        self.core = core
        self.varied = varied
        self.across = across
        self.sqlite = ""
        """The text for SQLite; empty before the first use, and always empty when there is a list parameter."""
        self.postgres: Any = None
        """What ``storage.database.postgres.codec`` made of it; ``None`` before the first use."""
        self.list_name: str | None = None
        """The name of the list parameter, if there is one; known after ``for_sqlite``."""
        self._marked = ""
        self._expanded: dict[int, tuple[str, list[str]]] = {}
        self._by_order: dict[tuple[str, ...], str] = {}

    def for_sqlite(self) -> str:
        """Compile for SQLite and remember the text."""
        text = " ".join(str(self.core.compile(dialect=_SQLITE)).split())
        _record(self, text)
        mark = _LIST_MARK.search(text)
        if mark:
            self.list_name = mark[1]
            self._marked = text
        else:
            self.sqlite = text
        return text

    def for_list(self, length: int) -> tuple[str, list[str]]:
        """The SQLite text for a list of at least this length and the names of its parameters.

        The length is rounded up to a power of two, so that few texts exist; the caller repeats a value in the rest.
        """
        size = 1 << max(0, length - 1).bit_length()
        found = self._expanded.get(size)
        if found is None:
            names = [f"{self.list_name}_{n}" for n in range(size)]
            text = self._marked.replace(f"/*{self.list_name}*/", ",".join(f":{name}" for name in names))
            found = self._expanded[size] = text, names
        return found

    def for_rows(self, names: tuple[str, ...]) -> str:
        """The SQLite text of a statement without a list, with its parameters in the order of ``names``."""
        text = self._by_order.get(names)
        if text is None:
            place = {name: f"?{number}" for number, name in enumerate(names, 1)}
            text = _PARAMETER.sub(lambda found: place[found[1]], self.sqlite or self.for_sqlite())
            self._by_order[names] = text
        return text

    def for_postgres(self) -> PostgresText:
        """Compile for PostgreSQL: numbered parameters with the types of their columns."""
        compiled = self.core.compile(dialect=_POSTGRES)
        text = " ".join(str(compiled).split())
        _record(self, text)
        names = tuple(compiled.positiontup or ())  # type: ignore[attr-defined]
        binds = compiled.binds  # type: ignore[attr-defined]
        return PostgresText(text, names, tuple(binds[name].type for name in names))


class Lookup(Generic[T]):
    """One statement that finds at most one row, with its values and how to read the row.

    It is a unit of work: call it with a transaction. ``Database.point`` answers many of them together where that is
    cheaper.
    """

    __slots__ = ("decode", "params", "statement")

    def __init__(self, statement: Statement, params: Params, decode: Callable[[Row | None], T]) -> None:
        self.statement = statement
        self.params = params
        self.decode = decode

    def __call__(self, tx: Any) -> T:
        return self.decode(tx.fetch_one(self.statement, **self.params))


recorder: list[Callable[[Statement, str], None]] = []
"""Called with every statement when it is compiled, before it runs for the first time in a process."""


def _record(statement: Statement, text: str) -> None:
    for listener in recorder:
        listener(statement, text)
