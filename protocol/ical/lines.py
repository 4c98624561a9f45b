"""Content lines with a new value: name and foreign parameters stay as the client sent them (RFC 5545 §3.1).

Rules of this module: text in, text out; it does not look at the meaning of a value.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from protocol.ical.components import Property, fold, split_outside_quotes

TIME_PARAMS = frozenset({"TZID", "VALUE"})
"""The parameters that describe how a time is written; they go when it is written in another way."""

_SHORT = 18
"""A line with this many characters has at most 75 octets in any script."""


def params_without(line: Property, names: AbstractSet[str]) -> str:
    """The parameters of a line as written, each with its semicolon, without those named (upper case)."""
    text = line.params_text
    if not text:
        return ""
    pieces = split_outside_quotes(text, ";")[1:]
    return "".join(f";{piece}" for piece in pieces if piece.partition("=")[0].strip().upper() not in names)


def with_value(line: Property, value: str, *, params: str = "", drop: AbstractSet[str] = TIME_PARAMS) -> Property:
    """The line with another value: ``params`` (with semicolons) come first, then its own except those in ``drop``."""
    kept = params_without(line, drop)
    return Property(line.name, value, None, f"{line.name}{params}{kept}:{value}")


def folded(line: str) -> str:
    """One content line, folded if it is long."""
    return line if len(line) <= _SHORT else fold(line)
