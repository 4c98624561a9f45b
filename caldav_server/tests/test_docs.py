"""The documents are true: what they name exists, what is computed is up to date, every command in them is one."""

from __future__ import annotations

import importlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import click
import pytest

from caldav_server import cli
from caldav_server.settings import Settings, environment_name, load
from storage.tables import metadata
from tools import compliance_page, docs, sizes

ROOT = docs.ROOT
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WRITTEN = [page for page in PAGES if str(page.relative_to(ROOT)) not in docs.PAGES]
TOP = {"protocol", "storage", "caldav_server", "conformance_tests", "testing", "tools", "config", "docs"}
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(text: str) -> list[str]:
    """What is written as code: indented by four, or fenced."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"(?:^(?: {4,}).+\n)+", text, re.MULTILINE)
    return [*fenced, *(re.sub(r"^ {4,}", "", block, flags=re.MULTILINE) for block in indented)]


def spans(text: str) -> list[str]:
    """What is written as code inside a line; a span may be broken over two lines."""
    return [
        " ".join(span.split()) for span in re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    ]


def test_generated_pages_are_up_to_date() -> None:
    assert docs.stale() == [], "make docs"


def test_results_change_only_with_a_run(tmp_path: Path) -> None:
    page = compliance_page.render("", ROOT)
    assert "There is no run yet" in page
    (tmp_path / ".conformance").mkdir()
    row = {"folder": "rfc4918", "section": "RFC 4918 §9.1", "behaviour": "It|works.", "passed": 2}
    rows = [row | {"failed": 0}, row | {"failed": 1}, row | {"folder": "bench", "failed": 1}]
    (tmp_path / compliance_page.RUN).write_text(str(rows).replace("'", '"'), encoding="utf-8")
    (tmp_path / compliance_page.CORPUS).write_text(
        '{"files": 1, "objects": 3, "outcomes": {"C:valid-calendar-data": 1, "stored": 2}}', encoding="utf-8"
    )
    filled = compliance_page.with_results(page, tmp_path)
    assert "1 of 2 behaviours hold" in filled and "| RFC 4918 §9.1 | It\\|works | **fails** |" in filled
    assert "| stored, and returned byte for byte | 2 |\n| refused with `C:valid-calendar-data` | 1 |" in filled
    assert compliance_page.render(filled, ROOT) == filled
    assert compliance_page.with_results(filled, tmp_path / "elsewhere") == filled


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        found = (page.parent / name).resolve() if name else page
        assert found.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", text_of(found), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, target


@each_page
def test_paths_exist(page: Path) -> None:
    for span in spans(text_of(page)):
        name, _, inside = span.partition("::")
        if "/" not in name or name.split("/")[0] not in TOP or re.search(r"[\s*{}]|NNNN", name):
            continue
        path = ROOT / name
        assert path.exists(), span
        if inside:
            assert re.search(rf"^(?:class|def) {inside}\b", text_of(path), re.MULTILINE), span


@each_page
def test_names_exist(page: Path) -> None:
    """A dotted name from one of the packages is a module or something in one."""
    for span in spans(text_of(page)):
        if re.fullmatch(r"(?:protocol|storage|caldav_server|tools)(?:\.\w+)+", span):
            resolve(span)


def resolve(dotted: str) -> object:
    parts = dotted.split(".")
    for size in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:size]))
        except ModuleNotFoundError:
            continue
        for part in parts[size:]:
            found = getattr(found, part)
        return found
    raise AssertionError(dotted)


def test_every_noun_is_in_the_glossary() -> None:
    """The public classes of ``protocol.model`` and ``protocol.errors``: each is explained."""
    glossary = text_of(ROOT / "docs/glossary.md")
    helpers = {"PrincipalKind", "CalendarKind", "PrincipalId", "CalendarId", "ObjectId", "Detail", "Uid"}
    for module in ("model", "errors"):
        source = text_of(ROOT / f"protocol/{module}.py")
        for name in {
            *re.findall(r"^class (\w+)", source, re.M),
            *re.findall(r"^(\w+) = NewType", source, re.M),
        } - helpers:
            assert f"`protocol.{module}.{name}`" in glossary, name


def test_the_schema_is_in_the_architecture() -> None:
    architecture = text_of(ROOT / "docs/architecture.md")
    sentence = architecture[architecture.index("SQL tables:") : architecture.index("## Five requests")]
    assert set(spans(sentence)) == set(metadata.tables)


def test_tables_are_where_the_architecture_says() -> None:
    rows = re.findall(r"^\| (\w+) \| `([\w/]+\.py)` \|", text_of(ROOT / "docs/architecture.md"), re.MULTILINE)
    assert len(rows) >= 8
    for name, path in rows:
        module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        assert hasattr(importlib.import_module(module), name), (name, path)


@pytest.mark.parametrize("dependency", ["lxml", "psycopg", "sqlite3", "redis", "icalendar"])
def test_dependencies_have_one_door(dependency: str) -> None:
    """A rule of the architecture: whoever imports it is where the rule says."""
    architecture = text_of(ROOT / "docs/architecture.md")
    doors = tuple(
        spans(architecture[architecture.index("**One door per dependency**") : architecture.index("## Reading order")])
    )
    importing = re.compile(rf"^\s*(?:import|from) {dependency}\b", re.MULTILINE)
    sources = sizes.files(ROOT, ("protocol", "storage", "caldav_server"))
    users = [str(path.relative_to(ROOT)) for path in sources if importing.search(text_of(path))]
    assert users and all(name.startswith(doors) for name in users), users


def commands(text: str) -> Iterator[list[str]]:
    """The words of every ``caldav-server`` command that a page shows."""
    lines = [line for block in blocks(text) for line in block.splitlines()]
    for line in [*lines, *spans(text)]:
        words = shlex.split(line) if "caldav-server " in f"{line} " and "'" not in line.replace('"', "") else []
        if words and words[0].rpartition("/")[2] == "caldav-server" and len(words) > 1:
            yield words[1:]


@each_page
def test_commands_exist(page: Path) -> None:
    for words in commands(text_of(page)):
        command: click.Command = cli.main
        ctx = click.Context(cli.main)
        rest = [word for word in words if word != "..."]
        while isinstance(command, click.Group) and rest and rest[0] != "COMMAND":
            found = command.get_command(ctx, rest.pop(0))
            assert found is not None, words
            command = found
        options = {name for each in command.params if isinstance(each, click.Option) for name in each.opts}
        for word in rest:
            if word.startswith("--"):
                assert word in options | {"--help"}, words


def test_pages_show_commands() -> None:
    """What reads the pages does find commands in them."""
    assert len(list(commands(text_of(ROOT / "README.md")))) >= 8
    assert len(list(commands(text_of(ROOT / "docs/operations.md")))) >= 12


@each_page
def test_settings_exist(page: Path) -> None:
    hints = get_type_hints(Settings)
    known = {environment_name(section, row.name) for section, owner in hints.items() for row in fields(owner)}
    text = text_of(page)
    assert set(re.findall(r"\bCALDAV_SERVER_\w+", text)) <= known | {"CALDAV_SERVER_CONFIG"}
    for section, name in re.findall(r"`\[(\w+)\]\s+(\w+)(?: = [^`]*)?`", text):
        assert name in {row.name for row in fields(hints[section])}, (section, name)


def test_examples_of_settings_load(tmp_path: Path) -> None:
    examples = re.findall(r"^```toml\n(.*?)^```", text_of(ROOT / "docs/operations.md"), re.MULTILINE | re.DOTALL)
    assert len(examples) >= 2
    for example in examples:
        tomllib.loads(example)
        path = tmp_path / "example.toml"
        path.write_text(example, encoding="utf-8")
        load(path)


@each_page
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    text = text_of(page)
    found = [*re.findall(r"`make ([a-z]+)`", text), *re.findall(r"^ {4}make ([a-z]+)", text, re.MULTILINE)]
    assert set(found) <= targets


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]
    extras = project["optional-dependencies"]
    named = [*project["dependencies"], *extras["fast"], *extras["rscale"]]
    reasons = text_of(ROOT / "docs/changelog.md")
    for requirement in named:
        name = re.match(r"[\w-]+", requirement)
        assert name is not None and name[0] in reasons, requirement


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs/decisions"
    listed = text_of(folder / "README.md")
    for page in folder.glob("0*.md"):
        assert f"]({page.name})" in listed, page.name


def test_readme_has_the_two_commands() -> None:
    text = text_of(ROOT / "README.md")
    assert "make run" in text and "make test" in text


@each_page
def test_no_page_speaks_of_one_machine(page: Path) -> None:
    assert not re.search(r"(?<![\w.])/(?:work|tmp|root|home)/|pypi\.org|npmjs", text_of(page))


def test_sections_are_not_kept_for_rows_that_are_gone() -> None:
    """``tools/defined_in.py`` may name what the RFCs have and the server has not; it may not misspell."""
    from protocol.errors import Condition
    from tools import defined_in

    named = {f"{{{each.namespace}}}{each.element}" for each in Condition if each.namespace}
    assert named == set(defined_in.CONDITIONS)
    assert all(re.search(r"§\d|CalendarServer|Apple", section) for section in defined_in.PROPERTIES.values())
