"""Settings from four sources: defaults, TOML file, environment, command line; each overrides those before it.

All mistakes are reported at once, each with its source, its key and what was expected. Rules of this module: it names
no setting; ``model`` has them all.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from caldav_server.settings.model import CHECK, EXPECTED, SENTENCE, Settings

PREFIX = "CALDAV_SERVER_"
_USERINFO = re.compile(r"//[^/@\s]+@")
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_TYPE_NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", tuple: "a list of texts"}


class SettingsError(Exception):
    """One or more settings are wrong; ``problems`` has a line for each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Override:
    """A value from the command line; ``flag`` is the option's name, for the error message."""

    section: str
    key: str
    value: object
    flag: str


@dataclass(frozen=True, slots=True)
class _Setting:
    section: str
    field: Field[Any]
    kind: type

    @property
    def key(self) -> str:
        return self.field.name


def _sections() -> Iterator[tuple[str, type]]:
    hints = get_type_hints(Settings)
    for section in fields(Settings):
        yield section.name, hints[section.name]


def _settings() -> Iterator[_Setting]:
    for section, owner in _sections():
        hints = get_type_hints(owner)
        for row in fields(owner):
            hint = hints[row.name]
            yield _Setting(section, row, hint if isinstance(hint, type) else tuple)


def environment_name(section: str, key: str) -> str:
    """The environment variable of a setting: the section ``server`` and the key ``url`` are left out of it."""
    parts = [part for part in (section if section != "server" else "", key if key != "url" else "") if part]
    return PREFIX + "_".join(parts).upper()


def load(
    path: str | Path | None = None,
    environment: Mapping[str, str] | None = None,
    overrides: Sequence[Override] = (),
) -> Settings:
    """The settings in force; raises ``SettingsError`` with every problem found.

    Without ``path``, the environment variable CALDAV_SERVER_CONFIG may name the file.
    """
    environment = environment or {}
    path = path or environment.get(PREFIX + "CONFIG") or None
    problems: list[str] = []
    values: dict[str, dict[str, object]] = {section: {} for section, _ in _sections()}
    rows = {(row.section, row.key): row for row in _settings()}

    def take(row: _Setting, value: object, where: str) -> None:
        problem = _problem(row, value)
        if problem:
            problems.append(f"{where}: {problem}, not {_USERINFO.sub('//***@', repr(value))}")
        else:
            values[row.section][row.key] = _convert(row, value)

    if path is not None:
        for section, key, value in _read_file(Path(path), problems):
            row = rows.get((section, key))
            if row is None:
                problems.append(f"{path}: [{section}] has no setting {key}")
            else:
                take(row, value, f"{path}: [{section}] {key}")
    for row in rows.values():
        name = environment_name(row.section, row.key)
        if name in environment:
            take(row, _from_text(row, environment[name]), f"environment: {name}")
    for item in overrides:
        take(rows[item.section, item.key], item.value, f"command line: {item.flag}")
    if problems:
        raise SettingsError(problems)
    return Settings(**{section: owner(**values[section]) for section, owner in _sections()})


def _read_file(path: Path, problems: list[str]) -> Iterator[tuple[str, str, object]]:
    """Every ``section, key, value`` of a TOML file; what cannot be read becomes a problem."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problems.append(f"{path}: {error}")
        return
    known = dict(_sections())
    for section, content in document.items():
        if section not in known:
            problems.append(f"{path}: there is no section [{section}]; the sections are {', '.join(known)}")
        elif not isinstance(content, dict):
            problems.append(f"{path}: {section} must be a section [{section}]")
        else:
            for key, value in content.items():
                yield section, key, value


def _from_text(row: _Setting, text: str) -> object:
    """The text of an environment variable as the setting's type; stays a text when it cannot be converted."""
    if row.kind is bool:
        return True if text.lower() in _TRUE else False if text.lower() in _FALSE else text
    if row.kind is tuple:
        return [part for part in text.replace(",", " ").split() if part]
    if row.kind in (int, float):
        try:
            return row.kind(text)
        except ValueError:
            return text
    return text


def _problem(row: _Setting, value: object) -> str:
    """What is wrong with a value, as "it must be ..."; empty when it is right."""
    if row.kind is tuple:
        fits = isinstance(value, list | tuple) and all(isinstance(entry, str) for entry in value)
    elif row.kind is float:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    else:
        fits = type(value) is row.kind
    expected = row.field.metadata[EXPECTED]
    if not fits:
        kind = _TYPE_NAMES[row.kind]
        return f"it must be {kind}{', ' + expected if expected and row.kind is not tuple else ''}"
    check = row.field.metadata[CHECK]
    return f"it must be {expected}" if check and not check(_convert(row, value)) else ""


def _convert(row: _Setting, value: Any) -> object:
    return tuple(value) if row.kind is tuple else float(value) if row.kind is float else value


def render_reference() -> str:
    """The text of ``config/caldav-server.toml``: every setting with its default, its sentence and its variable."""
    lines = [
        "# Every setting of caldav-server with its default. Uncomment what you change.",
        "# The environment variable beside a setting overrides the file; a command line flag overrides both.",
    ]
    docs = dict(_sections())
    section = ""
    for row in _settings():
        if row.section != section:
            section = row.section
            lines += ["", f"# {(docs[section].__doc__ or '').strip()}", f"[{section}]"]
        lines.append(f"# {row.field.metadata[SENTENCE]} ({environment_name(row.section, row.key)})")
        lines.append(f"# {row.key} = {_toml(row.field.default)}")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(entry) for entry in value) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{value:_}" if isinstance(value, int) and value >= 10_000 else str(value)
