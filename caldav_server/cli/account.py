"""Commands about accounts: add, list, password, app-password, remove, import."""

from __future__ import annotations

import secrets
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import click

from caldav_server.accounts import accounts, accounts_file
from caldav_server.accounts.accounts_file import AccountsFile, EntryStatus
from caldav_server.accounts.passwords import Hasher
from caldav_server.cli.common import Failure, now, open_database, run, with_settings
from caldav_server.cli.progress import counting
from caldav_server.settings import Settings
from protocol.model import PrincipalKind
from storage.database import Database, Transaction

T = TypeVar("T")


@click.group()
def account() -> None:
    """Add, list, change and remove accounts."""


@account.command()
@with_settings
@click.argument("name")
@click.option("--kind", type=click.Choice([kind.value for kind in PrincipalKind]), default="user", show_default=True)
@click.option("--password", metavar="TEXT", help="Its password; without it you are asked, or one is made up.")
@click.option("--display-name", metavar="TEXT", default="", help="The name that people see.")
@click.option("--email", "emails", metavar="ADDRESS", multiple=True, help="A mail address; may be repeated.")
@click.option("--time-zone", metavar="ZONE", default="UTC", show_default=True, help="An IANA name: Europe/Berlin.")
@click.option("--admin", is_flag=True, help="May manage other accounts.")
def add(
    settings: Settings,
    name: str,
    kind: str,
    password: str | None,
    display_name: str,
    emails: tuple[str, ...],
    time_zone: str,
    admin: bool,
) -> None:
    """Add an account with its calendar home."""
    with open_database(settings) as db, _account_problems():
        made = accounts.new_principal(
            name,
            PrincipalKind(kind),
            display_name=display_name,
            emails=emails,
            time_zone=time_zone,
            is_admin=admin,
        )
        hashed, shown = _choose_password(settings, password) if kind == "user" else ("", "")

        def work(tx: Transaction) -> None:
            accounts.create(tx, made, now())
            if hashed:
                accounts.set_password(tx, made, hashed, now())

        _change(db, settings, work)
    click.echo(f"Added {kind} {made.name}." + (f" Its password is {shown}" if shown else ""))


@account.command("list")
@with_settings
def list_accounts(settings: Settings) -> None:
    """List all accounts: kind, name, display name, addresses."""
    with open_database(settings) as db:
        for one in run(db.read(accounts.list_all)):
            admin = " (admin)" if one.is_admin else ""
            click.echo(f"{one.kind:<9}{one.name}{admin}\t{one.display_name}\t{' '.join(one.emails)}")


@account.command()
@with_settings
@click.argument("name")
@click.option("--password", metavar="TEXT", help="The new password; without it you are asked, or one is made up.")
def password(settings: Settings, name: str, password: str | None) -> None:
    """Change the password of a user."""
    with open_database(settings) as db, _account_problems():
        hashed, shown = _choose_password(settings, password)
        _change(db, settings, lambda tx: accounts.set_password(tx, accounts.find(tx, name), hashed, now()))
    click.echo(f"The password of {name} is changed." + (f" It is {shown}" if shown else ""))


@account.command("app-password")
@with_settings
@click.argument("name")
@click.argument("label", required=False)
@click.option("--remove", "is_removal", is_flag=True, help="Take the app password with this label back.")
def app_password(settings: Settings, name: str, label: str | None, is_removal: bool) -> None:
    """Make a password for one app or device and show it once; without LABEL, list them."""
    with open_database(settings) as db, _account_problems():
        principal = run(db.read(lambda tx: accounts.find(tx, name)))
        if label is None:
            for one in run(db.read(lambda tx: accounts.app_passwords(tx, principal))):
                click.echo(one.label)
        elif is_removal:
            count = _change(db, settings, lambda tx: accounts.remove_app_password(tx, principal, label))
            if not count:
                raise Failure(f"{name} has no app password {label!r}")
            click.echo(f"Removed the app password {label!r} of {name}.")
        else:
            click.echo(_change(db, settings, lambda tx: accounts.add_app_password(tx, principal, label, now())))


@account.command()
@with_settings
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(settings: Settings, name: str, yes: bool) -> None:
    """Remove an account and everything it owns."""
    with open_database(settings) as db, _account_problems():
        principal = run(db.read(lambda tx: accounts.find(tx, name)))
        if not yes:
            click.confirm(f"Remove {principal.kind} {name} with all its calendars?", abort=True)
        _change(db, settings, lambda tx: accounts.remove(tx, principal))
    click.echo(f"Removed {name}.")


@account.command("import")
@with_settings
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
def import_accounts(settings: Settings, file: str) -> None:
    """Make the accounts what a TOML file says; accounts it does not name are left alone."""
    with open_database(settings) as db, _account_problems():
        found = accounts_file.read_file(file)
        done = _import(db, settings, found)
    for kind, name, status in done:
        click.echo(f"{status:<10}{kind} {name}")
    counts = Counter(status for _, _, status in done)
    click.echo(", ".join(f"{count} {status}" for status, count in counts.items()) or "The file names no accounts.")


def _import(db: Database, settings: Settings, file: AccountsFile) -> list[tuple[PrincipalKind, str, EntryStatus]]:
    known = run(db.read(lambda tx: accounts_file.known_hashes(tx, file)))
    with counting("Passwords", len(file.user)) as advance:
        hashes = accounts_file.hash_passwords(file, known, Hasher(settings.auth), lambda: advance(1))
    return _change(db, settings, lambda tx: accounts_file.apply_file(tx, file, hashes, now()))


def _change(db: Database, settings: Settings, work: Callable[[Transaction], T]) -> T:
    """Runs a unit of work that changes accounts; servers that are running hear of it when there is Redis."""
    return run(accounts.change_once(db, settings.redis.url, work))


def _choose_password(settings: Settings, given: str | None) -> tuple[str, str]:
    """The hash of the password that was given, typed or made up, and the password if it must be shown."""
    shown = ""
    if given is None and sys.stdin.isatty():
        given = click.prompt("Password (empty: one is made up)", hide_input=True, default="", show_default=False)
        if given:
            click.prompt("Again", hide_input=True, value_proc=lambda again: _must_equal(str(given), again))
    if not given:
        given = shown = secrets.token_urlsafe(12)
    return Hasher(settings.auth).hash(given), shown


def _must_equal(first: str, again: str) -> str:
    if first != again:
        raise click.UsageError("The passwords differ.")
    return again


@contextmanager
def _account_problems() -> Iterator[None]:
    """Turns what cannot be done with an account into a message."""
    try:
        yield
    except accounts.AccountError as error:
        raise Failure(str(error)) from error
