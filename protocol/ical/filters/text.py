"""Text tests of a filter: the texts of a property or parameter, and whether a text-match finds them.

RFC 4791 §9.7.3 and §9.7.5; match-type by draft-daboo-caldav-extensions §3.3. Rules of this module: text only, no time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from protocol.ical.collations import collation
from protocol.ical.components import Property, unescape
from protocol.ical.filters.tree import ParamFilter, TextMatch

_LISTS = frozenset({"CATEGORIES", "RESOURCES"})
"""TEXT properties with several values in one line (RFC 5545 §3.8.1.2, §3.8.1.10)."""

_NAMES = """
    ACKNOWLEDGED ATTACH ATTENDEE COMPLETED CONFERENCE CREATED DTEND DTSTAMP DTSTART DUE DURATION EXDATE EXRULE
    FREEBUSY GEO IMAGE LAST-MODIFIED ORGANIZER PERCENT-COMPLETE PRIORITY RDATE RECURRENCE-ID REFRESH-INTERVAL REPEAT
    RRULE SEQUENCE SOURCE TRIGGER TZOFFSETFROM TZOFFSETTO TZURL URL
"""
_NOT_TEXT = frozenset(_NAMES.split())
"""Properties whose values have no escapes (RFC 5545 §3.8, RFC 7986, RFC 9074); everything else is TEXT."""

_MATCH_TYPES: Mapping[str, Callable[[str, str], bool]] = MappingProxyType(
    {
        "contains": lambda value, wanted: wanted in value,
        "equals": lambda value, wanted: value == wanted,
        "starts-with": str.startswith,
        "ends-with": str.endswith,
    }
)


def satisfies(match: TextMatch, texts: Iterable[str]) -> bool:
    """Whether a text-match finds one of the texts, or with negate-condition none of them."""
    fold = collation(match.collation)
    found = _MATCH_TYPES[match.match_type]
    wanted = fold(match.text)
    return any(found(fold(text), wanted) for text in texts) is not match.negate


def texts_of(line: Property) -> list[str]:
    """The values of a property as people read them: TEXT unescaped, lists split."""
    if "\\" not in line.value:
        return line.value.split(",") if line.name in _LISTS else [line.value]
    if line.name in _LISTS:
        return [unescape(text) for text in _split(line.value)]
    if line.name in _NOT_TEXT or (line.param("VALUE") or "TEXT").upper() != "TEXT":
        return [line.value]
    return [unescape(line.value)]


def _split(value: str) -> list[str]:
    """A list of TEXT values, split at the commas without a backslash."""
    pieces = [""]
    escaped = False
    for character in value:
        if character == "," and not escaped:
            pieces.append("")
        else:
            pieces[-1] += character
        escaped = character == "\\" and not escaped
    return pieces


def param_matches(filter_: ParamFilter, line: Property) -> bool:
    """Whether a line satisfies a param-filter (RFC 4791 §9.7.3)."""
    if all(name != filter_.name for name, _ in line.params):
        return filter_.is_not_defined
    if filter_.is_not_defined:
        return False
    return filter_.text_match is None or satisfies(filter_.text_match, line.param_values(filter_.name))
