"""Commands about background jobs: worker, jobs list, jobs retry, prune."""

from __future__ import annotations

import click

from caldav_server.cli.common import Failure, now, open_database, run, storage_problems, with_settings
from caldav_server.settings import Settings


@click.command()
@with_settings
def worker(settings: Settings) -> None:
    """Run background jobs until stopped, beside servers or without one. Several may run at once."""
    from caldav_server.jobs.alone import run_alone

    with storage_problems():
        run(run_alone(settings))


@click.group()
def jobs() -> None:
    """Background jobs that are not done."""


@jobs.command("list")
@with_settings
@click.option("--dead", is_flag=True, help="Only dead jobs: all their attempts failed.")
def list_(settings: Settings, dead: bool) -> None:
    """List the jobs that wait, run or are dead, with their last error."""
    from datetime import UTC, datetime

    from caldav_server.jobs import admin

    with open_database(settings) as db:
        found = run(db.read(admin.list_jobs))
    for each in found:
        job = each.job
        if dead and not job.dead:
            continue
        due = "" if job.dead else datetime.fromtimestamp(job.due_at, UTC).strftime(" until %Y-%m-%dT%H:%M:%SZ")
        owner = f" of {each.principal}" if each.principal else ""
        click.echo(f"{job.job_id.hex()}  {each.state}{due}  {job.kind}{owner}  attempts: {job.attempts}")
        if job.last_error:
            click.echo(f"    {job.last_error}")


@jobs.command()
@with_settings
@click.argument("ids", nargs=-1, metavar="ID...")
@click.option("--all", "everything", is_flag=True, help="Every dead job.")
def retry(settings: Settings, ids: tuple[str, ...], everything: bool) -> None:
    """Make dead jobs due again, with all their attempts."""
    from caldav_server.jobs import admin

    if bool(ids) == everything:
        raise click.UsageError("Give the ids of jobs, or --all.")
    try:
        chosen = None if everything else {bytes.fromhex(each) for each in ids}
    except ValueError as error:
        raise Failure("an id is the first word of a line of: caldav-server jobs list") from error
    with open_database(settings) as db:
        done = run(db.write(lambda tx: admin.retry(tx, chosen, now())))
    if chosen is not None and done < len(chosen):
        raise Failure(f"{len(chosen) - done} of these jobs are not dead; {done} are due again")
    click.echo(f"{done} jobs are due again.")


@click.command()
@with_settings
def prune(settings: Settings) -> None:
    """Delete now what the retention settings say: old texts, removed calendars, tombstones."""
    from caldav_server.calendaring.pruning import prune_all
    from caldav_server.cli.progress import counting

    with open_database(settings) as db, counting("Pruning") as advance:
        report = run(prune_all(db, settings, now(), advance))
    before, after = report.before, report.after
    for what, rows, octets in (
        ("previous texts", before.versions - after.versions, before.versions_octets - after.versions_octets),
        (
            "objects of removed calendars",
            before.removed_calendars - after.removed_calendars,
            before.removed_calendars_octets - after.removed_calendars_octets,
        ),
        ("tombstones", before.tombstones - after.tombstones, before.tombstones_octets - after.tombstones_octets),
    ):
        click.echo(f"{rows} {what} deleted, {octets} octets.")
