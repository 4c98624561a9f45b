"""The ``caldav-server`` command: the table of its subcommands.

Rules of this package: a command reads its settings, opens the database and calls use-cases. It imports modules when it
runs, so that every command starts fast.
"""

from __future__ import annotations

from importlib import import_module

import click

_COMMANDS = {
    "serve": ("caldav_server.cli.server", "serve"),
    "migrate": ("caldav_server.cli.server", "migrate"),
    "reindex": ("caldav_server.cli.server", "reindex"),
    "restored": ("caldav_server.cli.server", "restored"),
    "check-config": ("caldav_server.cli.server", "check_config"),
    "account": ("caldav_server.cli.account", "account"),
    "calendar": ("caldav_server.cli.calendar", "calendar"),
    "worker": ("caldav_server.cli.jobs", "worker"),
    "jobs": ("caldav_server.cli.jobs", "jobs"),
    "prune": ("caldav_server.cli.jobs", "prune"),
}


class _LazyGroup(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name]
        command = getattr(import_module(module), attribute)
        return command if isinstance(command, click.Command) else None


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="caldav-server")
def main() -> None:
    """A calendar server: CalDAV and iCalendar over SQLite or PostgreSQL."""
