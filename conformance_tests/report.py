"""From tests to the rows of docs/compliance.md: section, behaviour, result.

A conformance test says what it shows in the first sentence of its docstring, which opens with the section:
``RFC 4918 §9.1: allprop answers every live property of RFC 4918.`` A parametrised test counts as one behaviour, which
holds when all of its cases hold, on every database.

``python -m conformance_tests.report FILE.json`` prints the rows of a run (``pytest --compliance FILE.json``).
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

SECTION = re.compile(r"((?:RFC \d+|draft-[\w-]+|[A-Z][\w -]*?)(?: (?:§|Appendix )[\w.]+)?): (.+)", re.DOTALL)


def describe(doc: str | None, folder: str, name: str) -> tuple[str, str]:
    """Section and behaviour of a test, from its docstring; else from its folder and name."""
    first = " ".join((doc or "").strip().split("\n\n")[0].split())
    match = SECTION.fullmatch(first)
    if match:
        return match[1], match[2]
    return folder, first or name.removeprefix("test_").replace("_", " ")


class Collector:
    """A pytest plugin that remembers the result of each behaviour and writes them at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str, dict[str, Any]] = {}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        for item in items:
            key = item.nodeid.split("[")[0]
            if key.startswith("conformance_tests/") and key not in self.rows:
                folder = key.split("/")[1]
                doc = getattr(getattr(item, "function", None), "__doc__", None)
                section, behaviour = describe(doc, folder, item.originalname)
                self.rows[key] = {"folder": folder, "section": section, "behaviour": behaviour, "test": key}

    def pytest_runtest_logreport(self, report: Any) -> None:
        row = self.rows.get(report.nodeid.split("[")[0])
        if row is not None and (report.when == "call" or report.failed):
            row["passed"] = row.get("passed", 0) + int(report.passed)
            row["failed"] = row.get("failed", 0) + int(report.failed)

    def pytest_sessionfinish(self) -> None:
        run = [row for row in self.rows.values() if "passed" in row]
        if run:
            self.path.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def rows(path: Path) -> list[dict[str, Any]]:
    """The behaviours of a run, ordered by section."""

    def order(row: dict[str, Any]) -> tuple[Any, ...]:
        numbers = tuple(int(part) for part in re.findall(r"\d+", row["section"]))
        return (not row["section"].startswith("RFC"), numbers, row["section"], row["behaviour"])

    return sorted(json.loads(path.read_text(encoding="utf-8")), key=order)


def markdown(path: Path) -> str:
    """The rows as a table for docs/compliance.md."""
    lines = ["| Section | Behaviour | Result |", "|---|---|---|"]
    for row in rows(path):
        result = "holds" if not row["failed"] else "**fails**"
        behaviour = row["behaviour"].rstrip(".").replace("|", "\\|")
        lines.append(f"| {row['section']} | {behaviour} | {result} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown(Path(sys.argv[1])))
