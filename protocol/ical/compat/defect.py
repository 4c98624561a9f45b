"""The shape of one row of the table of tolerated defects (see the package's docstring)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from protocol.errors import Condition
from protocol.ical.components import Component, PropertyMap

Repair = Callable[[Component, PropertyMap, PropertyMap], bool]
"""``(component, its properties, those of the component that begins the series) -> whether the view changed``."""


class Treatment(StrEnum):
    """What the server does with a tolerated defect."""

    ACCEPT = "accept"
    """It is read as it is, and not reported."""
    INDEX = "index"
    """The text stays; the Document, and so the index and generated views, has the repaired form."""
    TEXT = "text"
    """The stored text differs from what was sent, so the answer has no ETag."""


@dataclass(frozen=True, slots=True)
class Defect:
    """One tolerated defect; clients and the log see its ``name``, which never changes."""

    name: str
    when: str
    treatment: Treatment
    strict: Condition | None = None
    """The refusal under ``Prefer: handling=strict``; ``None``: tolerated even then."""
    repair: Repair | None = None
    """For defects inside one component; the readers of bytes and objects find the others themselves."""
    names: frozenset[str] = frozenset()
    """``repair`` runs only for components that have one of these properties."""
