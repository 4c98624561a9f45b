"""How much of a calendar's objects one viewer sees.

Two viewers may look at one object and see different things. So nothing that was made of an object for one of them may
be given to another, unless both look through equal lenses. Everything that is remembered of an object is kept under the
lens it was made through.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from protocol.model import Access, PrincipalId


class Detail(IntEnum):
    """How much of an object is shown."""

    NOTHING = 0
    BUSY = 1
    """When time is taken, and nothing else."""
    TITLES = 2
    """The same, with titles."""
    WHOLE = 3
    """The stored text."""


@dataclass(frozen=True, slots=True)
class Lens:
    """What one viewer sees of the objects of one calendar."""

    detail: Detail
    viewer: PrincipalId | None = None
    """Whose lens it is; ``None``: every viewer with this detail sees the same."""
    own_version: int = 0
    """The version of what is the viewer's own on these objects, such as alarms."""


_WHOLE, _TITLES, _BUSY, _NOTHING = (Lens(each) for each in sorted(Detail, reverse=True))


@lru_cache(maxsize=256)
def lens_for(access: Access) -> Lens:
    """The lens of a viewer with this access to a calendar, who has nothing of its own there."""
    if Access.READ in access:
        return _WHOLE
    if Access.READ_TITLES in access:
        return _TITLES
    return _BUSY if Access.READ_FREE_BUSY in access else _NOTHING


def lens_of_one(viewer: PrincipalId) -> Lens:
    """The lens for what is remembered for one viewer alone, whatever it sees."""
    return Lens(Detail.WHOLE, viewer)
