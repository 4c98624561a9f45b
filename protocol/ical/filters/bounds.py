"""What the occurrence index can decide about a filter (RFC 4791 §9.7, §9.9).

Rules of this module: a Bounds never excludes an object that the filter matches. ``exact`` is set only when the
component type and the index entries (``IndexEntry``) of an object decide the filter, without its text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from protocol.ical.collations import OCTET
from protocol.ical.filters.tree import ANY, CompFilter, PropFilter, TextMatch
from protocol.model import ALL_COMPONENTS, ComponentKind, TimeRange

_ESCAPED_IN_TEXT = frozenset("\\,;\n")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which objects can match: every bound that is not ``None`` must hold; ``exact``: that is also enough."""

    components: frozenset[ComponentKind] | None = None
    """Empty: nothing can match."""
    range: TimeRange | None = None
    """An occurrence must overlap it (the index entry test)."""
    uid: str | None = None
    """The only UID that can match."""
    exact: bool = False
    uid_match: TextMatch | None = None
    """A test of the UID when ``uid`` is not known: ``text.satisfies(uid_match, [uid])``."""


_ALL = Bounds(exact=True)
_NOTHING = Bounds(components=frozenset(), exact=True)


def bounds(filter_: CompFilter) -> Bounds:
    """The Bounds of a VCALENDAR filter."""
    if filter_.name not in ("VCALENDAR", ANY):
        return _NOTHING if not filter_.is_not_defined else _ALL
    if filter_.is_not_defined:
        return _NOTHING
    children = [_member_bounds(item) for item in filter_.comp_filters]
    children.extend(Bounds() for _ in filter_.prop_filters)
    if not children:
        return _ALL
    combine = _any_of if filter_.test == "anyof" else _all_of
    found = children[0]
    for child in children[1:]:
        found = combine(found, child)
    return found


def _member_bounds(filter_: CompFilter) -> Bounds:
    """The Bounds of a comp-filter directly inside VCALENDAR."""
    kind = ComponentKind.__members__.get(filter_.name)
    if kind is None and filter_.name != ANY:
        return Bounds()
    if filter_.is_not_defined:
        if kind is None:
            return _NOTHING
        return Bounds(components=ALL_COMPONENTS - {kind}, exact=True)
    components = None if kind is None else frozenset({kind})
    rest = bool(filter_.prop_filters or filter_.comp_filters)
    if filter_.test == "anyof" and rest:
        return Bounds(components)
    found = Bounds(components, filter_.time_range, exact=not rest)
    for prop in filter_.prop_filters:
        found = _with_uid(found, prop)
    return found


def _with_uid(found: Bounds, prop: PropFilter) -> Bounds:
    match = prop.text_match
    if prop.name != "UID" or match is None or match.negate or prop.test == "anyof":
        return found
    if _ESCAPED_IN_TEXT.intersection(match.text):
        return found
    # The column holds the UID as it was sent, so only a comparison without case folding names one value.
    unfolded = match.collation == OCTET or (match.text.isascii() and not any(map(str.isalpha, match.text)))
    if match.match_type == "equals" and unfolded:
        return replace(found, uid=match.text)
    return replace(found, uid_match=match)


def _all_of(one: Bounds, other: Bounds) -> Bounds:
    if one.components is None or other.components is None:
        components = one.components if other.components is None else other.components
    else:
        components = one.components & other.components
    if components is not None and not components:
        return _NOTHING
    # Two ranges ask for two occurrences, not one in both: each range alone is a bound, their intersection is not.
    both = one.range is not None and other.range is not None and one.range != other.range
    return Bounds(
        components,
        one.range if one.range is not None else other.range,
        one.uid if one.uid is not None else other.uid,
        exact=one.exact and other.exact and not both,
        uid_match=one.uid_match or other.uid_match,
    )


def _any_of(one: Bounds, other: Bounds) -> Bounds:
    if one == _NOTHING:
        return other
    if other == _NOTHING:
        return one
    same_range = one.range == other.range
    unlimited = one.components is None or other.components is None
    components = None if unlimited else (one.components or frozenset()) | (other.components or frozenset())
    return Bounds(
        components,
        one.range if same_range else _hull(one.range, other.range),
        one.uid if one.uid == other.uid else None,
        # Components and range are tested separately, so their unions are exact only if the ranges are equal.
        exact=one.exact and other.exact and same_range,
        uid_match=one.uid_match if one.uid_match == other.uid_match else None,
    )


def _hull(one: TimeRange | None, other: TimeRange | None) -> TimeRange | None:
    """The smallest range that covers both; ``None`` covers everything."""
    if one is None or other is None:
        return None
    start = None if one.start is None or other.start is None else min(one.start, other.start)
    end = None if one.end is None or other.end is None else max(one.end, other.end)
    return None if start is None and end is None else TimeRange(start, end)
