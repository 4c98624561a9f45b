"""Commands about the server itself: serve, migrate, reindex, restored, check-config."""

from __future__ import annotations

import click

from caldav_server.cli.common import Failure, now, open_database, read_settings, run, storage_problems, with_settings
from caldav_server.settings import Override, Settings, environment_name


@click.command()
@click.option("--config", metavar="FILE", help="The TOML file with the settings.")
@click.option("--bind", metavar="HOST:PORT", help="Where to listen.")
@click.option("--database", metavar="URL", help="sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME.")
@click.option("--workers", type=int, metavar="N", help="How many processes serve requests.")
def serve(config: str | None, bind: str | None, database: str | None, workers: int | None) -> None:
    """Serve until stopped. A new database is set up first, with one account."""
    given = [
        Override("server", "bind", bind, "--bind"),
        Override("database", "url", database, "--database"),
        Override("server", "workers", workers, "--workers"),
    ]
    settings = read_settings(config, [one for one in given if one.value is not None])
    from caldav_server import serving
    from caldav_server.cli import welcome

    with storage_problems():
        first = welcome.prepare_database(settings, now())
        try:
            status = serving.serve(settings, lambda address: welcome.print_welcome(settings, address, first))
        except OSError as error:
            raise Failure(f"cannot serve on {settings.server.bind}: {error}") from error
    raise SystemExit(status)


@click.command()
@with_settings
def migrate(settings: Settings) -> None:
    """Bring the database to the schema of this version."""
    from caldav_server.observability.instrumented_database import open_database as open_it

    with storage_problems():
        db = open_it(settings)
        try:
            db.migrate()
        finally:
            db.close()
    click.echo("The database is up to date.")


@click.command()
@with_settings
def reindex(settings: Settings) -> None:
    """Rebuild everything that is derived from the calendar texts."""
    from caldav_server.cli.progress import counting

    with open_database(settings) as db, counting("Reindexing") as advance:
        from caldav_server.calendaring.upkeep import reindex_all

        done = run(reindex_all(db, settings, now(), advance))
    click.echo(f"{done} objects indexed.")


@click.command()
@with_settings
def restored(settings: Settings) -> None:
    """Make every sync token void after a restore from a backup: clients then read everything again.

    Clients may have seen changes that the backup does not hold. Run it while no server runs.
    """
    with open_database(settings) as db:
        from caldav_server.calendaring.epoch import void_sync_tokens

        run(void_sync_tokens(db))
    click.echo("Every sync token given out before is void now.")


@click.command("check-config")
@click.option("--config", metavar="FILE", help="The TOML file with the settings.")
@click.option("--database", metavar="URL", help="sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME.")
def check_config(config: str | None, database: str | None) -> None:
    """Check the settings and print those that differ from their defaults."""
    from dataclasses import fields

    from caldav_server.observability.logs import redact
    from caldav_server.serving.worker import tls_context

    overrides = [Override("database", "url", database, "--database")] if database is not None else []
    settings = read_settings(config, overrides)
    try:
        tls_context(settings.tls)
    except OSError as error:
        raise Failure(f"[tls] certificate, key: they must be readable PEM files: {error}") from error
    for section in fields(settings):
        values = getattr(settings, section.name)
        for row in fields(values):
            value = getattr(values, row.name)
            if value != row.default:
                name = environment_name(section.name, row.name)
                click.echo(f"[{section.name}] {row.name} = {redact(str(value))}  ({name})")
    click.echo("The settings are valid.")
