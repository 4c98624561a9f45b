"""PostgreSQL's binary format for the types of the schema, and statements prepared for libpq.

Rules of this module: no connection. An integer is sent as 8, 4 or 2 bytes like its column, text as UTF-8, bytes as they
are. Rows come back in binary and psycopg's C loaders read them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from copy import copy
from itertools import count
from typing import Any

from sqlalchemy import types
from sqlalchemy.types import TypeEngine

from storage.database.statements import Params, Statement

Encoder = Callable[[Any], bytes]
Values = list[Any]
"""Encoded parameters: bytes, or ``None`` for NULL."""

_BYTEA, _INT8, _INT2, _INT4, _TEXT = 17, 20, 21, 23, 25
_ARRAY_OF = {_BYTEA: 1001, _INT8: 1016, _INT2: 1005, _INT4: 1007, _TEXT: 1009}
_NAME_OF = {_BYTEA: "bytea", _INT8: "int8", _INT2: "int2", _INT4: "int4", _TEXT: "text"}
_int8, _int4, _int2 = struct.Struct(">q").pack, struct.Struct(">i").pack, struct.Struct(">h").pack
_encode_text = str.encode
_ENCODERS: dict[int, Encoder] = {_BYTEA: bytes, _INT8: _int8, _INT2: _int2, _INT4: _int4, _TEXT: _encode_text}
NO_ROW = "22012"
"""The SQLSTATE of a division by zero, which no other statement here can cause."""
_WIDTHS = {_INT8: (8, "iq"), _INT4: (4, "ii"), _INT2: (2, "ih")}
"""The octets of an element, and the ``struct`` format of its length and value."""
_numbers = count(1)
"""Names of prepared statements; ``next`` is atomic, so threads may take them."""
_NULL = b"\xff\xff\xff\xff"


def oid_of(column_type: TypeEngine[Any]) -> int:
    """The PostgreSQL type of a parameter; an untyped parameter (LIMIT) is a big integer."""
    if isinstance(column_type, types.LargeBinary):
        return _BYTEA
    if isinstance(column_type, types.SmallInteger):
        return _INT2
    if isinstance(column_type, types.BigInteger | types.NullType):
        return _INT8
    if isinstance(column_type, types.Integer):
        return _INT4
    if isinstance(column_type, types.String):
        return _TEXT
    raise TypeError(f"no wire format for {column_type!r}")


def encode_array(oid: int, values: Sequence[Any]) -> bytes:
    """A one-dimensional array in binary format: each element follows its length."""
    if not values:
        return struct.pack(">iiI", 0, 0, oid)
    head = struct.pack(">iiIii", 1, int(None in values), oid, len(values), 1)
    width = _WIDTHS.get(oid)
    if width is not None and None not in values:
        flat = [width[0]] * (2 * len(values))
        flat[1::2] = values
        return head + struct.pack(f">{width[1] * len(values)}", *flat)
    encode = _ENCODERS[oid]
    parts: list[bytes] = [head]
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            encoded = encode(value)
            parts += (_int4(len(encoded)), encoded)
    return b"".join(parts)


class Prepared:
    """A statement for libpq: text, parameter names with their encoders, types and formats."""

    __slots__ = ("_by_names", "_oids", "_requiring_row", "binds", "formats", "name", "text", "types")

    def __init__(self, text: str, names: Sequence[str], oids: Sequence[int], *, arrays: Sequence[bool] = ()) -> None:
        self.text = text.encode()
        flags = list(arrays) or [False] * len(names)
        self.types = [_ARRAY_OF[oid] if many else oid for oid, many in zip(oids, flags, strict=True)]
        self.binds: list[tuple[str, Encoder]] = [
            (name, _array_encoder(oid) if many else _ENCODERS[oid])
            for name, oid, many in zip(names, oids, flags, strict=True)
        ]
        self.formats = [1] * len(names)
        self._oids = list(oids)
        self._by_names: dict[tuple[str, ...], Prepared] = {}
        self.name = b"s%d" % next(_numbers)
        self._requiring_row: Prepared | None = None

    def requiring_row(self) -> Prepared:
        """The same statement, failing with ``NO_ROW`` when it touches no row, so that the next COMMIT is not done."""
        if self._requiring_row is None:
            again = copy(self)
            again.text = b"WITH hit AS (%b) SELECT * FROM hit WHERE 1 / (SELECT count(*) FROM hit) >= 0" % self.text
            again.name = b"s%d" % next(_numbers)
            self._requiring_row = again
        return self._requiring_row

    def for_rows(self, names: tuple[str, ...]) -> Prepared:
        """The same INSERT for many rows: the parameters ``names`` are lists, the others are shared by all rows."""
        found = self._by_names.get(names)
        if found is None:
            found = self._by_names[names] = self._for_rows(names)
        return found

    def _for_rows(self, names: tuple[str, ...]) -> Prepared:
        text, every = self.text.decode(), [name for name, _ in self.binds]
        place = _VALUES.search(text)
        if place is None or place[1].count("$") != len(every):
            raise TypeError("only an INSERT of one row can be done for many")
        lists = {
            number: oid for number, (name, oid) in enumerate(zip(every, self._oids, strict=True), 1) if name in names
        }
        chosen = ", ".join(
            f"c{number}" if number in lists else f"${number}::{_NAME_OF[oid]}"
            for number, oid in enumerate(self._oids, 1)
        )
        arrays = ", ".join(f"${number}::{_NAME_OF[oid]}[]" for number, oid in lists.items())
        columns = ", ".join(f"c{number}" for number in lists)
        rows = f"SELECT {chosen} FROM unnest({arrays}) AS r({columns})"  # noqa: S608 (made of our own compiled statement)
        flags = [number in lists for number in range(1, len(every) + 1)]
        return Prepared(text[: place.start()] + rows + text[place.end() :], every, self._oids, arrays=flags)

    def values(self, params: Params) -> Values:
        """The parameters in order, encoded."""
        return [None if (value := params[name]) is None else encode(value) for name, encode in self.binds]


def _array_encoder(oid: int) -> Encoder:
    return lambda values: encode_array(oid, values)


_VALUES = re.compile(r"VALUES \((\$\d+(?:, \$\d+)*)\)")


def prepare(statement: Statement) -> Prepared:
    """Compile a statement for PostgreSQL and keep the result in it."""
    bound = statement.for_postgres()
    many = [isinstance(kind, types.ARRAY) for kind in bound.types]
    oids = [oid_of(kind.item_type if isinstance(kind, types.ARRAY) else kind) for kind in bound.types]
    ready = Prepared(bound.text, bound.names, oids, arrays=many)
    if statement.varied:
        ready.name = b""
    statement.postgres = ready
    return ready
