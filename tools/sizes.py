"""No file and no function of the product grows past what a reader takes in at once: ``make check`` counts.

Rules of this module: tests are not counted (a table of cases may be long), and there is no list of exceptions: what is
too long becomes a folder of the same name, or two functions.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("caldav_server", "protocol", "storage", "testing", "tools")
FILE_LINES = 400
FUNCTION_LINES = 50


def too_long(path: Path) -> Iterator[str]:
    """What of a Python file is too long, each with its place."""
    text = path.read_text(encoding="utf-8")
    count = text.count("\n")
    if count > FILE_LINES:
        yield f"{path}: {count} lines, at most {FILE_LINES}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            if count > FUNCTION_LINES:
                yield f"{path}:{node.lineno}: {node.name} has {count} lines, at most {FUNCTION_LINES}"


def files(root: Path = ROOT, folders: Iterable[str] = FOLDERS) -> Iterator[Path]:
    """The Python files of these folders, without the tests beside them."""
    for folder in folders:
        found = sorted((root / folder).rglob("*.py"))
        yield from (path for path in found if "tests" not in path.relative_to(root).parts)


def main() -> int:
    """The exit status: 1 when something is too long."""
    found = [line for path in files() for line in too_long(path)]
    for line in found:
        sys.stderr.write(line + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
