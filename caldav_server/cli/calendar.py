"""Commands about calendars: list, create, import, export."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from caldav_server.cli.common import Failure, now, open_database, run, with_settings
from caldav_server.settings import Settings

if TYPE_CHECKING:
    from caldav_server.calendaring.context import Context
    from protocol.ical.split import Splitter
    from protocol.model import Calendar, CalendarObject, Principal
    from storage.database import Database, Transaction

_COMPONENTS = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY")


@click.group()
def calendar() -> None:
    """List, create, import and export calendars."""


@calendar.command("list")
@with_settings
@click.argument("owner")
def list_calendars(settings: Settings, owner: str) -> None:
    """List the collections of OWNER: name, kind, number of objects, display name."""
    from storage import calendars, objects

    def work(tx: Transaction) -> list[tuple[Calendar, int]]:
        principal = _owner(tx, owner)
        found = calendars.of_home(tx, principal.principal_id)
        return [(one, len(objects.members_etags(tx, one.principal_id, one.calendar_id))) for one in found]

    with open_database(settings) as db, _problems():
        for one, count in run(db.read(work)):
            click.echo(f"{one.name}\t{one.kind.value}\t{count}\t{one.display_name or ''}")


@calendar.command()
@with_settings
@click.argument("owner")
@click.argument("name")
@click.option("--display-name", metavar="TEXT", help="The name that people see; NAME without it.")
@click.option("--description", metavar="TEXT")
@click.option("--color", metavar="#RRGGBB")
@click.option("--component", "components", type=click.Choice(_COMPONENTS), multiple=True, help="What it takes; all.")
def create(
    settings: Settings,
    owner: str,
    name: str,
    display_name: str | None,
    description: str | None,
    color: str | None,
    components: tuple[str, ...],
) -> None:
    """Create a calendar NAME for OWNER; nothing happens when there is one."""
    from protocol.model import ALL_COMPONENTS, Calendar, CalendarId, ComponentKind
    from storage import calendars
    from storage.ids import new_id

    def work(tx: Transaction) -> bool:
        principal = _owner(tx, owner)
        if calendars.find(tx, principal.principal_id, name) is not None:
            return False
        made = Calendar(
            principal.principal_id,
            CalendarId(new_id()),
            name,
            components=frozenset(ComponentKind[one] for one in components) or ALL_COMPONENTS,
            display_name=display_name or name,
            description=description,
            color=color,
            created_at=now(),
        )
        calendars.create(tx, made)
        return True

    with open_database(settings) as db, _problems():
        is_new = run(db.write(work))
    click.echo(f"{'Created' if is_new else 'There is already'} the calendar {name} of {owner}.")


@calendar.command("import")
@with_settings
@click.argument("owner")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--quiet", is_flag=True, help="No line per object, only the counts and what was refused.")
def import_file(settings: Settings, owner: str, name: str, file: str, quiet: bool) -> None:
    """Put every object of an iCalendar FILE (- for standard input) into the calendar NAME of OWNER.

    Objects are known by their UID: a second import of the same file changes nothing.
    """
    from protocol.ical.split import Splitter

    data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    with open_database(settings) as db, _problems():
        counts = run(_import(db, settings, owner, name, Splitter(data), quiet))
    click.echo(", ".join(f"{count} {became}" for became, count in counts.items()) or "The file holds no objects.")
    if counts["refused"]:
        raise SystemExit(1)


async def _import(db: Database, settings: Settings, owner: str, name: str, file: Splitter, quiet: bool) -> Counter[str]:
    from caldav_server.calendaring.importing import import_calendar
    from caldav_server.cli.parsers import parsers, rare_collections
    from caldav_server.cli.progress import counting

    ctx, principal, place = await _place(db, settings, owner, name)
    counts: Counter[str] = Counter()
    with rare_collections(), counting("Importing", len(file)) as advance, parsers(len(file)) as pool:
        async for outcomes in import_calendar(ctx, principal, place, file, pool):
            for one in outcomes:
                counts[one.became.value] += 1
                if not quiet or one.became.value == "refused":
                    click.echo(f"{one.became.value:<10}{one.uid}  {one.message}".rstrip())
            advance(len(outcomes))
    return counts


@calendar.command("export")
@with_settings
@click.argument("owner")
@click.argument("name")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True), default="-")
def export_file(settings: Settings, owner: str, name: str, file: str) -> None:
    """Write the calendar NAME of OWNER to an iCalendar FILE; without one, to standard output."""
    with open_database(settings) as db, _problems():
        if file == "-":
            count = run(_export(db, settings, owner, name, nullcontext(sys.stdout.buffer)))
        else:
            # complete or not at all: a full disk must not leave half a calendar under the name
            partial = Path(f"{file}.part")
            count = run(_export(db, settings, owner, name, partial.open("wb")))
            partial.replace(file)
    click.echo(f"{count} objects exported.", err=True)


async def _export(
    db: Database, settings: Settings, owner: str, name: str, target: nullcontext[BinaryIO] | BinaryIO
) -> int:
    from caldav_server.cli.progress import counting
    from protocol.ical.join import Joiner

    _, _, place = await _place(db, settings, owner, name)
    joiner = Joiner(place.display_name or place.name)
    count = 0
    with target as out, counting("Exporting") as advance:
        out.write(joiner.begin())
        async for page in _pages(db, place):
            out.write(b"".join(joiner.add(one.data) for one in page))
            count += len(page)
            advance(len(page))
        out.write(joiner.end())
        out.flush()
    return count


async def _pages(db: Database, place: Calendar) -> AsyncIterator[list[CalendarObject]]:
    from storage import objects

    def page_after(seq: int) -> Callable[..., list[CalendarObject]]:
        return lambda tx: objects.page(tx, place.principal_id, place.calendar_id, after=seq, limit=500)

    after = 0
    seen: set[bytes] = set()  # what changes meanwhile comes by again under its new number
    while page := await db.read(page_after(after)):
        yield [each for each in page if each.meta.object_id not in seen]
        seen.update(each.meta.object_id for each in page)
        after = page[-1].meta.seq


async def _place(db: Database, settings: Settings, owner: str, name: str) -> tuple[Context, Principal, Calendar]:
    """The means of a use-case in the owner's own name, the owner, and one of its calendars."""
    from caldav_server.calendaring.context import Actor, Context, Rules
    from storage import calendars

    def work(tx: Transaction) -> tuple[Principal, Calendar]:
        principal = _owner(tx, owner)
        found = calendars.find(tx, principal.principal_id, name)
        if found is None:
            raise Failure(f"{owner} has no calendar {name!r}; make it with: caldav-server calendar create")
        return principal, found

    principal, found = await db.read(work)
    ctx = Context(db, Rules.of(settings), Actor(principal), "command", now(), lambda *_: None)
    return ctx, principal, found


def _owner(tx: Transaction, name: str) -> Principal:
    from caldav_server.accounts import accounts

    return accounts.find(tx, name)


@contextmanager
def _problems() -> Iterator[None]:
    """Turns refusals and mistakes into messages."""
    from caldav_server.accounts.accounts import AccountError
    from protocol.errors import Refusal

    try:
        yield
    except (AccountError, Refusal) as error:
        raise Failure(str(error)) from error
