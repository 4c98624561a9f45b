"""Searches for mail addresses mean the same in SQL as in plain words (RFC 3744 §9.4)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from caldav_server.calendaring import search
from caldav_server.calendaring.search import SearchField, Term
from storage.principals import MatchType
from testing.face import Face

WORDS: dict[MatchType, Callable[[str, str], bool]] = {
    "contains": lambda value, text: text in value,
    "starts-with": str.startswith,
    "ends-with": str.endswith,
    "equals": str.__eq__,
}
TEXTS = (
    *("", "a", "o", "m", "@", ":", "to:", "lto:b", ":ben", "o:anna@example.com", "mail", "mailto:", "mailto:a"),
    *("mailto:anna@example.com", "MAILTO:Anna@Example.com", "to:anna", "ailto", "com", "anna@example.com", "x:anna"),
)


async def test_addresses_are_found_as_their_uris_read(tmp_path: Path) -> None:
    face = await Face.make(tmp_path, "anna", "ben")
    fields: dict[SearchField, str] = {"email": "", "address": "mailto:"}
    for field, scheme in fields.items():
        for text in TEXTS:
            for match, holds in WORDS.items():
                found = await search.principals(face.context(), [[Term(field, text, match)]], any_of=False)
                expected = [name for name in face.people if holds(f"{scheme}{name}@example.com", text.lower())]
                assert [each.owner.name for each in found] == expected, (field, text, match)
    face.db.close()
