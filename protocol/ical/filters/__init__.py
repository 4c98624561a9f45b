"""The calendar-query filter: as data (``tree``), against the index (``bounds``), against a document (``matching``).

RFC 4791 §9.7 to §9.9, draft-daboo-caldav-extensions §3.
"""

from protocol.ical.filters.bounds import Bounds, bounds
from protocol.ical.filters.matching import matches
from protocol.ical.filters.text import satisfies
from protocol.ical.filters.tree import ANY, EVERYTHING, CompFilter, ParamFilter, PropFilter, TextMatch

__all__ = [
    "ANY",
    "EVERYTHING",
    "Bounds",
    "CompFilter",
    "ParamFilter",
    "PropFilter",
    "TextMatch",
    "bounds",
    "matches",
    "satisfies",
]
