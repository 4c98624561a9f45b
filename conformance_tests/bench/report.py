"""The results as a table of text and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from conformance_tests.bench.bars import BARS, GATE, GATE_TARGET
from conformance_tests.bench.campaign import FLOOR, Results
from conformance_tests.bench.servers import OURS


def number(value: float | None) -> str:
    """Three significant digits, or a dash."""
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _grid(head: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = []
    for row in [head, ["-" * width for width in widths], *rows]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _servers(results: Results) -> list[str]:
    return [name for name in results.cells if name != FLOOR]


def operations(results: Results) -> list[str]:
    """The operations that were measured, in the order of the bars."""
    measured = {each for sizes in results.cells.values() for cells in sizes.values() for each in cells}
    return [each for each in BARS if each in measured]


def sizes(results: Results) -> list[int]:
    """The calendar sizes that were measured."""
    return sorted({size for cells in results.cells.values() for size in cells})


def _costs(results: Results, size: int) -> list[str]:
    names = _servers(results)
    rows = []
    for operation in operations(results):
        costs = {name: results.cost(name, size, operation) for name in names}
        limit = BARS[operation].limit(size)
        others = [cost for name, cost in costs.items() if name not in OURS and cost]
        row = [operation]
        for name, cost in costs.items():
            bad = "!" if results.wrong(name, size, operation) else ""
            over = "*" if name in OURS and limit and cost and cost > limit else ""
            row.append(number(cost) + bad + over)
        own = [cost for name, cost in costs.items() if name in OURS and cost]
        row += [number(limit), number(max(own) / min(others)) if own and others else "-"]
        rows.append(row)
    return _grid([f"{size:,} objects, CPU ms", *names, "bar", "ours / best here"], rows)


def _growth(results: Results, low: int, high: int) -> list[str]:
    rows = []
    names = [name for name in _servers(results) if high in results.cells[name]]
    for operation in operations(results):
        row = [operation]
        for name in names:
            before, after = results.cost(name, low, operation), results.cost(name, high, operation)
            row.append(number(after / before) if before and after else "-")
        bar = BARS[operation].growth
        rows.append([*row, number(bar) if bar else "answers"])
    return _grid([f"growth {low:,} to {high:,}", *names, "bar"], rows)


def _median(results: Results, name: str, size: int, operation: str, key: str) -> float | None:
    records = results.cells.get(name, {}).get(size, {}).get(operation, [])
    values = sorted(record[key] for record in records)
    return values[len(values) // 2] if values else None


def _times(results: Results, size: int) -> list[str]:
    names = [name for name in results.cells if size in results.cells[name]]
    rows = []
    for operation in operations(results):
        row = [operation]
        for name in names:
            p50, p95 = (_median(results, name, size, operation, key) for key in ("p50", "p95"))
            records = results.cells[name][size].get(operation, [])
            wall = sum(record["wall"] for record in records)
            rate = sum(record["requests"] for record in records) / wall if wall else None
            row.append(f"{number(p50 and p50 * 1000)} {number(p95 and p95 * 1000)} {number(rate)}")
        rows.append(row)
    return _grid([f"{size:,} objects: p50 ms, p95 ms, requests/s", *names], rows)


def poll_shares(results: Results) -> dict[str, float]:
    """For each of our servers: the bare handler's CPU over a poll's, which is the ratio of their rates on one core."""
    size = sizes(results)[0]
    floor = results.cost(FLOOR, size, "poll")
    costs = {name: results.cost(name, size, "poll") for name in OURS}
    return {name: floor / cost for name, cost in costs.items() if floor and cost}


def _complaints(results: Results) -> list[str]:
    lines = []
    for name, by_size in results.cells.items():
        for size, cells in by_size.items():
            for operation in cells:
                found = results.wrong(name, size, operation)
                lines += [f"- {name}, {size:,}, {operation}: {what} (x{times})" for what, times in found.items()]
    return lines


def table(results: Results) -> str:
    """Everything as text."""
    about = results.about
    versions = ", ".join(f"{package} {version}" for package, version in about["versions"].items())
    load = " to ".join(f"{value:.1f}" for value in about["load"])
    lines = [f"{about['date']}; {about['machine']}; Python {about['python']}; {versions}", f"Load average {load}.", ""]
    measured = sizes(results)
    for size in measured:
        lines += [*_costs(results, size), ""]
    if len(measured) > 1:
        lines += [*_growth(results, measured[0], measured[-1]), ""]
    for size in measured:
        lines += [*_times(results, size), ""]
    for name, share in poll_shares(results).items():
        lines.append(f"Poll on {name}: {share:.2f} of the bare handler (target {GATE_TARGET}, gate {GATE}).")
    wrong = _complaints(results)
    lines += ["", "* over the bar; ! wrong answers:" if wrong else "* over the bar. No wrong answers.", *wrong]
    return "\n".join([*lines, *results.notes, ""])


def save(results: Results, path: Path) -> None:
    """Write the results as JSON."""
    path.write_text(json.dumps(asdict(results), indent=1) + "\n", encoding="utf-8")
