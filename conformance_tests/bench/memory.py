"""Scenario: resident memory at rest, while answers of 10,000 members go out, and with 2,000 idle connections."""

from __future__ import annotations

import resource
import time
from contextlib import ExitStack
from pathlib import Path

from conformance_tests.bench import bodies, campaign, cpu, servers
from conformance_tests.bench.campaign import Progress
from conformance_tests.bench.data import Samples
from conformance_tests.bench.operations import Place, Windows
from conformance_tests.bench.servers import Server

SIZE, CONNECTIONS = 10_000, 2_000
MIB = 1 << 20
EVERYTHING = (1_600_000_000, 1_900_000_000)
"""A window that holds every object."""


def _growth(place: Place, request: bytes) -> tuple[float, float]:
    """Peak growth in MiB and size of the answer in MiB, in a process that was started for this one answer."""
    place.connection.close()
    place.server.restart()
    place.ask("PROPFIND", place.path, bodies.TOKEN, Depth="0")  # the login, which needs memory of its own
    process = place.server.process.pid
    cpu.forget_peak(process)
    before = cpu.resident(process)
    size = len(place.connection.ask(request).body)
    return (cpu.peak(process) - before) / MIB, size / MIB


def answers(place: Place) -> list[str]:
    """What streams of the whole calendar need."""
    hrefs = [place.path + sample.name for sample in place.samples.all]
    requests = {
        "list of ETags": place.request("PROPFIND", "", bodies.ETAGS, Depth="1"),
        "first sync": place.request("REPORT", "", bodies.sync(""), Depth="0"),
        "query of everything": place.request("REPORT", "", bodies.query(EVERYTHING, expand=False), Depth="1"),
        "multiget of everything": place.request("REPORT", "", bodies.multiget(hrefs), Depth="1"),
        "export": place.request("GET", ""),
    }
    lines = []
    for name, request in requests.items():
        growth, size = _growth(place, request)
        lines.append(f"  {name:<23} {size:6.1f} MiB answered, peak growth {growth:6.1f} MiB")
    return lines


def idle(server: Server) -> str:
    """What connections cost that made one request and wait."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, CONNECTIONS + 200)), hard))
    request = server.address.request("PROPFIND", server.home, bodies.TOKEN, Depth="0")
    connections = [server.address.connect() for _ in range(CONNECTIONS)]
    connections[0].ask(request)
    before = cpu.resident(server.process.pid)
    for connection in connections:
        connection.ask(request)
    time.sleep(1)
    each = (cpu.resident(server.process.pid) - before) / CONNECTIONS / 1024
    for connection in connections:
        connection.close()
    return f"  {CONNECTIONS:,} idle connections: {each:.1f} KiB each"


def run(folder: Path, databases: tuple[str, ...], progress: Progress) -> list[str]:
    """Each measure on each database."""
    samples = Samples(SIZE, "memory")
    lines = []
    for database in databases:
        with ExitStack() as stack:
            server = servers.OURS[database](folder / database)
            stack.callback(server.stop)
            server.address.connect().ask(server.address.request("PROPFIND", server.home, bodies.TOKEN, Depth="0"))
            rest = cpu.resident(server.process.pid) / MIB
            lines += [f"{database}: a worker at rest {rest:.1f} MiB (after one login)", idle(server)]
            place = campaign.fill(server, samples, Windows([], []), progress)
            lines += answers(place)
    return lines
