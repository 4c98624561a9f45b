"""PostgreSQL's binary format for the few types of the schema, and statements made ready for libpq.

Rules of this module: no connection. Integers go over the wire as 8, 4 or 2 bytes as their column says, text as UTF-8,
bytes as they are; rows come back in binary too and are read by psycopg's own C loaders.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from copy import copy
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
DEMAND_UNMET = "22012"
"""Division by zero, which no other statement here does."""
_NULL = b"\xff\xff\xff\xff"


def oid_of(column_type: TypeEngine[Any]) -> int:
    """The PostgreSQL type of a parameter; a parameter of no type (LIMIT) is a big integer."""
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
    """A one-dimensional array in binary format."""
    if not values:
        return struct.pack(">iiI", 0, 0, oid)
    encode = _ENCODERS[oid]
    parts: list[bytes] = [struct.pack(">iiIii", 1, int(None in values), oid, len(values), 1)]
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            encoded = encode(value)
            parts.append(_int4(len(encoded)))
            parts.append(encoded)
    return b"".join(parts)


class Prepared:
    """A statement ready for libpq: text, parameter names with their encoders, types and formats."""

    __slots__ = ("_demanding", "binds", "formats", "name", "text", "types", "whole")

    def __init__(self, text: str, names: Sequence[str], oids: Sequence[int], *, arrays: Sequence[bool] = ()) -> None:
        self.text = text.encode()
        flags = list(arrays) or [False] * len(names)
        self.types = [_ARRAY_OF[oid] if many else oid for oid, many in zip(oids, flags, strict=True)]
        self.binds: list[tuple[str, Encoder]] = [
            (name, _array_encoder(oid) if many else _ENCODERS[oid])
            for name, oid, many in zip(names, oids, flags, strict=True)
        ]
        self.formats = [1] * len(names)
        self.whole: Prepared | None = None
        """The same INSERT for many rows at once, when there is such a form."""
        self.name = b"s%d" % _next_number()
        self._demanding: Prepared | None = None

    def demanding(self) -> Prepared:
        """The same, failing with ``DEMAND_UNMET`` when it touches no row, so that a COMMIT behind it is not done."""
        if self._demanding is None:
            again = copy(self)
            again.text = b"WITH hit AS (%b) SELECT * FROM hit WHERE 1 / (SELECT count(*) FROM hit) >= 0" % self.text
            again.name = b"s%d" % _next_number()
            self._demanding = again
        return self._demanding

    def values(self, params: Params) -> Values:
        """The parameters in order, encoded."""
        return [None if (value := params[name]) is None else encode(value) for name, encode in self.binds]


def _array_encoder(oid: int) -> Encoder:
    return lambda values: encode_array(oid, values)


_number = 0


def _next_number() -> int:
    global _number
    _number += 1
    return _number


_VALUES = re.compile(r"VALUES \((\$\d+(?:, \$\d+)*)\)")


def prepare(statement: Statement) -> Prepared:
    """Compile a statement for PostgreSQL and remember the result in it."""
    bound = statement.for_postgres()
    many = [isinstance(kind, types.ARRAY) for kind in bound.types]
    oids = [oid_of(kind.item_type if isinstance(kind, types.ARRAY) else kind) for kind in bound.types]
    ready = Prepared(bound.text, bound.names, oids, arrays=many)
    found = _VALUES.search(bound.text)
    if found and not any(many) and found[1].count("$") == len(bound.names):
        arrays = ", ".join(f"${n}::{_NAME_OF[oid]}[]" for n, oid in enumerate(oids, 1))
        before, after = bound.text[: found.start()], bound.text[found.end() :]
        text = f"{before}SELECT * FROM unnest({arrays}){after}"  # noqa: S608 (made of our own compiled statement)
        ready.whole = Prepared(text, bound.names, oids, arrays=[True] * len(oids))
    statement.postgres = ready
    return ready
