"""Accounts: making principals with their homes, their passwords, and reading an accounts file.

Every function of a ``Transaction`` is one unit of work and leaves nothing half done. Reading an accounts file twice
changes nothing the second time; a principal that the file does not name is left alone. Rules of this module: hashing
is slow and happens before a transaction, never inside one; a clear password is never kept longer than its hash takes.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from caldav_server.auth.passwords import (
    APP_PASSWORD,
    PASSWORD,
    Hasher,
    hash_app_password,
    is_hash,
    new_app_password,
    normalise,
)
from caldav_server.calendaring import homes
from protocol.model import Credential, Principal, PrincipalId, PrincipalKind
from storage import credentials, principals
from storage.database import Transaction
from storage.errors import Duplicate
from storage.ids import new_id

LONGEST_NAME = 255


class AccountError(Exception):
    """What is asked of an account cannot be done; the message is for the administrator."""


class Outcome(StrEnum):
    """What became of one entry of an accounts file."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


# -- one account


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


def create(tx: Transaction, principal: Principal, now: int) -> Principal:
    """Stores a new principal and its home: calendar, inbox, outbox, notification."""
    name = check_name(principal.name)
    if principals.find_by_name(tx, name) is not None:
        raise AccountError(f"there is already an account {name!r}")
    twin = principals.find_by_name(tx, name.lower())
    if twin is not None:
        raise AccountError(f"{name!r} differs from the account {twin.name!r} by capitals only")
    _save(tx, principal)
    homes.ensure(tx, principal, now)
    return principal


def _save(tx: Transaction, principal: Principal) -> None:
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


# -- an accounts file


class _Entry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: str
    display_name: str = ""
    emails: list[str] = []
    time_zone: str = "UTC"
    read_delegates: list[str] = []
    write_delegates: list[str] = []


class User(_Entry):
    """A ``[[user]]``: ``password`` in clear or as a hash; without one only app passwords work."""

    password: str = ""
    admin: bool = False


class Group(_Entry):
    """A ``[[group]]``."""

    members: list[str] = []


class Place(_Entry):
    """A ``[[room]]`` or ``[[resource]]``."""

    auto_accept: str | None = None


class AccountsFile(msgspec.Struct, forbid_unknown_fields=True):
    """The whole file."""

    user: list[User] = []
    group: list[Group] = []
    room: list[Place] = []
    resource: list[Place] = []

    def entries(self) -> Iterator[tuple[PrincipalKind, User | Group | Place]]:
        """All entries with their kind, users first."""
        for kind, listed in (
            (PrincipalKind.USER, self.user),
            (PrincipalKind.GROUP, self.group),
            (PrincipalKind.ROOM, self.room),
            (PrincipalKind.RESOURCE, self.resource),
        ):
            for entry in listed:
                yield kind, entry


@dataclass(frozen=True, slots=True)
class Passwords:
    """What importing needs to know of passwords before its transaction: the hashes to store, by user name."""

    hashes: Mapping[str, str]


def read_file(path: str | Path) -> AccountsFile:
    """Reads an accounts file; raises ``AccountError`` naming the entry and what was expected."""
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        return msgspec.convert(document, AccountsFile)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise AccountError(f"{path}: {error}") from error


def known_hashes(tx: Transaction, file: AccountsFile) -> dict[str, str]:
    """The stored password hashes of the users that a file names."""
    found: dict[str, str] = {}
    for user in file.user:
        principal = principals.find_by_name(tx, normalise(user.name))
        for one in credentials.for_principal(tx, principal.principal_id) if principal else ():
            if one.kind == PASSWORD:
                found[user.name] = one.hash
    return found


def hash_passwords(
    file: AccountsFile, known: Mapping[str, str], hasher: Hasher, progress: Callable[[], None] = lambda: None
) -> Passwords:
    """The hashes to store for a file's users: none where the stored one already fits. Slow, in threads."""

    def decide(user: User) -> tuple[str, str | None]:
        progress()
        stored = known.get(user.name)
        if not user.password or stored == user.password:
            return user.name, None
        if is_hash(user.password):
            return user.name, user.password
        if stored is not None and hasher.verify(stored, user.password):
            return user.name, None
        return user.name, hasher.hash(user.password)

    with ThreadPoolExecutor() as pool:
        decided = list(pool.map(decide, file.user))
    return Passwords({name: hashed for name, hashed in decided if hashed is not None})


def apply_file(
    tx: Transaction, file: AccountsFile, passwords: Passwords, now: int
) -> list[tuple[PrincipalKind, str, Outcome]]:
    """Makes the accounts what the file says, all of them or none; what became of each entry."""
    outcomes: dict[str, Outcome] = {}
    kinds: dict[str, PrincipalKind] = {}
    for kind, entry in file.entries():
        name = check_name(entry.name)
        if name in kinds:
            raise AccountError(f"{name!r} is named twice")
        kinds[name] = kind
        outcomes[name] = _apply_entry(tx, kind, entry, now)
    for user in file.user:
        if user.name in passwords.hashes:
            name = normalise(user.name)
            set_password(tx, find(tx, name), passwords.hashes[user.name], now)
            if outcomes[name] is Outcome.UNCHANGED:
                outcomes[name] = Outcome.UPDATED
    for _, entry in file.entries():
        name = normalise(entry.name)
        if _apply_relations(tx, entry) and outcomes[name] is Outcome.UNCHANGED:
            outcomes[name] = Outcome.UPDATED
    return [(kinds[name], name, outcome) for name, outcome in outcomes.items()]


def _apply_entry(tx: Transaction, kind: PrincipalKind, entry: User | Group | Place, now: int) -> Outcome:
    wanted = new_principal(
        entry.name,
        kind,
        display_name=entry.display_name,
        emails=entry.emails,
        time_zone=entry.time_zone,
        is_admin=isinstance(entry, User) and entry.admin,
        auto_accept=entry.auto_accept if isinstance(entry, Place) else None,
    )
    existing = principals.find_by_name(tx, wanted.name)
    if existing is None:
        create(tx, wanted, now)
        return Outcome.CREATED
    if existing.kind is not kind:
        raise AccountError(f"{wanted.name!r} is a {existing.kind} and cannot become a {kind}")
    wanted = _with_identity(wanted, existing)
    if wanted == existing:
        return Outcome.UNCHANGED
    _save(tx, wanted)
    return Outcome.UPDATED


def _with_identity(wanted: Principal, existing: Principal) -> Principal:
    return Principal(
        existing.principal_id,
        wanted.kind,
        wanted.name,
        wanted.display_name,
        wanted.emails,
        wanted.time_zone,
        wanted.is_admin,
        wanted.auto_accept,
        existing.home_seq,
    )


def _apply_relations(tx: Transaction, entry: User | Group | Place) -> bool:
    """Members and delegates of one entry; whether they were others before."""
    principal = find(tx, entry.name)
    changed = False
    if isinstance(entry, Group):
        members = {_resolve(tx, name, entry.name) for name in entry.members}
        if members != {one.principal_id for one in principals.members_of(tx, principal.principal_id)}:
            principals.set_members(tx, principal.principal_id, members)
            changed = True
    rights = {_resolve(tx, name, entry.name): False for name in entry.read_delegates}
    rights |= {_resolve(tx, name, entry.name): True for name in entry.write_delegates}
    if rights != {one.principal_id: write for one, write in principals.delegates_of(tx, principal.principal_id)}:
        principals.set_delegates(tx, principal.principal_id, rights.items())
        changed = True
    return changed


def _resolve(tx: Transaction, name: str, named_by: str) -> PrincipalId:
    found = principals.find_by_name(tx, normalise(name))
    if found is None:
        raise AccountError(f"{named_by!r} names {name!r}, which is no account")
    return found.principal_id
