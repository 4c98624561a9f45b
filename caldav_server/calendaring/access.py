"""Who may do what: the only place that decides access (RFC 3744 §3, RFC 4791 §6.1).

A home belongs to its principal. Others reach it by delegation (``Actor.reach``); everybody who is logged in may see
that a principal exists. Whoever may not even read a home is told ``need-privileges``, not ``404``: principals are
public inside the server, their calendars are not.
"""

from __future__ import annotations

from caldav_server.calendaring.context import Actor
from protocol.errors import Condition, Detail, Refusal
from protocol.model import Access, PrincipalId

_PRIVILEGE_NAMES: tuple[tuple[Access, str], ...] = (
    (Access.READ, "{DAV:}read"),
    (Access.WRITE_CONTENT, "{DAV:}write-content"),
    (Access.WRITE_PROPERTIES, "{DAV:}write-properties"),
    (Access.BIND, "{DAV:}bind"),
    (Access.UNBIND, "{DAV:}unbind"),
    (Access.READ_ACL, "{DAV:}read-acl"),
    (Access.WRITE_ACL, "{DAV:}write-acl"),
    (Access.FREE_BUSY, "{urn:ietf:params:xml:ns:caldav}read-free-busy"),
)


def access_to_home(actor: Actor, owner_id: PrincipalId) -> Access:
    """What the actor may do in the calendar home of ``owner_id``."""
    if actor.principal.principal_id == owner_id:
        return Access.OWN
    return actor.reach.get(owner_id, Access.NONE)


def delegated_access(*, can_write: bool) -> Access:
    """What a delegate may do in the home that was opened to it."""
    return Access.READ | Access.WRITE if can_write else Access.READ


def access_to_principal(actor: Actor, principal_id: PrincipalId) -> Access:
    """What the actor may do with a principal resource: everybody reads, the principal itself edits its properties."""
    if actor.principal.principal_id == principal_id:
        return Access.READ | Access.READ_ACL | Access.WRITE_PROPERTIES
    return Access.READ


def require(granted: Access, needed: Access, href: str) -> None:
    """Refuse with ``need-privileges``, naming the privilege and the resource, unless all of ``needed`` is granted."""
    missing = needed & ~granted
    if not missing:
        return
    names = [name for flag, name in _PRIVILEGE_NAMES if flag & missing]
    raise Refusal(
        Condition.NEED_PRIVILEGES,
        "You do not have the privilege this needs: " + ", ".join(name.rpartition("}")[2] for name in names) + ".",
        *(Detail(href, name) for name in names),
    )
