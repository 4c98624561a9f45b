"""Scenario: two workers against one on PostgreSQL, and whether a read right after a write can be stale.

The load generator runs on the same cores, so that rates of requests would measure both. What counts instead: how many
requests a second of server CPU serves, and how evenly the workers share them; capacity is what that allows when each
worker has a core. Each worker has as many connections waiting for it as the one alone: with half of them it would wake
up more often for less, which is what a server does that is not busy.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from conformance_tests.bench import bodies, campaign, cpu, servers
from conformance_tests.bench.campaign import Progress
from conformance_tests.bench.data import Samples
from conformance_tests.bench.operations import Place, Windows
from conformance_tests.bench.servers import Server
from conformance_tests.bench.wire import Address

CLIENTS, SECONDS, SIZE = 2, 3.0, 1000
CONNECTIONS = 16
"""Of one client, for each worker."""
TURNS = 9
WRITES = 300


def _load(address: Address, requests: list[bytes], number: int, counted: multiprocessing.Queue[int]) -> None:
    connections = [address.connect() for _ in range(number)]
    end, count = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        for connection in connections:
            connection.send(requests[count % len(requests)])
        for connection in connections:
            connection.receive()
            count += 1
    counted.put(count)


def _requests(place: Place) -> list[bytes]:
    """What clients do most: polls, syncs, reads."""
    poll = place.request("PROPFIND", "", bodies.POLL, Depth="0")
    sync = place.request("REPORT", "", bodies.sync(place.token()), Depth="0")
    some = [place.request("GET", sample.name) for sample in place.samples.all[:20]]
    return [each for get in some for each in (poll, sync, get)]


def throughput(place: Place, workers: int) -> tuple[int, list[float], float]:
    """Requests that were answered, CPU seconds of each serving process, and of everything on the server's side."""
    before = {process: cpu.of_process(process) for process in cpu.tree([place.server.process.pid])}
    total, counted = place.server.cpu(), multiprocessing.Queue()
    context = multiprocessing.get_context("fork")
    arguments = (place.server.address, _requests(place), CONNECTIONS * workers, counted)
    clients = [context.Process(target=_load, args=arguments) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    requests = sum(counted.get() for _ in clients)
    for client in clients:
        client.join()
    used = [cpu.of_process(process) - before[process] for process in before]
    return requests, [each for each in used if each > 0.2], place.server.cpu() - total


def stale_reads(place: Place) -> int:
    """Polls over other connections that did not see a write that was acknowledged before they were sent."""
    readers = [place.server.address.connect() for _ in range(8)]
    poll = place.request("PROPFIND", "", bodies.POLL, Depth="0")
    stale = 0
    last = {reader.ask(poll).body for reader in readers}
    for number in range(WRITES):
        sample = place.samples.all[number % len(place.samples.all)]
        place.connection.ask(place.update(sample))
        seen = {reader.ask(poll).body for reader in readers}
        stale += len(seen) != 1 or seen == last
        last = seen
    return stale


def _start(folder: Path, workers: int) -> Server:
    return servers.start_postgresql(folder / f"workers{workers}", workers=workers)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one server did in one turn."""

    rate: float
    """Requests a second, with the load generator on the same cores."""
    workers: float
    """Seconds of the workers' CPU for one request."""
    total: float
    """The same with the database's."""
    busiest: float
    """The share of the busiest worker."""

    @property
    def capacity(self) -> float:
        """Requests a second when each worker has a core."""
        return 1 / self.workers / self.busiest


def _turn(place: Place, workers: int) -> Turn:
    requests, used, total = throughput(place, workers)
    return Turn(requests / SECONDS, sum(used) / requests, total / requests, max(used) / sum(used))


def run(folder: Path, _databases: tuple[str, ...], progress: Progress) -> list[str]:
    """One worker and two, in turns: the machine may be faster in one minute than in the next."""
    samples = Samples(SIZE, "workers")
    lines, places = [], []
    turns: dict[int, list[Turn]] = {1: [], 2: []}
    with ExitStack() as stack:
        for workers in turns:
            server = _start(folder, workers)
            stack.callback(server.stop)
            places.append(campaign.fill(server, samples, Windows([], []), progress))
            throughput(places[-1], workers)
        for number in range(TURNS):
            for workers, place in zip(turns, places, strict=True):
                turns[workers].append(_turn(place, workers))
            progress(f"turn {number + 1} of {TURNS}")
        for workers, place in zip(turns, places, strict=True):
            stale = stale_reads(place)
            lines.append(f"{workers} worker(s): {stale} stale reads after {WRITES} acknowledged writes, 8 connections")
    for workers, found in turns.items():
        rate, each, total, busiest = (
            statistics.median(values)
            for values in zip(*((turn.rate, turn.workers, turn.total, turn.busiest) for turn in found), strict=True)
        )
        lines.append(
            f"{workers} worker(s): {rate:,.0f} requests/s here; {1000 * each:.3f} ms of the workers' CPU each, "
            f"{1000 * total:.3f} with the database's; busiest worker {busiest:.0%}"
        )
    times = [two.capacity / one.capacity for one, two in zip(turns[1], turns[2], strict=True)]
    return [
        *lines,
        f"Two workers have {statistics.median(times):.2f} times the capacity of one, a core for each worker "
        f"({min(times):.2f} to {max(times):.2f} in {TURNS} turns).",
    ]
