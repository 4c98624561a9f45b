"""The shape of one row of the table of tolerated defects (see the package's docstring)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from protocol.errors import Condition
from protocol.ical.components import Component, PropertyMap

Repair = Callable[[Component, PropertyMap, PropertyMap], bool]
"""``(component, its properties, those of the component that begins the series) -> whether the view changed``."""


class How(StrEnum):
    """What becomes of a defect that is tolerated."""

    ACCEPT = "accept"
    """It is read as it stands; nobody is told."""
    INDEX = "index"
    """The text stays; the Document (and so the index and generated views) holds the repaired reading."""
    TEXT = "text"
    """The stored text differs from what was sent, so the answer carries no ETag."""


@dataclass(frozen=True, slots=True)
class Defect:
    """One tolerated defect; ``name`` is what a client and the log are told, and never changes."""

    name: str
    when: str
    how: How
    strict: Condition | None = None
    """The refusal under ``Prefer: handling=strict``; ``None``: tolerated even then."""
    repair: Repair | None = None
    """For defects inside one component; those of the bytes and of the whole object are found by their readers."""
    names: frozenset[str] = frozenset()
    """``repair`` runs only for components that have one of these properties."""
