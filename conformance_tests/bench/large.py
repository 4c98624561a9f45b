"""Scenario: one calendar of 100,000 objects: the rate of ``calendar import``, and queries beside a smaller calendar."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from conformance_tests.bench import bodies, measure, servers
from conformance_tests.bench.campaign import Progress
from conformance_tests.bench.data import Samples
from conformance_tests.bench.measure import Effort
from conformance_tests.bench.operations import Place, Windows, expand_week, free_busy, list_etags, month
from conformance_tests.bench.servers import Server
from testing.programs import ROOT

SIZES = (10_000, 100_000)
EFFORT = Effort(2.0, 60)
ONCE = Effort(0.0, 60)
"""Each window one time: what is remembered of earlier answers helps nobody."""


def merged(samples: Samples) -> bytes:
    """All objects as one iCalendar stream, each time zone once."""
    zones: dict[str, str] = {}
    events = []
    for sample in samples.all:
        text = sample.text().decode()
        first, last = text.index("BEGIN:VEVENT"), text.rindex("END:VCALENDAR")
        if "BEGIN:VTIMEZONE" in text:
            zones[sample.zone or ""] = text[text.index("BEGIN:VTIMEZONE") : first]
        events.append(text[first:last])
    head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Bench//Samples//EN\r\n"
    return "".join([head, *zones.values(), *events, "END:VCALENDAR\r\n"]).encode()


def import_samples(server: Server, url: str, name: str, samples: Samples, folder: Path) -> tuple[float, float]:
    """Import through the command line; wall and CPU seconds of the whole command, Python's start included."""
    file = folder / f"{name}.ics"
    file.write_bytes(merged(samples))
    line = [sys.executable, "-m", "caldav_server", "calendar", "import", "--quiet", "--database", url]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*line, server.address.user, name, str(file)], capture_output=True, text=True, env=environment
    )
    wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"calendar import: {done.stdout[-500:]}\n{done.stderr[-1000:]}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def first_byte(place: Place, rounds: int = 7) -> float:
    """Median milliseconds until the first byte of the answer to a month query."""
    request = place.request("REPORT", "", bodies.query(place.windows.months[2][0], expand=False), Depth="1")
    times = []
    for _ in range(rounds):
        sent = time.perf_counter()
        place.connection.send(request)
        place.connection.wait()
        times.append(time.perf_counter() - sent)
        place.connection.receive()
    return 1000 * sorted(times)[rounds // 2]


def answered(place: Place) -> dict[str, int]:
    """Objects in the mean answer of each operation; occurrences where these are what is answered or looked at."""
    windows = place.windows
    mean = {
        "month with data": sum(len(expected.names) for _, expected in windows.months) // 6,
        "expand, anew": sum(len(expected.starts) for _, expected in windows.weeks) // 6,
        "week, expand": sum(len(expected.starts) for _, expected in windows.weeks) // 6,
        "free-busy week": sum(len(expected.starts) for _, expected in windows.weeks) // 6,
    }
    return {**mean, "list ETags": len(place.samples.all)}


def _measure(place: Place) -> list[str]:
    lines = [f"{len(place.samples.all):,} objects: first byte of a month after {first_byte(place):.1f} ms"]
    works = {
        "list ETags": (list_etags, EFFORT),
        "month with data": (month, EFFORT),
        "expand, anew": (expand_week, ONCE),
        "week, expand": (expand_week, EFFORT),
        "free-busy week": (free_busy, EFFORT),
    }
    for operation, (make, effort) in works.items():
        cell = measure.run(place.server, place.connection, make(place), effort)
        cost, count = 1e6 * cell.cpu / cell.requests, max(1, answered(place)[operation])
        lines.append(f"  {operation:<16} {cost / 1000:9.2f} ms CPU, {count:>6} answered: {cost / count:8.2f} us each")
        lines += [f"  WRONG {operation}: {cell.wrong}"] if cell.wrong else []
    return lines


def run(folder: Path, databases: tuple[str, ...], progress: Progress) -> list[str]:
    """Import and query, on each database."""
    lines = []
    for database in databases:
        with ExitStack() as stack:
            server = servers.OURS[database](folder / database)
            stack.callback(server.stop)
            for size in SIZES:
                progress(f"{database}: importing {size:,} objects")
                samples = Samples(size, f"l{size}")
                name = f"large{size}"
                path = f"{server.home}{name}/"
                place = Place(server, path, samples, Windows.of(samples), server.address.connect(), imported=True)
                place.ask("MKCALENDAR", path, bodies.MAKE_CALENDAR)
                wall, cpu = import_samples(server, server.database, name, samples, folder)
                lines.append(
                    f"{database}: imported {size:,} in {wall:.0f} s: {size / wall:,.0f}/s; {size / cpu:,.0f}/CPU s"
                )
                progress(lines[-1])
                lines += _measure(place)
    return lines
