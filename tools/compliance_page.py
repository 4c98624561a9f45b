"""docs/compliance.md: what the tables say the server does, and what the last conformance run showed.

The tables are computed from the code and checked by ``make check``. The results stand below ``RESULTS`` and change
only when ``make docs`` runs after ``make conformance``, which leaves its reports in ``.conformance/``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from caldav_server.dav.methods import METHODS, capabilities
from caldav_server.dav.paths import Place
from caldav_server.dav.properties import PROPERTIES
from caldav_server.dav.reports import REPORTS
from caldav_server.dav.resources import Kind
from conformance_tests.report import rows as behaviours
from protocol.dav.names import PREFIXES, split
from protocol.errors import Condition
from protocol.ical import compat
from tools import defined_in, sizes
from tools.markdown import GENERATED, table

RESULTS = "\n## What the conformance run showed\n"
RUN, CORPUS = ".conformance/run.json", ".conformance/corpus.json"
_NO_RESULTS = "\nThere is no run yet: `make conformance`, then `make docs`.\n"
_INTRODUCTION = """
The first half of this page is computed from the tables the server works by: what is not in a table is not done. The
second half is the result of a run of the conformance tests: one row per behaviour that was tried over HTTP. `D:`
stands for `DAV:`, `C:` for CalDAV, `CS:` for the CalendarServer extensions, `A:` for Apple's.

Not built, and not advertised: locking (WebDAV class 2), changing access rights (the ACL method), scheduling (RFC 6638),
sharing, managed attachments (RFC 8607), push.
"""
_CLIENTS = {"EDS": "Evolution", "OCS": "Outlook CalDav Synchronizer"}
_EVERYTHING = "every resource"
_NOT_BEHAVIOUR = frozenset({"bench", "long"})
"""Folders of tests that measure or search, and promise nothing over HTTP."""


def render(now: str, root: Path) -> str:
    """The page with its tables as the code says and its results as they were."""
    results = now.partition(RESULTS)[2] or _NO_RESULTS
    return "".join((GENERATED, "# Compliance\n", _INTRODUCTION, *_tables(root), RESULTS, results))


def with_results(page: str, root: Path) -> str:
    """The page with the results of the last run, when there was one in this checkout."""
    run = root / RUN
    if not run.exists():
        return page
    corpus = root / CORPUS
    found = sorted(map(_placed, (row for row in behaviours(run) if row["folder"] not in _NOT_BEHAVIOUR)), key=_order)
    counts = json.loads(corpus.read_text(encoding="utf-8")) if corpus.exists() else None
    day = datetime.fromtimestamp(run.stat().st_mtime, UTC).strftime("%Y-%m-%d")
    return page.partition(RESULTS)[0] + RESULTS + _results(found, counts, day)


def _placed(row: dict[str, Any]) -> dict[str, Any]:
    """A row under a heading that a reader knows: an RFC, a client, or the kind of test."""
    section, behaviour, folder = row["section"], row["behaviour"], row["folder"]
    if section.startswith(("RFC", "draft")):
        return row
    if folder == "replays":
        if section == folder:
            section, _, behaviour = behaviour.partition(": ")
        return row | {"section": _CLIENTS.get(section, section), "behaviour": behaviour}
    return row | {"section": folder.replace("rfc", "RFC ") if folder.startswith("rfc") else folder.capitalize()}


def _order(row: dict[str, Any]) -> tuple[bool, bool, str]:
    """RFCs as they come, by number; then the clients, then the rest, by name."""
    is_rfc = row["section"].startswith("RFC")
    number = (re.findall(r"\d+", row["section"]) or [""])[0]
    return not is_rfc, not is_rfc and row["folder"] != "replays", number if is_rfc else row["section"].lower()


def name_of(clark: str) -> str:
    """A Clark name with the prefix of this page."""
    namespace, local = split(clark)
    return f"`{PREFIXES[namespace]}:{local}`"


# -- the tables


def _tables(root: Path) -> Iterable[str]:
    yield f"\n## Classes\n\nThe `DAV` header of every answer: `{capabilities.DAV}`.\n\n"
    classes = ((f"`{each}`", defined_in.COMPLIANCE_CLASSES[each]) for each in capabilities.COMPLIANCE)
    yield table(("Class", "Defined in"), classes)
    yield "\n## Methods\n\n"
    yield table(
        ("Method", "Defined in", "Where"),
        ((f"`{method}`", defined_in.METHODS[method], _places(method)) for method in METHODS),
    )
    yield "\n## Properties\n\nLive properties. What a client sets beyond these is kept as it was sent.\n\n"
    yield table(("Property", "Defined in", "Where", "In allprop", "May be set on"), _properties())
    yield "\n## Reports\n\n"
    yield table(
        ("Report", "Defined in", "Where"),
        ((name_of(each.name), defined_in.REPORTS[each.name], _kinds(each.kinds)) for each in REPORTS.values()),
    )
    yield "\n## Conditions\n\nWhat a refusal names, and the status that carries it everywhere.\n\n"
    yield table(("Condition", "Status", "Defined in"), _conditions(root))
    yield _DEFECTS
    yield table(("Defect", "What it is", "What becomes of it", "Under `handling=strict`"), _defects())


def _places(method: str) -> str:
    places = [place for place in Place if method in capabilities.METHODS_AT[place]]
    return "everywhere" if len(places) == len(Place) else ", ".join(place.name.lower() for place in places)


def _kinds(kinds: frozenset[Kind], *, with_members: bool = False) -> str:
    found = kinds | {Kind.OBJECT} if with_members else kinds
    return _EVERYTHING if found == frozenset(Kind) else ", ".join(kind.value for kind in Kind if kind in found)


def _properties() -> Iterable[tuple[str, ...]]:
    for row in PROPERTIES.values():
        where = _kinds(row.kinds, with_members=row.member is not None)
        allprop = "yes" if row.allprop else ""
        yield name_of(row.name), defined_in.PROPERTIES[row.name], where, allprop, _kinds(row.settable)


def _conditions(root: Path) -> Iterable[tuple[str, ...]]:
    """Those that some code refuses with; a condition that is only named is not a promise."""
    sources = sizes.files(root, ("caldav_server", "protocol"))
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    used = set(re.findall(r"Condition\.([A-Z_]+)\b", text))
    for each in Condition:
        if each.namespace and each.name in used:
            clark = f"{{{each.namespace}}}{each.element}"
            yield name_of(clark), str(each.status), defined_in.CONDITIONS[clark]


_DEFECTS = """
## Tolerated defects

What real clients and servers get wrong, and what this server makes of it. A repair is named in the answer's
`X-Calendar-Repairs` header and in the log. *Index*: the text is stored as it was sent, only what is computed from it
follows the repaired reading. *Text*: the stored text differs from what was sent, so that the answer carries no ETag.
`Prefer: handling=strict` turns repairs off: the last column says what is refused then.

"""


def _defects() -> Iterable[tuple[str, ...]]:
    for row in compat.TABLE:
        strict = f"`C:{row.strict.element}`" if row.strict is not None else ""
        yield f"`{row.name}`", row.when, row.treatment.value, strict


# -- the results


def _results(found: list[dict[str, Any]], corpus: dict[str, Any] | None, day: str) -> str:
    holds = sum(not row["failed"] for row in found)
    forms = "all forms" if any(row.get("folder") == "clients" for row in found) else "the short forms"
    parts = [
        f"\nRun of {day}, {forms}: {holds} of {len(found)} behaviours hold. Each was tried on SQLite and on PostgreSQL"
        " where the database matters.\n",
    ]
    if corpus is not None:
        parts.append(_corpus(corpus))
    parts.append("\n### By document\n\n")
    parts.append(table(("Document", "Behaviours", "Hold"), _by_document(found)))
    parts.append("\n### Every behaviour\n\n")
    parts.append(table(("Section", "Behaviour", "Result"), map(_behaviour, found)))
    return "".join(parts)


def _behaviour(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["section"], row["behaviour"].rstrip("."), "**fails**" if row["failed"] else "holds"


def _by_document(found: list[dict[str, Any]]) -> Iterable[tuple[str, str, str]]:
    documents = [re.split(r" §| Appendix", row["section"])[0] for row in found]
    held = Counter(name for name, row in zip(documents, found, strict=True) if not row["failed"])
    for name, count in Counter(documents).items():
        yield name, str(count), str(held[name])


def _corpus(corpus: dict[str, Any]) -> str:
    outcomes = corpus["outcomes"]
    rows = sorted(outcomes.items(), key=lambda each: (":" in each[0], -each[1], each[0]))
    files, objects = f"{corpus['files']:,}", f"{corpus['objects']:,}"
    return (
        f"\n### Real-world files\n\n{files} iCalendar files from other projects, {objects} objects, each put as a"
        " client would.\n\n"
    ) + table(("What became of an object", "How many"), ((_outcome(name), f"{count:,}") for name, count in rows))


def _outcome(name: str) -> str:
    fixed = {
        "stored": "stored, and returned byte for byte",
        "stored, defects tolerated": "stored, and returned byte for byte; a defect was tolerated and named",
        "repaired": "stored after a repair of its text, which the answer names",
    }
    return fixed.get(name) or f"refused with `{name}`"
