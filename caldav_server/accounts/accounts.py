"""Accounts: principals with their homes, their passwords and app passwords.

Every function of a ``Transaction`` is one unit of work and leaves nothing half done. Rules of this module: it takes
hashes, never chosen passwords; hashing is slow and happens before a transaction.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from caldav_server.accounts.passwords import (
    APP_PASSWORD,
    PASSWORD,
    hash_app_password,
    new_app_password,
    normalise,
)
from protocol.model import Credential, Principal, PrincipalId, PrincipalKind
from storage import credentials, principals, server_state
from storage.bus import Bus
from storage.database import Database, Transaction
from storage.errors import Duplicate
from storage.ids import new_id

T = TypeVar("T")

LONGEST_NAME = 255


class AccountError(Exception):
    """What is asked of an account cannot be done; the message is for the administrator."""


def check_name(name: str) -> str:
    """A login name as it is stored: composed Unicode; raises ``AccountError`` for one that cannot be used."""
    name = normalise(name)
    if not name or len(name.encode("utf-8")) > LONGEST_NAME:
        raise AccountError(f"a name has 1 to {LONGEST_NAME} bytes: {name[:40]!r}")
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in name) or name != name.strip():
        raise AccountError(f"a name has no control characters and no blanks around it: {name!r}")
    if ":" in name:
        raise AccountError(f"a name has no colon, because logins are NAME:PASSWORD (RFC 7617): {name!r}")
    if name in (".", ".."):
        raise AccountError(f"{name!r} cannot be part of an address")
    return name


def find(tx: Transaction, name: str) -> Principal:
    """The principal of that name; raises ``AccountError`` when there is none."""
    found = principals.find_by_name(tx, normalise(name))
    if found is None:
        raise AccountError(f"there is no account {name!r}")
    return found


def list_all(tx: Transaction) -> list[Principal]:
    """Every principal, by name."""
    return principals.list_all(tx)


def has_users(tx: Transaction) -> bool:
    """Whether anybody can log in."""
    return bool(principals.search(tx, [[principals.Term("kind", "user", "equals")]], limit=1))


def create(tx: Transaction, principal: Principal, now: int) -> Principal:
    """Stores a new principal and its home: calendar, inbox, outbox, notification."""
    from caldav_server.calendaring import homes  # loads all of iCalendar, which most commands do without

    name = check_name(principal.name)
    if principals.find_by_name(tx, name) is not None:
        raise AccountError(f"there is already an account {name!r}")
    twin = principals.find_by_name(tx, name.lower())
    if twin is not None:
        raise AccountError(f"{name!r} differs from the account {twin.name!r} by capitals only")
    save(tx, principal)
    homes.ensure(tx, principal, now)
    return principal


def save(tx: Transaction, principal: Principal) -> None:
    """Stores a principal, new or changed; raises ``AccountError`` when its name or an address belongs to another."""
    try:
        principals.save(tx, principal)
    except Duplicate as error:
        raise AccountError(f"{principal.name!r}: another account has this name or one of these addresses") from error


def new_principal(
    name: str,
    kind: PrincipalKind = PrincipalKind.USER,
    *,
    display_name: str = "",
    emails: Iterable[str] = (),
    time_zone: str = "UTC",
    is_admin: bool = False,
    auto_accept: str | None = None,
) -> Principal:
    """A principal with an id of its own, not yet stored."""
    return Principal(
        PrincipalId(new_id()),
        kind,
        check_name(name),
        display_name or name,
        tuple(emails),
        time_zone,
        is_admin,
        auto_accept,
    )


def set_password(tx: Transaction, principal: Principal, hashed: str, now: int) -> None:
    """Replaces the account password by one whose hash this is; every remembered login is void from the commit on."""
    if principal.kind is not PrincipalKind.USER:
        raise AccountError(f"{principal.name!r} is a {principal.kind}: only users log in")
    credentials.remove_kind(tx, principal.principal_id, PASSWORD)
    credentials.save(tx, Credential(principal.principal_id, new_id(), PASSWORD, "", hashed, now))


def replace_hash(tx: Transaction, credential: Credential, hashed: str) -> None:
    """Stores another hash of the same password; nothing happens when the password was changed meanwhile."""
    if credential in credentials.for_principal(tx, credential.principal_id):
        credentials.save(tx, replace(credential, hash=hashed))


def add_app_password(tx: Transaction, principal: Principal, label: str, now: int) -> str:
    """Gives a user a new app password and returns it: it is shown once and cannot be read again."""
    if principal.kind is not PrincipalKind.USER:
        raise AccountError(f"{principal.name!r} is a {principal.kind}: only users log in")
    made = new_app_password()
    hashed = hash_app_password(made)
    credentials.save(tx, Credential(principal.principal_id, new_id(), APP_PASSWORD, label, hashed, now))
    return made


def app_passwords(tx: Transaction, principal: Principal) -> list[Credential]:
    """The app passwords of a user, oldest first."""
    return [one for one in credentials.for_principal(tx, principal.principal_id) if one.kind == APP_PASSWORD]


def remove_app_password(tx: Transaction, principal: Principal, label: str) -> int:
    """Takes back the app passwords with this label; how many there were."""
    found = [one for one in app_passwords(tx, principal) if one.label == label]
    for one in found:
        credentials.remove(tx, principal.principal_id, one.credential_id)
    return len(found)


def remove(tx: Transaction, principal: Principal) -> None:
    """Removes an account with everything it owns."""
    principals.remove(tx, principal.principal_id)


async def change(db: Database, bus: Bus, work: Callable[[Transaction], T]) -> T:
    """Runs a unit of work that changes accounts, and announces the new accounts version after the commit."""

    def with_version(tx: Transaction) -> tuple[T, int]:
        return work(tx), server_state.accounts_version(tx)

    result, version = await db.write(with_version)
    bus.announce_accounts(version)
    return result


async def change_once(db: Database, redis_url: str, work: Callable[[Transaction], T]) -> T:
    """As ``change``, for a process that is no server: a bus is opened for the one announcement."""
    bus = Bus(redis_url)
    try:
        return await change(db, bus, work)
    finally:
        await bus.close()
