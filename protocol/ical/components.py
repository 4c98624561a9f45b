"""The two nouns of iCalendar text: a content line and a component (RFC 5545 §3.1, §3.6; RFC 6868).

Rules of this module: it does not parse whole files (``scanner``) and knows no property's meaning (``validation``,
``index``, ``recurrence``). A ``Property`` never changes: to change a line, put another Property in its place, so that
``raw`` always agrees with ``name``, ``params`` and ``value``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

PRODID = "-//caldav-server//caldav-server//EN"
"""The PRODID of the iCalendar data that this server makes itself."""

Params = tuple[tuple[str, tuple[str, ...]], ...]

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_CARET = re.compile(r"\^([n'^])")
_CARET_MEANING = {"n": "\n", "'": '"', "^": "^"}
_NEEDS_QUOTES = re.compile(r"[:;,]")
_FOLD_AT = 75


class Property:
    """One content line; ``value`` is unfolded but still escaped, ``params`` are split on first use."""

    __slots__ = ("_params", "name", "raw", "value")

    def __init__(self, name: str, value: str, params: Params | None, raw: str) -> None:
        self.name = name
        """Upper case."""
        self.value = value
        self._params = params
        self.raw = raw
        """The unfolded content line as sent."""

    @classmethod
    def make(cls, name: str, value: str, params: Params = ()) -> Property:
        """A new line: parameter values are encoded by RFC 6868 and quoted where needed."""
        head = name + "".join(f";{key}={','.join(map(_quote, values))}" for key, values in params)
        encoded = tuple((key, tuple(_caret_encode(item) for item in values)) for key, values in params)
        return cls(name, value, encoded, f"{head}:{value}")

    @property
    def params(self) -> Params:
        """Upper-case names with their values, without quotes, not yet decoded by RFC 6868."""
        if self._params is None:
            self._params = split_params(self.raw[: len(self.raw) - len(self.value) - 1])
        return self._params

    @property
    def params_text(self) -> str:
        """The parameters as written, from the first semicolon to the colon; equal texts mean equal parameters."""
        return self.raw[len(self.name) : len(self.raw) - len(self.value) - 1]

    def param(self, name: str) -> str | None:
        """The first value of the parameter ``name`` (upper case), decoded by RFC 6868."""
        for key, values in self.params:
            if key == name:
                return caret_decode(values[0]) if values else ""
        return None

    def param_values(self, name: str) -> tuple[str, ...]:
        """Every value of the parameter ``name`` (upper case), decoded by RFC 6868; empty when it is absent."""
        for key, values in self.params:
            if key == name:
                return tuple(map(caret_decode, values))
        return ()

    def text(self) -> str:
        """The value unescaped as TEXT (RFC 5545 §3.3.11); an unknown escape gives its second character."""
        return unescape(self.value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Property):
            return NotImplemented
        return self.name == other.name and self.value == other.value and self.params == other.params

    __hash__ = None  # type: ignore[assignment]  # equal lines are not the same line

    def __repr__(self) -> str:
        return f"Property({self.raw!r})"


@dataclass(slots=True)
class Component:
    """One ``BEGIN``..``END`` block; names are upper case, the order is that of the text."""

    name: str
    properties: list[Property] = field(default_factory=list)
    components: list[Component] = field(default_factory=list)

    def first(self, name: str) -> Property | None:
        """The first property called ``name`` (upper case)."""
        for item in self.properties:
            if item.name == name:
                return item
        return None

    def all(self, name: str) -> Iterator[Property]:
        """Every property called ``name`` (upper case), in order."""
        return (item for item in self.properties if item.name == name)

    def value(self, name: str) -> str | None:
        """The raw value of the first property called ``name`` (upper case)."""
        for item in self.properties:
            if item.name == name:
                return item.value
        return None


PropertyMap = dict[str, Property]
"""The first property of each name in one component."""


def property_map(component: Component) -> PropertyMap:
    """The first property of each name."""
    return {line.name: line for line in reversed(component.properties)}


def unescape(value: str) -> str:
    """A TEXT value as people read it (RFC 5545 §3.3.11)."""
    if "\\" not in value:
        return value
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)


def escape(text: str) -> str:
    """Text as a TEXT value (RFC 5545 §3.3.11); every kind of line break becomes ``\\n``."""
    text = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return text.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")


def caret_decode(value: str) -> str:
    """A parameter value as people read it (RFC 6868 §3); an unknown ``^x`` stays as it is."""
    return _CARET.sub(lambda found: _CARET_MEANING[found[1]], value) if "^" in value else value


def _caret_encode(value: str) -> str:
    value = value.replace("^", "^^").replace('"', "^'")
    return value.replace("\r\n", "^n").replace("\n", "^n").replace("\r", "^n")


def _quote(value: str) -> str:
    encoded = _caret_encode(value)
    return f'"{encoded}"' if _NEEDS_QUOTES.search(encoded) else encoded


def split_params(head: str) -> Params:
    """The parameters of ``NAME;A=b,c;D="x;y"`` (everything before the value's colon)."""
    params = []
    for piece in split_outside_quotes(head, ";")[1:]:
        key, _, values = piece.partition("=")
        if '"' in values:
            split = tuple(item.replace('"', "") for item in split_outside_quotes(values, ","))
        else:
            split = tuple(values.split(",")) if "," in values else (values,)
        params.append((key.strip().upper(), split))
    return tuple(params)


def split_outside_quotes(text: str, separator: str) -> list[str]:
    """Split at ``separator`` outside double quotes; an unclosed quote runs to the end."""
    pieces = text.split(separator)
    if '"' not in text:
        return pieces
    whole: list[str] = []
    pending: list[str] = []
    for piece in pieces:
        inside = bool(pending)
        if piece.count('"') & 1:
            inside = not inside
            if not inside:
                whole.append(separator.join([*pending, piece]))
                pending = []
                continue
        if inside:
            pending.append(piece)
        else:
            whole.append(piece)
    if pending:
        whole.append(separator.join(pending))
    return whole


def render_component(component: Component) -> str:
    """A component as text: CRLF line ends, lines folded at 75 octets and never inside a character (RFC 5545 §3.1)."""
    lines: list[str] = []
    # An explicit stack, because the client chooses the depth and the interpreter's stack is limited.
    pending: list[Component | str] = [component]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            lines.append(item)
            continue
        lines.append(f"BEGIN:{item.name}")
        lines.extend(line.raw if len(line.raw) <= _FOLD_AT // 4 else fold(line.raw) for line in item.properties)
        pending.append(f"END:{item.name}")
        pending.extend(reversed(item.components))
    lines.append("")
    return "\r\n".join(lines)


def fold(line: str) -> str:
    """One content line, folded with a CRLF and a space so that no line exceeds 75 octets (RFC 5545 §3.1)."""
    if len(line) <= _FOLD_AT and line.isascii():
        return line
    if line.isascii():
        rest = [line[at : at + _FOLD_AT - 1] for at in range(_FOLD_AT, len(line), _FOLD_AT - 1)]
        return "\r\n ".join([line[:_FOLD_AT], *rest])
    encoded = line.encode("utf-8", "replace")
    pieces: list[str] = []
    start = 0
    room = _FOLD_AT
    while start < len(encoded):
        end = min(start + room, len(encoded))
        while end < len(encoded) and encoded[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(encoded[start:end].decode())
        start = end
        room = _FOLD_AT - 1
    return "\r\n ".join(pieces)
