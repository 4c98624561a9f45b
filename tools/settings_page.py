"""docs/settings.md: every setting with its default, its environment variable and its sentence."""

from __future__ import annotations

from dataclasses import fields
from typing import get_type_hints

from caldav_server.settings import Settings, environment_name
from caldav_server.settings.model import EXPECTED, SENTENCE
from tools.markdown import GENERATED, table

_BOUNDS = ("at least ", "from ", "one of ")
"""How what a setting must be begins where its sentence does not say it already."""

_INTRODUCTION = """
Settings come from four places, each overriding the one before: the default, the TOML file (`--config FILE`, or the
environment variable `CALDAV_SERVER_CONFIG`), the environment variable of the setting, the command line. A list in an
environment variable is separated by commas or blanks. `caldav-server check-config` reports every mistake at once and
prints what differs from the defaults. [config/caldav-server.toml](../config/caldav-server.toml) is the same list as a
file to edit.
"""


def render() -> str:
    """The whole page."""
    parts = [GENERATED, "# Settings\n", _INTRODUCTION]
    for section, owner in get_type_hints(Settings).items():
        rows = []
        for row in fields(owner):
            expected = str(row.metadata[EXPECTED])
            says_more = expected.startswith(_BOUNDS)
            sentence = str(row.metadata[SENTENCE]) + (f" It is {expected}." if says_more else "")
            default = show(row.default)
            rows.append((f"`{row.name}`", f"`{default}`", f"`{environment_name(section, row.name)}`", sentence))
        heading = f"\n## [{section}]\n\n{(owner.__doc__ or '').strip()}\n\n"
        parts.append(heading + table(("Setting", "Default", "Environment variable", "What it is"), rows))
    return "".join(parts)


def show(value: object) -> str:
    """A default as it is written in the TOML file."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(show(each) for each in value)}]"
    if isinstance(value, str):
        return f'"{value}"'
    return f"{value:_}" if isinstance(value, int) and value >= 10_000 else str(value)
