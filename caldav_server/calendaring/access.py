"""Who may do what: the only place that decides access (RFC 3744 §3, RFC 4791 §6.1).

A home belongs to its principal. Others reach it by delegation (``Actor.reach``). Every principal may see that another
one exists; who may not read its home is told so, not ``404``.
"""

from __future__ import annotations

from typing import Protocol

from caldav_server.calendaring.actors import Actor
from protocol.errors import Condition, Refusal
from protocol.model import Access, Principal, PrincipalId


class Opened(Protocol):
    """Anything that was opened for an actor, with the access that was decided then."""

    @property
    def access(self) -> Access: ...

    @property
    def owner(self) -> Principal: ...


_NAMED = tuple(sorted((each for each in Access.__members__.values() if each), key=int.bit_count, reverse=True))
"""What can be missing: each access that has a name, those that contain others first."""


class AccessDenied(Refusal):
    """The actor lacks privileges on what it opened; a face adds where that is (RFC 3744 §7.1.1)."""

    def __init__(self, opened: Opened, needed: Access, name: str = "") -> None:
        missing: list[Access] = []
        for flag in _NAMED:
            if flag & needed == flag and flag & ~opened.access and not any(flag in each for each in missing):
                missing.append(flag)
        words = ", ".join(str(flag.name).lower().replace("_", "-") for flag in missing)
        super().__init__(Condition.NEED_PRIVILEGES, f"You do not have the privilege this needs: {words}.")
        self.opened = opened
        self.name = name
        """The name of the object in the opened calendar, when the privilege is missing there."""
        self.missing = tuple(missing)


def access_to_home(actor: Actor, owner_id: PrincipalId) -> Access:
    """What the actor may do in the calendar home of ``owner_id``."""
    if actor.principal.principal_id == owner_id:
        return Access.OWN
    return actor.reach.get(owner_id, Access.NONE)


def access_to_principal(actor: Actor, principal_id: PrincipalId) -> Access:
    """What the actor may do with a principal: everybody reads it, the principal itself changes its properties."""
    if actor.principal.principal_id == principal_id:
        return Access.READ | Access.READ_ACL | Access.WRITE_PROPERTIES
    return Access.READ


def require(opened: Opened, needed: Access, name: str = "") -> None:
    """Refuse with ``need-privileges`` unless all of ``needed`` is granted on what was opened.

    ``name``: the object in an opened calendar that the request is about.
    """
    if int(needed) & ~int(opened.access):  # flags as numbers: ten times cheaper, and asked in every request
        raise AccessDenied(opened, needed, name)
