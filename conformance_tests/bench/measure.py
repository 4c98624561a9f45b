"""One cell: requests over one connection until enough CPU was used to be counted, then the check of every answer."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from conformance_tests.bench.operations import Check, Work
from conformance_tests.bench.servers import Server
from conformance_tests.bench.wire import Answer, Broken, Connection

LEAST = 6
"""Requests in a cell at least: every window once."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long one cell goes on: until the server used ``cpu`` seconds, or ``wall`` seconds have passed."""

    cpu: float
    wall: float


@dataclass(slots=True)
class Cell:
    """What was measured: CPU seconds, wall seconds and the seconds of each request; complaints with their number."""

    requests: int
    cpu: float
    wall: float
    client: float
    latencies: list[float]
    size: int
    wrong: dict[str, int] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """As plain data, with percentiles in place of single latencies."""
        ordered = sorted(self.latencies)
        plain = {**asdict(self), "p50": ordered[len(ordered) // 2], "p95": ordered[int(len(ordered) * 0.95)]}
        del plain["latencies"]
        return plain


def _numbers(work: Work) -> Iterator[int]:
    count = len(work.requests)
    yield from range(count)
    while work.again:
        yield from range(count)


def run(server: Server, connection: Connection, work: Work, effort: Effort) -> Cell:
    """Send the requests of an operation, measure, and then check each answer that differs from the others."""
    seen: Counter[tuple[int, int, bytes]] = Counter()
    heads: dict[int, Answer] = {}
    latencies: list[float] = []
    cpu, client, begun = server.cpu(), time.process_time(), time.monotonic()
    pause = LEAST
    for number in _numbers(work):
        sent = time.perf_counter()
        try:
            answer = connection.ask(work.requests[number])
        except (OSError, Broken) as error:
            answer = Answer(599, {}, repr(error).encode())
        latencies.append(time.perf_counter() - sent)
        seen[number, answer.status, answer.body] += 1
        heads[answer.status] = answer
        if not work.whole and len(latencies) >= pause:
            used, wall = server.cpu() - cpu, time.monotonic() - begun
            if wall >= effort.wall or (work.again and used >= effort.cpu):
                break
            pause = len(latencies) + max(1, int(len(latencies) * min(1.0, 0.3 * effort.cpu / max(used, 0.01))))
    wall, client = time.monotonic() - begun, time.process_time() - client
    used = server.cpu() - cpu
    work.sent(len(latencies))
    size = sum(len(body) * times for (_, _, body), times in seen.items()) // len(latencies)
    return Cell(len(latencies), used, wall, client, latencies, size, _complaints(work.check, seen, heads))


def _complaints(check: Check, seen: Counter[tuple[int, int, bytes]], heads: dict[int, Answer]) -> dict[str, int]:
    wrong: Counter[str] = Counter()
    for (number, status, body), times in seen.items():
        try:
            complaint = check(number, Answer(status, heads[status].headers, body))
        except Exception as error:  # whatever another program may answer
            complaint = f"unreadable: {type(error).__name__}: {error}"
        if complaint:
            wrong[complaint] += times
    return dict(wrong)
