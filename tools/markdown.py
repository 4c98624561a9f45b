"""Markdown as text: tables and what must be escaped in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

GENERATED = "<!-- Computed from the code by `make docs`; a change here is lost. -->\n"


def cell(text: str) -> str:
    """A text as it may stand in a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with its heading; every row has as many cells as the head."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(cell(each) for each in row)} |" for row in rows]
    return "\n".join(lines) + "\n"
