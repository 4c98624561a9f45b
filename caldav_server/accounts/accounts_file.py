"""Accounts files: a TOML file that says which accounts there are, with their groups and delegates.

Applying a file twice changes nothing the second time; a principal that the file does not name is left alone. Rules of
this module: hashing is slow and happens before the transaction, never inside it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

import msgspec

from caldav_server.accounts import accounts
from caldav_server.accounts.accounts import AccountError
from caldav_server.accounts.passwords import PASSWORD, Hasher, is_hash, normalise
from protocol.model import PrincipalId, PrincipalKind
from storage import credentials, principals
from storage.database import Transaction


class EntryStatus(StrEnum):
    """What became of one entry of an accounts file."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class _Entry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: str
    display_name: str = ""
    emails: list[str] = []
    time_zone: str = "UTC"
    read_delegates: list[str] = []
    write_delegates: list[str] = []


class UserEntry(_Entry):
    """A ``[[user]]``: ``password`` in clear or as a hash; without one only app passwords work."""

    password: str = ""
    admin: bool = False


class GroupEntry(_Entry):
    """A ``[[group]]``."""

    members: list[str] = []


class BookableEntry(_Entry):
    """A ``[[room]]`` or ``[[resource]]``."""

    auto_accept: str | None = None


Entry = UserEntry | GroupEntry | BookableEntry


class AccountsFile(msgspec.Struct, forbid_unknown_fields=True):
    """The whole file."""

    user: list[UserEntry] = []
    group: list[GroupEntry] = []
    room: list[BookableEntry] = []
    resource: list[BookableEntry] = []

    def entries(self) -> Iterator[tuple[PrincipalKind, Entry]]:
        """All entries with their kind, users first."""
        for kind, listed in (
            (PrincipalKind.USER, self.user),
            (PrincipalKind.GROUP, self.group),
            (PrincipalKind.ROOM, self.room),
            (PrincipalKind.RESOURCE, self.resource),
        ):
            for entry in listed:
                yield kind, entry


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
) -> dict[str, str]:
    """The hashes to store for a file's users: none where the stored one already fits. Slow, in threads."""

    def decide(user: UserEntry) -> tuple[str, str | None]:
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
    return {name: hashed for name, hashed in decided if hashed is not None}


def apply_file(
    tx: Transaction, file: AccountsFile, hashes: Mapping[str, str], now: int
) -> list[tuple[PrincipalKind, str, EntryStatus]]:
    """Makes the accounts what the file says, all of them or none; what became of each entry."""
    statuses: dict[str, EntryStatus] = {}
    kinds: dict[str, PrincipalKind] = {}
    for kind, entry in file.entries():
        name = accounts.check_name(entry.name)
        if name in kinds:
            raise AccountError(f"{name!r} is named twice")
        kinds[name] = kind
        statuses[name] = _apply_entry(tx, kind, entry, now)
    for user in file.user:
        if user.name in hashes:
            name = normalise(user.name)
            accounts.set_password(tx, accounts.find(tx, name), hashes[user.name], now)
            if statuses[name] is EntryStatus.UNCHANGED:
                statuses[name] = EntryStatus.UPDATED
    for _, entry in file.entries():
        name = normalise(entry.name)
        if _apply_relations(tx, entry) and statuses[name] is EntryStatus.UNCHANGED:
            statuses[name] = EntryStatus.UPDATED
    return [(kinds[name], name, status) for name, status in statuses.items()]


def _apply_entry(tx: Transaction, kind: PrincipalKind, entry: Entry, now: int) -> EntryStatus:
    wanted = accounts.new_principal(
        entry.name,
        kind,
        display_name=entry.display_name,
        emails=entry.emails,
        time_zone=entry.time_zone,
        is_admin=isinstance(entry, UserEntry) and entry.admin,
        auto_accept=entry.auto_accept if isinstance(entry, BookableEntry) else None,
    )
    existing = principals.find_by_name(tx, wanted.name)
    if existing is None:
        accounts.create(tx, wanted, now)
        return EntryStatus.CREATED
    if existing.kind is not kind:
        raise AccountError(f"{wanted.name!r} is a {existing.kind} and cannot become a {kind}")
    wanted = replace(wanted, principal_id=existing.principal_id, home_seq=existing.home_seq)
    if wanted == existing:
        return EntryStatus.UNCHANGED
    accounts.save(tx, wanted)
    return EntryStatus.UPDATED


def _apply_relations(tx: Transaction, entry: Entry) -> bool:
    """Members and delegates of one entry; whether they were others before."""
    principal = accounts.find(tx, entry.name)
    changed = False
    if isinstance(entry, GroupEntry):
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
