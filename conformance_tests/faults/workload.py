"""Writers, readers and their ledgers: what the fault tests have in common."""

from __future__ import annotations

import contextlib
import http.client
import random
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from conformance_tests.client import Calendar, Client
from conformance_tests.server import ServerProcess
from testing.builders import event

GONE = (OSError, http.client.HTTPException, TimeoutError)
"""What a client sees of a server that died."""


@dataclass
class Ledger:
    """What one writer was promised: the state of each name after its last acknowledged request.

    ``open`` is the request whose answer never came: both its outcomes are legal.
    """

    state: dict[str, bytes | None] = field(default_factory=dict)
    open: dict[str, bytes | None] = field(default_factory=dict)
    acknowledged: int = 0
    refused: list[tuple[str, int]] = field(default_factory=list)

    def allows(self, name: str, seen: bytes | None) -> bool:
        if name in self.open and seen == self.open[name]:
            return True
        return seen == self.state.get(name)


class Writer(threading.Thread):
    """Puts, changes and deletes objects of its own names until it is told to stop or the server is gone."""

    def __init__(self, client: Client, href: str, number: int, stop: threading.Event, *, limit: int = 0) -> None:
        super().__init__(daemon=True)
        self.calendar = Calendar(client, href)
        self.number, self.stopped, self.limit = number, stop, limit
        self.random = random.Random(number)
        self.ledger = Ledger()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.stopped.is_set() and not (self.limit and self.ledger.acknowledged >= self.limit):
                self.step()
        except GONE:
            pass
        except BaseException as error:
            self.failure = error
        finally:
            self.calendar.client.close()

    def step(self) -> None:
        name = f"w{self.number}-{self.random.randrange(40)}.ics"
        body: bytes | None = event(f"{name}@example.com", summary=f"{self.number}-{self.ledger.acknowledged}")
        if self.ledger.state.get(name) is not None and self.random.random() < 0.3:
            body = None
        self.ledger.open[name] = body
        path = self.calendar.path(name)
        answer = once(self.calendar.client, "DELETE" if body is None else "PUT", path, body)
        if answer in {200, 201, 204}:
            self.ledger.state[name] = body
            self.ledger.acknowledged += 1
        else:
            self.ledger.refused.append((name, answer))
        del self.ledger.open[name]


def once(client: Client, method: str, path: str, body: bytes | None) -> int:
    """One request on the kept connection, without the client's own retry: a lost answer must be seen."""
    return client._send(method, path, body, _headers(client, body)).status


def _headers(client: Client, body: bytes | None) -> dict[str, str]:
    from conformance_tests.client import ICAL, basic

    headers = {"Authorization": basic(client.user or "", client.password)}
    return headers | ({"Content-Type": ICAL} if body is not None else {})


@dataclass
class Mirror:
    """A syncing client: it pages through sync-collection and keeps what it was told."""

    calendar: Calendar
    limit: int | None = None
    token: str = ""
    state: dict[str, str] = field(default_factory=dict)

    def pull(self) -> int:
        """One round, all its pages; the number of changes told."""
        told = 0
        while True:
            answer = self.calendar.sync(self.token, limit=self.limit)
            self.state.update(answer.changed)
            for name in answer.removed:
                self.state.pop(name, None)
            told += len(answer.changed) + len(answer.removed)
            self.token = answer.sync_token or ""
            if not any(item.status == 507 for item in answer.items):
                return told


def run_all(threads: list[Writer]) -> None:
    """Start them, wait for the end, and let none of their failures be lost."""
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
        assert not thread.is_alive(), "a writer hangs"
    for thread in threads:
        if thread.failure is not None:
            raise thread.failure


def new_calendar(server: ServerProcess, user: str = "user01") -> Calendar:
    """A calendar of its own for one test."""
    client = server.client(user)
    href = f"{client.home}fault-{uuid.uuid4().hex[:12]}/"
    client.mkcalendar(href).expect(201)
    return Calendar(client, href)


def parallel(count: int, work: Callable[[int], object]) -> list[object]:
    """``work(0) .. work(count - 1)``, each in its own thread, started together; their results in order."""
    results: list[object] = [None] * count
    failures: list[BaseException] = []
    barrier = threading.Barrier(count)

    def one(number: int) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(10)
        try:
            results[number] = work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=one, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    if failures:
        raise failures[0]
    return results
