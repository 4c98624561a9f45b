"""Commands about calendars: list, create, import, export."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from caldav_server.cli.common import Failure, acting_as, open_database, problems, run, with_settings
from caldav_server.settings import Settings

if TYPE_CHECKING:
    from caldav_server.calendaring.context import Context
    from caldav_server.calendaring.opening import OpenCalendar
    from protocol.ical.split import Splitter
    from storage.database import Database

_COMPONENTS = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY")


@click.group()
def calendar() -> None:
    """List, create, import and export calendars."""


@calendar.command("list")
@with_settings
@click.argument("owner")
def list_calendars(settings: Settings, owner: str) -> None:
    """List the collections of OWNER: name, kind, number of objects, display name."""
    from caldav_server.calendaring import calendars, opening

    async def counts(db: Database) -> list[tuple[OpenCalendar, int]]:
        ctx = await acting_as(db, settings, owner)
        return await calendars.counts(ctx, await opening.home(ctx, ctx.actor.principal.name))

    with open_database(settings) as db, problems():
        for each, count in run(counts(db)):
            title = each.binding.display_name or ""
            click.echo(f"{each.binding.name}\t{each.calendar.kind.value}\t{count}\t{title}")


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
    from caldav_server.calendaring import calendars, opening
    from protocol.errors import Condition, Refusal
    from protocol.model import ALL_COMPONENTS, ComponentKind

    async def make(db: Database) -> bool:
        ctx = await acting_as(db, settings, owner)
        home = await opening.home(ctx, ctx.actor.principal.name)
        changes = calendars.PropertyChanges(
            {
                "components": frozenset(ComponentKind[one] for one in components) or ALL_COMPONENTS,
                "display_name": display_name or name,
                "description": description,
                "color": color,
            }
        )
        try:
            await calendars.create(ctx, home, name, changes)
        except Refusal as refusal:
            if refusal.condition is Condition.RESOURCE_MUST_BE_NULL:
                return False
            raise
        return True

    with open_database(settings) as db, problems():
        is_new = run(make(db))
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
    with open_database(settings) as db, problems():
        counts = run(_import(db, settings, owner, name, Splitter(data), quiet))
    click.echo(", ".join(f"{count} {status}" for status, count in counts.items()) or "The file holds no objects.")
    if counts["refused"]:
        raise SystemExit(1)


async def _import(db: Database, settings: Settings, owner: str, name: str, file: Splitter, quiet: bool) -> Counter[str]:
    from caldav_server.calendaring.importing import import_calendar
    from caldav_server.cli.parsers import parsers, rare_collections
    from caldav_server.cli.progress import counting

    ctx, opened = await _open(db, settings, owner, name)
    counts: Counter[str] = Counter()
    with rare_collections(), counting("Importing", len(file)) as advance, parsers(len(file)) as pool:
        async for outcomes in import_calendar(ctx, opened, file, pool):
            for one in outcomes:
                counts[one.status.value] += 1
                if not quiet or one.status.value == "refused":
                    click.echo(f"{one.status.value:<10}{one.uid}  {one.message}".rstrip())
            advance(len(outcomes))
    return counts


@calendar.command("export")
@with_settings
@click.argument("owner")
@click.argument("name")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True), default="-")
def export_file(settings: Settings, owner: str, name: str, file: str) -> None:
    """Write the calendar NAME of OWNER to an iCalendar FILE; without one, to standard output."""
    with open_database(settings) as db, problems():
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
    from caldav_server.calendaring.exporting import export_calendar
    from caldav_server.cli.progress import counting

    ctx, opened = await _open(db, settings, owner, name)
    total = 0
    with target as out, counting("Exporting") as advance:
        async for text, count in export_calendar(ctx, opened):
            out.write(text)
            total += count
            advance(count)
        out.flush()
    return total


async def _open(db: Database, settings: Settings, owner: str, name: str) -> tuple[Context, OpenCalendar]:
    """One of the calendars of a principal, for that principal itself."""
    from caldav_server.calendaring import opening
    from protocol.errors import Condition, Refusal

    ctx = await acting_as(db, settings, owner)
    try:
        return ctx, await opening.calendar(ctx, ctx.actor.principal.name, name)
    except Refusal as refusal:
        if refusal.condition is not Condition.NOT_FOUND:
            raise
        raise Failure(f"{owner} has no calendar {name!r}; make it with: caldav-server calendar create") from None
