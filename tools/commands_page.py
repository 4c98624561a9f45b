"""docs/commands.md: every command of ``caldav-server`` with its arguments and options, as its own help says."""

from __future__ import annotations

from collections.abc import Iterator

import click

from caldav_server.cli import main
from tools.markdown import GENERATED, table

_SHARED = ("--config", "--database", "-h,", "--help")
"""Options that the introduction speaks of."""

_INTRODUCTION = """
`caldav-server COMMAND --help` prints the same. Every command takes its settings from `--config FILE` and from the
environment, and its database from `--database URL` (`sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/NAME`); see
[settings.md](settings.md). A command ends with status 0 when it did what it was asked to, with 1
and a sentence when it could not, with 2 when it was written wrongly.
"""


def render() -> str:
    """The whole page."""
    parts = [GENERATED, "# Commands\n", _INTRODUCTION]
    for words, command, ctx in _commands(main, ["caldav-server"], None):
        usage = [piece for piece in command.collect_usage_pieces(ctx) if piece != "[OPTIONS]"]
        parts.append(f"\n## {' '.join(words[1:])}\n\n`{' '.join([*words, *usage])}`\n\n")
        parts.append(" ".join((command.help or "").split()) + "\n")
        options = [each for each in command.get_params(ctx) if isinstance(each, click.Option)]
        rows = [record for each in options if (record := each.get_help_record(ctx)) is not None]
        rows = [(f"`{name}`", text) for name, text in rows if name.split()[0] not in _SHARED]
        if rows:
            parts.append("\n" + table(("Option", "What it does"), rows))
    return "".join(parts)


def _commands(
    group: click.Group, words: list[str], parent: click.Context | None
) -> Iterator[tuple[list[str], click.Command, click.Context]]:
    """The commands that do something, with the words that call them."""
    ctx = click.Context(group, parent=parent, info_name=words[-1])
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if isinstance(command, click.Group):
            yield from _commands(command, [*words, name], ctx)
        elif command is not None:
            yield [*words, name], command, click.Context(command, parent=ctx, info_name=name)
