"""Request headers of WebDAV and HTTP preferences as plain data.

RFC 4918 §10 (Depth, Destination, Overwrite), RFC 7240 and RFC 8144 (Prefer), Apple's ``Brief``, RFC 7809 §4.1
(CalDAV-Timezones), RFC 9110 §8.3 (Content-Type). The conditional headers are in ``conditions.py``. Rules of this
module: an absent header gives the RFC's default, and an invalid one is refused with ``BAD_REQUEST``. Only preferences
are ignored when they are invalid, because they are hints.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from protocol.dav.hrefs import path_of_href
from protocol.errors import Condition, Refusal
from protocol.model import HOUR


class Fields(Protocol):
    """The header fields of a request, with names in any case; repeated fields stay separate."""

    def getall(self, key: str, default: list[str]) -> list[str]:
        """All values of a field in order, or the default."""
        ...


def combined(fields: Fields, name: str) -> str | None:
    """The value of a list-valued field, with repetitions joined (RFC 9110 §5.3); ``None`` without the field."""
    values = fields.getall(name, [])
    return ", ".join(values) if values else None


class Depth(IntEnum):
    """How far below the request URI a method reaches (RFC 4918 §10.2)."""

    ZERO = 0
    ONE = 1
    INFINITY = 2


_DEPTHS = {"0": Depth.ZERO, "1": Depth.ONE, "infinity": Depth.INFINITY}


def parse_depth(value: str | None, default: Depth) -> Depth:
    """The Depth header; ``default`` is the method's own."""
    if value is None:
        return default
    depth = _DEPTHS.get(value.strip().lower())
    if depth is None:
        raise Refusal(Condition.BAD_REQUEST, "Depth must be 0, 1 or infinity.")
    return depth


def parse_overwrite(value: str | None) -> bool:
    """The Overwrite header of COPY and MOVE: true unless it says ``F`` (RFC 4918 §10.6)."""
    if value is None:
        return True
    letter = value.strip().upper()
    if letter not in ("T", "F"):
        raise Refusal(Condition.BAD_REQUEST, "Overwrite must be T or F.")
    return letter == "T"


def parse_destination(value: str | None, *, scheme: str, authority: str) -> str:
    """The raw path of the Destination header of COPY and MOVE (RFC 4918 §10.3).

    Refuses ``BAD_REQUEST`` when it is missing or not a URI, and ``FOREIGN_DESTINATION`` when it is on another host.
    """
    if value is None or not value.strip():
        raise Refusal(Condition.BAD_REQUEST, "COPY and MOVE need a Destination header.")
    return path_of_href(value, scheme=scheme, authority=authority)


_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_PARAMETER = re.compile(rf"\s*;\s*(?:({_WORD})\s*=\s*({_WORD}|{_QUOTED}))?")
_MEDIA_TYPE = re.compile(rf"\s*({_WORD})/({_WORD})")
_PREFERENCE = re.compile(
    rf"[\s,]*(?P<name>{_WORD})(?:\s*=\s*(?P<value>{_WORD}|{_QUOTED})?)?(?:\s*;(?:[^\",]|{_QUOTED})*+)?", re.DOTALL
)


def _unquote(value: str) -> str:
    if value.startswith('"'):
        return re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL)
    return value


@dataclass(frozen=True, slots=True)
class ContentType:
    """A media type in lower case, with the parameters that a calendar server uses (RFC 9110 §8.3)."""

    media_type: str
    charset: str | None = None
    component: str | None = None
    """RFC 5545 §8.1."""

    @property
    def is_xml(self) -> bool:
        """Whether it announces XML (RFC 7303)."""
        return self.media_type in ("text/xml", "application/xml") or self.media_type.endswith("+xml")


def parse_content_type(value: str | None) -> ContentType | None:
    """The Content-Type header; ``None`` when it is absent or not a media type."""
    found = _MEDIA_TYPE.match(value or "")
    if value is None or found is None:
        return None
    parameters: dict[str, str] = {}
    position = found.end()
    while parameter := _PARAMETER.match(value, position):
        position = parameter.end()
        if parameter[1]:
            parameters.setdefault(parameter[1].lower(), _unquote(parameter[2]))
    charset = parameters.get("charset")
    return ContentType(
        f"{found[1]}/{found[2]}".lower(), charset.lower() if charset else None, parameters.get("component")
    )


@dataclass(frozen=True, slots=True)
class Prefer:
    """What the client prefers (RFC 7240, RFC 8144); every field may be ignored."""

    return_: str | None = None
    """``minimal``, ``representation`` or ``None``."""
    depth_noroot: bool = False
    strict: bool = False
    """``handling=strict``: refuse what would otherwise be repaired."""
    wait: int | None = None
    """Seconds."""
    brief: bool = False
    """Apple's ``Brief: t``, the predecessor of ``return=minimal`` in multistatus answers."""

    @property
    def minimal(self) -> bool:
        """Whether a multistatus leaves out missing properties (RFC 8144 §2.1)."""
        return self.brief or self.return_ == "minimal"

    @property
    def representation(self) -> bool:
        """Whether a write should answer with the resource's new text (RFC 8144 §2.3)."""
        return self.return_ == "representation"


_NOTHING_PREFERRED = Prefer()
_MAX_WAIT = HOUR


def parse_prefer(fields: Fields) -> Prefer:
    """The Prefer and Brief headers; the first of several values for one preference counts (RFC 7240 §2)."""
    text = combined(fields, "Prefer")
    brief = (combined(fields, "Brief") or "").strip().lower() == "t"
    if text is None:
        return Prefer(brief=True) if brief else _NOTHING_PREFERRED
    wishes: dict[str, str] = {}
    position = 0
    while found := _PREFERENCE.match(text, position):
        wishes.setdefault(found["name"].lower(), _unquote(found["value"] or "").lower())
        position = found.end()
    wait = wishes.get("wait", "")
    return Prefer(
        return_=wishes["return"] if wishes.get("return") in ("minimal", "representation") else None,
        depth_noroot="depth-noroot" in wishes,
        strict=wishes.get("handling") == "strict",
        wait=min(int(wait), _MAX_WAIT) if wait.isascii() and wait.isdigit() and len(wait) < 10 else None,
        brief=brief,
    )
