"""Finding principals by what is known of them (RFC 3744 §9.4)."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from caldav_server.calendaring.context import Context
from caldav_server.calendaring.opening import OpenPrincipal, open_principal
from protocol.errors import Condition, Refusal
from storage import principals as stored
from storage.principals import MatchType

SearchField = Literal["display_name", "email", "address", "name", "kind"]
"""``address``: a mail address as a URI (``mailto:``)."""
MAX_MATCHES = 500
MAX_TERMS = 100
LONGEST_TEXT = 1000
"""Characters; no field of a principal holds a longer text that somebody would look for."""
_MAILTO = "mailto:"
_ANY_ADDRESS = stored.Term("email", "@")
"""Matches whoever has an address."""


@dataclass(frozen=True, slots=True)
class Term:
    """A text to look for in one field, letter case aside."""

    field: SearchField
    text: str
    match: MatchType = "contains"


async def principals(ctx: Context, searches: Sequence[Sequence[Term] | None], *, any_of: bool) -> list[OpenPrincipal]:
    """The principals that match every search, or any of them; by name.

    A search is matched when all its terms are; ``None`` is a search that nobody matches. No search at all matches
    everybody. Refuses ``number-of-matches-within-limits`` for more than ``MAX_MATCHES`` principals or ``MAX_TERMS``
    terms.
    """
    if sum(len(each or ()) for each in searches) > MAX_TERMS:
        raise Refusal(Condition.NUMBER_OF_MATCHES_WITHIN_LIMITS, f"A search has at most {MAX_TERMS} texts.")
    possible = [terms for each in searches if (terms := _stored_terms(each)) is not None]
    if len(possible) < len(searches) and (not any_of or not possible):
        return []
    found = await ctx.db.read(lambda tx: stored.search(tx, possible, any_of=any_of, limit=MAX_MATCHES + 1))
    if len(found) > MAX_MATCHES:
        raise Refusal(Condition.NUMBER_OF_MATCHES_WITHIN_LIMITS, "Too many principals match; search more precisely.")
    return [open_principal(ctx, each) for each in found]


def _stored_terms(search: Sequence[Term] | None) -> list[stored.Term] | None:
    if search is None:
        return None
    terms = [_stored_term(each) for each in search]
    known = [each for each in terms if each is not None]
    return known if len(known) == len(terms) else None


def _stored_term(term: Term) -> stored.Term | None:
    """The term in the words of the storage; ``None`` when nobody can match it."""
    text = unicodedata.normalize("NFC", term.text)
    if len(text) > LONGEST_TEXT:
        return None
    if not text and term.field in ("address", "email"):
        return None if term.match == "equals" else _ANY_ADDRESS
    if term.field == "address":
        return _address_term(text, term.match)
    if term.field == "kind":
        text = text.casefold()
    return stored.Term(term.field, text, term.match)


def _address_term(text: str, match: MatchType) -> stored.Term | None:
    """A term over ``mailto:`` and an address, as one over the address."""
    folded = text.casefold()
    if (match == "contains" and folded in _MAILTO) or (match == "starts-with" and _MAILTO.startswith(folded)):
        return _ANY_ADDRESS
    head, colon, address = text.partition(":")
    scheme, to_the_end = (head + colon).casefold(), match in ("equals", "ends-with")
    if colon and address and (scheme == _MAILTO or (_MAILTO.endswith(scheme) and match in ("contains", "ends-with"))):
        return stored.Term("email", address, "equals" if to_the_end else "starts-with")
    return stored.Term("email", text, match) if match in ("contains", "ends-with") else None
