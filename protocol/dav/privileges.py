"""The privileges of the server as one tree, and what access means in them.

RFC 3744 §3 and §5.3, RFC 4791 §6.1.1 (read-free-busy inside read). The scheduling privileges of RFC 6638 are absent
because scheduling is not built. Rules of this module: ``TREE`` is the only list of privileges; everything that tells
a client about privileges is computed from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from protocol.dav import names
from protocol.dav.xml import escape
from protocol.model import Access


@dataclass(frozen=True, slots=True)
class Privilege:
    """One privilege: granted exactly when ``access`` is, together with everything it contains."""

    name: str
    description: str
    access: Access
    contains: tuple[Privilege, ...] = ()


TREE = Privilege(
    names.dav("all"),
    "Any operation",
    Access.OWN,
    (
        Privilege(
            names.dav("read"),
            "Read everything",
            Access.READ,
            (
                Privilege(names.READ_FREE_BUSY, "Read when time is busy", Access.READ_FREE_BUSY),
                Privilege(names.dav("read-current-user-privilege-set"), "Read one's own privileges", Access.READ),
            ),
        ),
        Privilege(names.dav("read-acl"), "Read who may do what", Access.READ_ACL),
        Privilege(
            names.dav("write"),
            "Change anything but who may do what",
            Access.WRITE,
            (
                Privilege(names.dav("write-content"), "Change an object", Access.WRITE_CONTENT),
                Privilege(names.dav("write-properties"), "Change properties", Access.WRITE_PROPERTIES),
                Privilege(names.dav("bind"), "Add a member", Access.BIND),
                Privilege(names.dav("unbind"), "Remove a member", Access.UNBIND),
            ),
        ),
        Privilege(names.dav("write-acl"), "Change who may do what", Access.WRITE_ACL),
    ),
)


def _walk(privilege: Privilege) -> Iterator[Privilege]:
    yield privilege
    for inner in privilege.contains:
        yield from _walk(inner)


ALL_PRIVILEGES: tuple[Privilege, ...] = tuple(_walk(TREE))
"""Every privilege, containers before what they contain."""


NAMES: dict[Access, str] = {item.access: item.name for item in reversed(ALL_PRIVILEGES)}
"""What a missing access is called; of two privileges with one access, the aggregate."""


@cache
def expand(access: Access) -> tuple[str, ...]:
    """The Clark names of all privileges in ``access``, aggregates and their parts both.

    Outlook looks for ``write`` and does not conclude it from ``all``, so nothing is left to be inferred.
    """
    if not access:
        return ()
    return tuple(item.name for item in ALL_PRIVILEGES if item.access & access == item.access)


@cache
def render_privileges(access: Access) -> str:
    """The content of DAV:current-user-privilege-set (RFC 3744 §5.4)."""
    return render_privilege_names(expand(access))


def render_privilege_names(privileges: tuple[str, ...]) -> str:
    """One DAV:privilege element around each Clark name."""
    return "".join(f"<D:privilege>{names.empty(name)}</D:privilege>" for name in privileges)


@cache
def render_supported_privilege_set() -> str:
    """The content of DAV:supported-privilege-set (RFC 3744 §5.3): the whole tree with descriptions."""
    return _supported(TREE)


def _supported(privilege: Privilege) -> str:
    inner = "".join(map(_supported, privilege.contains))
    return (
        f"<D:supported-privilege>{render_privilege_names((privilege.name,))}"
        f'<D:description xml:lang="en">{escape(privilege.description)}</D:description>{inner}</D:supported-privilege>'
    )
