"""The twelve operations: the requests of each one, and what their answers must be."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from conformance_tests.bench import answers, bodies
from conformance_tests.bench.data import Expected, Sample, Samples, Window, months, weeks
from conformance_tests.bench.servers import Server
from conformance_tests.bench.wire import Answer, Connection

Check = Callable[[int, Answer], str]
"""Number of the request and its answer -> what is wrong with it, empty when nothing is."""
CALENDAR_TYPE = "text/calendar; charset=utf-8"
WRITES = 300
"""How many objects one cell creates, changes or deletes."""
ETAG = "{DAV:}getetag"


@dataclass(frozen=True, slots=True)
class Work:
    """Requests and their check; ``again``: they may be sent round and round, each answer being the same.

    ``sent`` is told how many were sent, when time may have been too short for all.
    """

    requests: list[bytes]
    check: Check
    again: bool = True
    sent: Callable[[int], None] = lambda _count: None
    whole: bool = False
    """All of them are sent, however long that takes."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows that are asked for, each with its answer."""

    months: list[tuple[Window, Expected]]
    weeks: list[tuple[Window, Expected]]

    @classmethod
    def of(cls, samples: Samples) -> Windows:
        """The windows and what a calendar with these objects answers."""
        both = ([(window, samples.expect(window)) for window in some] for some in (months(), weeks()))
        return cls(*both)


@dataclass
class Place:
    """One calendar on one server, and what was written to it so far."""

    server: Server
    path: str
    samples: Samples
    windows: Windows
    connection: Connection
    random: random.Random = field(default_factory=lambda: random.Random(5))
    revisions: dict[str, int] = field(default_factory=dict)
    created: list[Sample] = field(default_factory=list)
    serial: itertools.count[int] = field(default_factory=itertools.count)
    imported: bool = False
    """From one file that has the head and the zones of all: then the components are each one's own text."""

    def ask(self, method: str, path: str, body: str | bytes = b"", **headers: str) -> Answer:
        """One request outside of any measurement."""
        return self.connection.ask(self.server.address.request(method, path, body, **headers))

    def request(self, method: str, name: str, body: str | bytes = b"", **headers: str) -> bytes:
        """A request to the calendar (empty name) or to a member."""
        return self.server.address.request(method, self.path + name, body, **headers)

    def text(self, sample: Sample) -> bytes:
        """What was stored last under a sample's name."""
        return sample.text(self.revisions.get(sample.name, 0))

    def update(self, sample: Sample, **headers: str) -> bytes:
        """A PUT of the next revision."""
        self.revisions[sample.name] = self.revisions.get(sample.name, 0) + 1
        return self.request("PUT", sample.name, self.text(sample), Content_Type=CALENDAR_TYPE, **headers)

    def create(self, sample: Sample) -> bytes:
        """A PUT that must not replace anything."""
        return self.request("PUT", sample.name, sample.text(), Content_Type=CALENDAR_TYPE, If_None_Match="*")

    def holds(self, name: str, body: str) -> bool:
        """Whether calendar data is the object of this name, byte for byte where the server promises so."""
        sample = self.samples.by_name.get(name)
        if sample is None:
            return False
        if self.server.verbatim:
            sent, found = (each.replace("\r\n", "\n") for each in (self.text(sample).decode(), body))
            if self.imported:
                sent, found = (each[each.find("BEGIN:VEVENT") :] for each in (sent, found))
            return found == sent
        return sample.uid in body and body.count("BEGIN:VEVENT") == 1 + len(sample.changed)

    def token(self) -> str:
        """The calendar's present sync-token."""
        token = answers.sync_token(self.ask("PROPFIND", self.path, bodies.TOKEN, Depth="0").body)
        return token or answers.sync_token(self.ask("REPORT", self.path, bodies.sync(""), Depth="0").body)

    def etags(self) -> dict[str, str]:
        """The ETag of every member."""
        found = answers.multistatus(self.ask("PROPFIND", self.path, bodies.ETAGS, Depth="1").body)
        return {name: found[name][ETAG] for name in found if name in self.samples.by_name}


def _status(answer: Answer, *wanted: int) -> str:
    return "" if answer.status in wanted else f"status {answer.status}"


def poll(place: Place) -> Work:
    """PROPFIND of getctag and sync-token: has anything changed?"""

    def check(_number: int, answer: Answer) -> str:
        if answer.status != 207:
            return f"status {answer.status}"
        found = list(answers.multistatus(answer.body).values())
        good = len(found) == 1 and found[0].get("{http://calendarserver.org/ns/}getctag")
        return "" if good and answers.sync_token(answer.body) else "no ctag or no sync-token"

    return Work([place.request("PROPFIND", "", bodies.POLL, Depth="0")], check)


def _sync(place: Place, token: str, names: set[str]) -> Work:
    def check(_number: int, answer: Answer) -> str:
        if answer.status != 207:
            return f"status {answer.status}"
        found = answers.multistatus(answer.body)
        if found.keys() != names or not all(ETAG in each for each in found.values()):
            return f"{len(found)} changes instead of {len(names)}"
        return "" if answers.sync_token(answer.body) else "no sync-token"

    return Work([place.request("REPORT", "", bodies.sync(token), Depth="0")], check)


def sync_nothing(place: Place) -> Work:
    """sync-collection from the present token."""
    return _sync(place, place.token(), set())


def sync_ten(place: Place) -> Work:
    """sync-collection after ten objects changed."""
    token = place.token()
    changed = place.random.sample(place.samples.all, 10)
    for sample in changed:
        place.connection.ask(place.update(sample))
    return _sync(place, token, {sample.name for sample in changed})


def get(place: Place) -> Work:
    """GET of members, all over the calendar."""
    picked = [place.random.choice(place.samples.all) for _ in range(500)]

    def check(number: int, answer: Answer) -> str:
        if answer.status != 200:
            return f"status {answer.status}"
        if place.server.verbatim and answer.body != place.text(picked[number]):
            return "other bytes than were stored"
        return "" if place.holds(picked[number].name, answer.body.decode()) else "another object"

    return Work([place.request("GET", sample.name) for sample in picked], check)


def _data_wrong(place: Place, found: dict[str, dict[str, str]], names: frozenset[str]) -> str:
    if found.keys() != names:
        return f"{len(found)} objects instead of {len(names)}"
    wrong = sum(not place.holds(name, each.get(answers.DATA, "")) for name, each in found.items())
    return f"{wrong} objects with wrong data" if wrong else ""


def multiget(place: Place) -> Work:
    """calendar-multiget of fifty members."""
    picked = [place.random.sample(place.samples.all, 50) for _ in range(20)]

    def check(number: int, answer: Answer) -> str:
        names = frozenset(sample.name for sample in picked[number])
        return _status(answer, 207) or _data_wrong(place, answers.multistatus(answer.body), names)

    hrefs = [[place.path + sample.name for sample in some] for some in picked]
    return Work([place.request("REPORT", "", bodies.multiget(each), Depth="1") for each in hrefs], check)


def list_etags(place: Place) -> Work:
    """PROPFIND Depth 1 of every ETag."""

    def check(_number: int, answer: Answer) -> str:
        if answer.status != 207:
            return f"status {answer.status}"
        found = answers.multistatus(answer.body)
        found.pop(place.path.rstrip("/").rsplit("/", 1)[-1], None)
        if found.keys() != place.samples.by_name.keys():
            return f"{len(found)} members instead of {len(place.samples.all)}"
        return "" if all(ETAG in each for each in found.values()) else "members without ETag"

    return Work([place.request("PROPFIND", "", bodies.ETAGS, Depth="1")], check)


def month(place: Place) -> Work:
    """calendar-query of a month, with data."""
    windows = place.windows.months

    def check(number: int, answer: Answer) -> str:
        names = windows[number][1].names
        return _status(answer, 207) or _data_wrong(place, answers.multistatus(answer.body), names)

    requests = [place.request("REPORT", "", bodies.query(each, expand=False), Depth="1") for each, _ in windows]
    return Work(requests, check)


def expand_week(place: Place) -> Work:
    """calendar-query of a week, expanded."""
    windows = place.windows.weeks

    def check(number: int, answer: Answer) -> str:
        if answer.status != 207:
            return f"status {answer.status}"
        found = answers.multistatus(answer.body)
        expected = windows[number][1]
        if found.keys() != expected.names:
            return f"{len(found)} objects instead of {len(expected.names)}"
        starts = {start for each in found.values() for start in answers.instances(each.get(answers.DATA, ""))}
        return "" if starts == expected.starts else f"{len(starts ^ expected.starts)} instances differ"

    requests = [place.request("REPORT", "", bodies.query(each, expand=True), Depth="1") for each, _ in windows]
    return Work(requests, check)


def free_busy(place: Place) -> Work:
    """free-busy-query of a week."""
    windows = place.windows.weeks

    def check(number: int, answer: Answer) -> str:
        if answer.status != 200 or b"BEGIN:VFREEBUSY" not in answer.body:
            return f"status {answer.status}"
        window, expected = windows[number]
        minutes = [sum(end - start for start, end in some) // 60 for some in (got(answer, window), expected.busy)]
        return "" if got(answer, window) == expected.busy else f"{minutes[0]} busy minutes instead of {minutes[1]}"

    def got(answer: Answer, window: Window) -> tuple[Window, ...]:
        return answers.busy(answer.body.decode(), window)

    return Work([place.request("REPORT", "", bodies.free_busy(each), Depth="1") for each, _ in windows], check)


def put_new(place: Place) -> Work:
    """PUT of new objects."""
    prefix = f"{place.path.rstrip('/').rsplit('/', 1)[-1]}-new{next(place.serial)}"
    samples = [Sample(number, prefix) for number in range(WRITES)]

    def sent(count: int) -> None:
        place.created = samples[:count]

    return Work([place.create(sample) for sample in samples], lambda _, answer: _status(answer, 201), False, sent)


def delete(place: Place) -> Work:
    """DELETE of what ``put_new`` made."""
    requests = [place.request("DELETE", sample.name) for sample in place.created]
    return Work(requests, lambda _, answer: _status(answer, 200, 204), again=False, whole=True)


def put_update(place: Place) -> Work:
    """PUT of changed objects with If-Match."""
    etags = place.etags()
    picked = place.random.sample(sorted(etags), min(WRITES, len(etags)))
    requests = [place.update(place.samples.by_name[name], If_Match=etags[name]) for name in picked]

    def sent(count: int) -> None:
        for name in picked[count:]:
            place.revisions[name] -= 1

    return Work(requests, lambda _, answer: _status(answer, 200, 201, 204), False, sent)


OPERATIONS: dict[str, Callable[[Place], Work]] = {
    "poll": poll,
    "sync nothing new": sync_nothing,
    "sync 10 changes": sync_ten,
    "GET": get,
    "multiget 50": multiget,
    "list ETags": list_etags,
    "month with data": month,
    "week, expand": expand_week,
    "free-busy week": free_busy,
    "PUT new": put_new,
    "DELETE": delete,
    "PUT update": put_update,
}
"""Every operation, in the order in which a round goes through them."""
