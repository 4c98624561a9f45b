"""The pages that are computed from the code: ``make docs`` writes them, ``make check`` fails when one is stale.

``python -m tools.docs`` writes, ``python -m tools.docs --check`` only looks. Rules of this module: a page is a row of
``PAGES``, a function from the text that is there now to the text that should be; none of them needs a running server.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from caldav_server.settings import render_reference
from storage.migrations import citus
from tools import commands_page, compliance_page, settings_page

ROOT = Path(__file__).resolve().parent.parent

PAGES: dict[str, Callable[[str], str]] = {
    "config/caldav-server.toml": lambda _now: render_reference(),
    "docs/settings.md": lambda _now: settings_page.render(),
    "docs/commands.md": lambda _now: commands_page.render(),
    "storage/migrations/distribute.sql": lambda _now: citus.script(),
    "docs/compliance.md": lambda now: compliance_page.render(now, ROOT),
}


def stale() -> list[str]:
    """The generated files whose text is not what the code says."""
    return [name for name, render in PAGES.items() if _read(name) != render(_read(name))]


def write() -> None:
    """Bring every generated file up to date, the results of the last conformance run included where there are any."""
    for name, render in PAGES.items():
        text = render(_read(name))
        if name == "docs/compliance.md":
            text = compliance_page.with_results(text, ROOT)
        (ROOT / name).write_text(text, encoding="utf-8")


def _read(name: str) -> str:
    path = ROOT / name
    return path.read_text(encoding="utf-8") if path.exists() else ""


def main(arguments: list[str]) -> int:
    """The exit status: 1 when something is stale and was only looked at."""
    if arguments != ["--check"]:
        write()
        return 0
    found = stale()
    for name in found:
        sys.stderr.write(f"{name} is not what the code says: make docs\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
