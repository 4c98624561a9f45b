"""A calendar-query filter as data (RFC 4791 §9.7, draft-daboo-caldav-extensions §3).

Rules of this module: what a filter can express, and no calendar data. Names are converted to upper case. Every filter
that exists is well formed: the constructors refuse others with ``valid-filter``, ``supported-filter`` or
``supported-collation``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

from protocol.errors import Condition, Refusal
from protocol.ical.collations import ASCII_CASEMAP, collation
from protocol.model import TimeRange

Test = Literal["allof", "anyof"]
MatchType = Literal["contains", "equals", "starts-with", "ends-with"]
MATCH_TYPES: Mapping[str, MatchType] = MappingProxyType({name: name for name in get_args(MatchType)})

ANY = "*"
"""The component name that means every type (draft-daboo-caldav-extensions §3)."""

TIMED_COMPONENTS = frozenset({"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VALARM", "VAVAILABILITY", "AVAILABLE", ANY})
"""The components for which a time-range is defined (RFC 4791 §9.9, RFC 7953 §7)."""

_MAX_NODES = 200
_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class TextMatch:
    """A text to look for in a value (RFC 4791 §9.7.5)."""

    text: str
    collation: str = ASCII_CASEMAP
    negate: bool = False
    match_type: MatchType = "contains"

    def __post_init__(self) -> None:
        collation(self.collation)
        if self.match_type not in MATCH_TYPES:
            raise Refusal(Condition.VALID_FILTER, f"There is no match-type {str(self.match_type)[:40]!r}.")


@dataclass(frozen=True, slots=True)
class ParamFilter:
    """A test of one parameter (RFC 4791 §9.7.3); with a name only, the parameter must exist."""

    name: str
    is_not_defined: bool = False
    text_match: TextMatch | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name.upper())
        _require_alone(self.is_not_defined, self.text_match is not None, self.name)


@dataclass(frozen=True, slots=True)
class PropFilter:
    """A test of one property (RFC 4791 §9.7.2); with a name only, the property must exist."""

    name: str
    is_not_defined: bool = False
    time_range: TimeRange | None = None
    text_match: TextMatch | None = None
    param_filters: tuple[ParamFilter, ...] = ()
    test: Test = "allof"

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name.upper())
        tested = self.time_range is not None or self.text_match is not None or bool(self.param_filters)
        _require_alone(self.is_not_defined, tested, self.name)
        if self.time_range is not None and self.text_match is not None:
            raise Refusal(Condition.VALID_FILTER, f"{self.name[:40]} has both a time-range and a text-match.")
        _require_range(self.time_range)


@dataclass(frozen=True, slots=True)
class CompFilter:
    """A test of the components of one type in a scope (RFC 4791 §9.7.1); with a name only, one must exist."""

    name: str
    is_not_defined: bool = False
    time_range: TimeRange | None = None
    prop_filters: tuple[PropFilter, ...] = ()
    comp_filters: tuple[CompFilter, ...] = ()
    test: Test = "allof"
    size: int = field(init=False, compare=False, repr=False, default=1)
    depth: int = field(init=False, compare=False, repr=False, default=1)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name.upper())
        tested = self.time_range is not None or bool(self.prop_filters) or bool(self.comp_filters)
        _require_alone(self.is_not_defined, tested, self.name)
        _require_range(self.time_range)
        if self.time_range is not None and self.name not in TIMED_COMPONENTS:
            raise Refusal(Condition.SUPPORTED_FILTER, f"A time-range is not defined for {self.name[:40]} components.")
        size = 1 + len(self.prop_filters) + sum(len(item.param_filters) for item in self.prop_filters)
        object.__setattr__(self, "size", size + sum(item.size for item in self.comp_filters))
        object.__setattr__(self, "depth", 1 + max((item.depth for item in self.comp_filters), default=0))
        if self.size > _MAX_NODES or self.depth > _MAX_DEPTH:
            raise Refusal(
                Condition.SUPPORTED_FILTER,
                f"A filter has at most {_MAX_NODES} elements, {_MAX_DEPTH} deep.",
            )


def _require_alone(is_not_defined: bool, tested: bool, name: str) -> None:
    if not name:
        raise Refusal(Condition.VALID_FILTER, "A filter element has no name.")
    if is_not_defined and tested:
        raise Refusal(Condition.VALID_FILTER, f"is-not-defined of {name[:40]} excludes other tests.")


def _require_range(time_range: TimeRange | None) -> None:
    if time_range is None:
        return
    start, end = time_range.start, time_range.end
    if start is None and end is None:
        raise Refusal(Condition.VALID_FILTER, "A time-range has neither start nor end.")
    if start is not None and end is not None and start >= end:
        raise Refusal(Condition.VALID_FILTER, "The end of a time-range must be later than its start.")


EVERYTHING = CompFilter("VCALENDAR")
"""The filter that every calendar object resource matches."""
