"""The first start: makes the schema and one account in an empty database, and prints how to connect."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import click

from caldav_server.accounts import accounts
from caldav_server.accounts.passwords import Hasher
from caldav_server.cli.common import run
from caldav_server.observability.instrumented_database import open_database
from caldav_server.settings import Settings
from protocol.model import Principal
from storage.database import Transaction

FIRST_NAME = "admin"


@dataclass(frozen=True, slots=True)
class FirstAccount:
    """The account made on an empty database, with the only copy of its password."""

    name: str
    password: str


def prepare_database(settings: Settings, now: int) -> FirstAccount | None:
    """Makes the schema of a new database, and the first account when there is none: returns it.

    An older schema stays as it is: its administrator makes a backup and runs ``caldav-server migrate``.
    """
    db = open_database(settings)
    try:
        if db.is_new():
            db.migrate()
        db.require_schema()
        if run(db.read(accounts.has_users)):
            return None
        first = FirstAccount(FIRST_NAME, secrets.token_urlsafe(12))
        hashed = Hasher(settings.auth).hash(first.password)

        def work(tx: Transaction) -> Principal | None:
            if accounts.has_users(tx):  # another process was faster
                return None
            made = accounts.create(tx, accounts.new_principal(first.name, is_admin=True), now)
            accounts.set_password(tx, made, hashed, now)
            return made

        return first if run(db.write(work)) is not None else None
    finally:
        db.close()


def print_welcome(settings: Settings, address: str, first: FirstAccount | None) -> None:
    """Prints the address of the server and, at the first start, how to connect each client."""
    scheme = "https" if settings.tls.certificate else "http"
    own = address if address.startswith("unix:") else f"{scheme}://{address}{settings.server.base_path}"
    base = settings.server.base_url or own
    click.echo(f"Calendar server ready on {base}")
    if first is None:
        return
    parts = urlsplit(base)
    path = parts.path if parts.netloc else ""
    encoded = quote(first.name, safe="")
    click.echo(
        f"""
The database was empty, so there is a first account now. Its password is shown only here.

  User name  {first.name}
  Password   {first.password}

Paste into
  Thunderbird     New Calendar > On the Network, with the user name and  {base}/
  Apple Calendar  Add Account > Other CalDAV Account > Advanced: server {parts.hostname}, port {parts.port or 443},
                  path {path}/dav/principals/{encoded}/, {"SSL on" if parts.scheme == "https" else "SSL off"}
  DAVx5           Login with URL and user name:  {base}/
  Python          caldav.DAVClient("{base}/dav/", username="{first.name}", password="...")

More accounts: caldav-server account add NAME
"""
    )
