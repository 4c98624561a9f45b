"""A content line said again with another value: name and foreign parameters stay as they were sent (RFC 5545 §3.1).

Rules of this module: text in, text out; what a value means is elsewhere.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from protocol.ical.components import Property, fold, split_outside_quotes

TIME_PARAMS = frozenset({"TZID", "VALUE"})
"""The parameters that say how a time is written, and so go when it is written differently."""

_SHORT = 18
"""A line of so few characters has at most 75 octets, whatever its script."""


def params_without(line: Property, names: AbstractSet[str]) -> str:
    """The parameters of a line as written, each with its semicolon, but for those named (upper case)."""
    text = line.params_text
    if not text:
        return ""
    pieces = split_outside_quotes(text, ";")[1:]
    return "".join(f";{piece}" for piece in pieces if piece.partition("=")[0].strip().upper() not in names)


def with_value(line: Property, value: str, *, params: str = "", drop: AbstractSet[str] = TIME_PARAMS) -> Property:
    """The line with another value: ``params`` (with semicolons) first, then its own without those in ``drop``."""
    kept = params_without(line, drop)
    return Property(line.name, value, None, f"{line.name}{params}{kept}:{value}")


def folded(line: str) -> str:
    """One content line, folded where it has to be."""
    return line if len(line) <= _SHORT else fold(line)
