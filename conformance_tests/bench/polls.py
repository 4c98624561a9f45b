"""Scenario: polls over eight connections at once, on each database, beside the bare handler.

What clients do all day. A poll on PostgreSQL asks the database each time, and those that come together travel together:
one connection after the other would pay for every sleep and waking alone. Each connection sends its next poll when it
has the answer to the last; the servers take turns.
"""

from __future__ import annotations

import selectors
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from conformance_tests.bench import campaign, servers
from conformance_tests.bench.campaign import Progress
from conformance_tests.bench.data import Samples
from conformance_tests.bench.operations import Place, Windows, Work, poll
from conformance_tests.bench.wire import Connection

CONNECTIONS = 8
SECONDS = 1.0
TURNS = 9
SIZE = 1000


@dataclass(frozen=True, slots=True)
class Polled:
    """One turn of one server."""

    rate: float
    """Polls a second, with the client on the same cores."""
    cpu: float
    """Seconds of server CPU for one, the database's included."""


def crowd(place: Place, work: Work, seconds: float) -> Polled:
    """Poll over several connections for a while."""
    request = work.requests[0]
    connections = [place.server.address.connect() for _ in range(CONNECTIONS)]
    for connection in connections:
        complaint = work.check(0, connection.ask(request))
        assert not complaint, f"{place.server.name}: {complaint}"
    with selectors.DefaultSelector() as selector:
        count, cpu, begun = 0, place.server.cpu(), time.monotonic()
        for connection in connections:
            connection.send(request)
            selector.register(connection, selectors.EVENT_READ, connection)
        while (lasted := time.monotonic() - begun) < seconds:
            for key, _ in selector.select():
                ready: Connection = key.data
                assert ready.receive().status == 207
                ready.send(request)
                count += 1
        used = place.server.cpu() - cpu
    for connection in connections:
        connection.close()
    return Polled(count / lasted, used / count)


def turns(ours: list[Place], floor: Place, count: int = TURNS, seconds: float = SECONDS) -> dict[str, list[Polled]]:
    """Each server so many times, in turns."""
    works = [(place, poll(place)) for place in ours] + [(floor, campaign.floor_work(floor))]
    found: dict[str, list[Polled]] = {place.server.name: [] for place, _ in works}
    for place, work in works:
        crowd(place, work, seconds / 2)
    for _ in range(count):
        for place, work in works:
            found[place.server.name].append(crowd(place, work, seconds))
    return found


def share(found: dict[str, list[Polled]], name: str) -> float:
    """The bare handler's CPU over a poll's, the database's included: the ratio of their rates on one core."""
    pairs = zip(found[name], found[campaign.FLOOR], strict=True)
    return statistics.median(floor.cpu / ours.cpu for ours, floor in pairs)


def run(folder: Path, databases: tuple[str, ...], progress: Progress) -> list[str]:
    """Every database and the floor."""
    with ExitStack() as stack:
        places = []
        for name in databases:
            server = servers.OURS[name](folder / name)
            stack.callback(server.stop)
            places.append(campaign.fill(server, Samples(SIZE, "polls"), Windows([], []), progress))
        found = turns(places, campaign.start_floor(places[0], folder, stack))
    floor = found[campaign.FLOOR]
    lines = []
    for name, polled in found.items():
        rate = statistics.median(each.rate for each in polled)
        of_floor = statistics.median(ours.rate / bare.rate for ours, bare in zip(polled, floor, strict=True))
        cpu = statistics.median(each.cpu for each in polled)
        lines.append(
            f"{name}: {rate:,.0f} polls/s over {CONNECTIONS} connections, {of_floor:.2f} of the bare handler; "
            f"{cpu * 1e6:.0f} us of CPU each, by CPU {share(found, name):.2f} of the bare handler"
        )
    return lines
