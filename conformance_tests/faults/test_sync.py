"""F5: syncing clients beside writers end with exactly the server's state: no missed and no phantom change."""

import random
import threading

import pytest

from conformance_tests.client import Calendar
from conformance_tests.faults.workload import Mirror, Writer, new_calendar, parallel, run_all
from conformance_tests.server import ServerProcess
from testing.builders import event


class Mover(Writer):
    """A writer that also moves its objects: renames, and to another calendar and back."""

    def __init__(self, *arguments, elsewhere: str) -> None:  # type: ignore[no-untyped-def]
        super().__init__(*arguments)
        self.elsewhere = elsewhere

    def step(self) -> None:
        chance = self.random.random()
        names = [f"m{self.number}-{index}.ics" for index in range(12)]
        name, to = self.random.sample(names, 2)
        client = self.calendar.client
        uid = f"{self.number}-{self.random.randrange(6)}@example.com"
        if chance < 0.45:
            client.put(self.calendar.path(name), event(uid, summary=str(self.ledger.acknowledged)))
        elif chance < 0.6:
            client.delete(self.calendar.path(name))
        elif chance < 0.8:
            client.move(self.calendar.path(name), self.calendar.path(to))
        elif chance < 0.9:
            client.move(self.calendar.path(name), self.elsewhere + name)
        else:
            client.move(self.elsewhere + name, self.calendar.path(name))
        self.ledger.acknowledged += 1


def beside_writers(server: ServerProcess, seconds: float, mirrors: int = 4) -> None:
    """Eight writers (puts, deletes, moves) and syncing readers, some with limits, for a while; then the comparison."""
    calendar = new_calendar(server)
    elsewhere = new_calendar(server)
    stop = threading.Event()
    writers: list[Writer] = [
        Mover(server.client(), calendar.href, number, stop, elsewhere=elsewhere.href) for number in range(8)
    ]
    readers = [
        Mirror(Calendar(server.client(), href), limit=limit)
        for href, limit in [(calendar.href, None), (calendar.href, 1), (calendar.href, 5), (elsewhere.href, 3)][
            :mirrors
        ]
    ]
    rounds = [0] * len(readers)

    def read(number: int) -> None:
        while not stop.is_set():
            readers[number].pull()
            rounds[number] += 1

    threads = [threading.Thread(target=read, args=(number,), daemon=True) for number in range(len(readers))]
    for thread in threads:
        thread.start()
    timer = threading.Timer(seconds, stop.set)
    timer.start()
    run_all(writers)
    for thread in threads:
        thread.join(60)
    for reader in readers:
        reader.pull()
        assert reader.state == reader.calendar.etags(), "missed or phantom changes"
        assert Mirror(reader.calendar).pull() == len(reader.state)
    assert all(rounds), rounds
    assert sum(writer.ledger.acknowledged for writer in writers) > 50


@pytest.mark.parametrize("workers", [1, 2])
def test_reader_beside_writers(loaded_server, database: str, workers: int) -> None:
    """F5: a syncing reader beside eight writers ends with exactly the server's state, with two workers too."""
    beside_writers(loaded_server(workers), 2)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("workers", [1, 2])
def test_reader_beside_writers_for_a_minute(loaded_server, database: str, workers: int) -> None:
    """F5: the same for a minute."""
    beside_writers(loaded_server(workers), 60)


def test_several_clients_two_way(loaded_server) -> None:
    """F5: clients that write with If-Match and sync with a limit converge on one state."""
    server = loaded_server()
    calendar = new_calendar(server)
    mirrors = [Mirror(Calendar(server.client(), calendar.href), limit=number + 1) for number in range(5)]

    def work(number: int) -> None:
        chance, mirror = random.Random(number), mirrors[number]
        for step in range(25):
            mirror.pull()
            name = f"{chance.randrange(10)}.ics"
            etag = mirror.state.get(name)
            headers = {"If-Match": etag} if etag else {"If-None-Match": "*"}
            if etag and chance.random() < 0.3:
                mirror.calendar.delete(name, headers).expect(204, 412, 404)
            else:
                body = event(f"{name}@example.com", summary=f"{number} {step}")
                mirror.calendar.put(name, body, headers).expect(201, 204, 412)

    parallel(len(mirrors), work)
    listing = calendar.etags()
    for mirror in mirrors:
        mirror.pull()
        assert mirror.state == listing
