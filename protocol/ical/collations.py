"""Collations: how two texts compare in a query (RFC 4791 §7.5; RFC 4790 §9; RFC 5051).

Rules of this module: each collation is a function from a text to its comparison form. Texts are compared by their
forms, and the form of a substring is a substring of the form.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

from protocol.errors import Condition, Refusal

ASCII_CASEMAP = "i;ascii-casemap"
OCTET = "i;octet"
UNICODE_CASEMAP = "i;unicode-casemap"

_UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}


def _ascii_casemap(text: str) -> str:
    return text.upper() if text.isascii() else text.translate(_UPPER)


def _octet(text: str) -> str:
    return text


@lru_cache(maxsize=4096)
def _titled(character: str) -> str:
    """One character by RFC 5051 §2: simple title case, then every decomposition of the character database."""
    titled = character.title()
    # A mapping to several characters is a *special* casing, which the RFC does not use.
    return unicodedata.normalize("NFKD", titled if len(titled) == 1 else character)


def _unicode_casemap(text: str) -> str:
    if text.isascii():
        return text.upper()
    return "".join(map(_titled, text))


COLLATIONS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {ASCII_CASEMAP: _ascii_casemap, OCTET: _octet, UNICODE_CASEMAP: _unicode_casemap}
)
"""Identifier -> comparison form; the keys are the server's CALDAV:supported-collation-set."""


def collation(identifier: str) -> Callable[[str], str]:
    """The comparison form of a collation; ``default`` is i;ascii-casemap. Refuses an unknown collation."""
    found = COLLATIONS.get(ASCII_CASEMAP if identifier == "default" else identifier)
    if found is None:
        raise Refusal(
            Condition.SUPPORTED_COLLATION,
            f"The collation {identifier[:60]!r} is not supported; known are {', '.join(COLLATIONS)}.",
        )
    return found
