"""Every file of the corpus of real-world iCalendar, put as a client would: each UID's components as one object.

The corpus is beside the checkout (``CALDAV_SHARED``); without it there is nothing to put, and the test of the splitter
below still runs. ``--corpus-report FILE`` writes the counts for docs/compliance.md.
"""

import collections
import json
import re
from pathlib import Path

import pytest

from conformance_tests.client import Calendar, Client
from conformance_tests.corpus.split import split
from conformance_tests.pace import allowed
from testing.builders import event

CONDITIONS = {
    "C:valid-calendar-data", "C:valid-calendar-object-resource", "C:supported-calendar-data", "C:max-resource-size",
    "C:supported-rscale", "C:same-organizer-in-all-components", "C:max-instances", "C:max-attendees-per-instance",
    "C:supported-calendar-component", "C:min-date-time", "C:max-date-time",
}  # fmt: skip


def put_file(client: Client, href: str, bodies: list[bytes], stem: str) -> list[tuple[str, str]]:
    """Put the objects of a file into a calendar; what became of each: a condition, or

    ``stored`` (byte for byte), the same with defects that the server names and tolerates, or ``repaired`` (the stored
    text is another one, and no ETag was answered).
    """
    calendar = Calendar(client, href)
    outcomes = []
    for number, body in enumerate(bodies):
        name = f"{stem[:80]}-{number}.ics"
        answer = calendar.put(name, body)
        assert answer.status in {201, 403}, (stem, number, answer.status, answer.body[:300])
        assert answer.seconds < allowed(1), (stem, number, answer.seconds)
        if answer.status == 403:
            assert len(answer.conditions) == 1 and answer.conditions <= CONDITIONS, (stem, answer.body[:300])
            outcomes.append((name, answer.conditions.pop()))
            continue
        stored = calendar.get(name).expect(200)
        if answer.header("ETag"):
            assert stored.body == body and stored.etag == answer.etag, (stem, number)
            tolerated = answer.header("X-Calendar-Repairs")
            outcomes.append((name, "stored, defects tolerated" if tolerated else "stored"))
        else:
            assert answer.header("X-Calendar-Repairs") or stored.body != body, (stem, number)
            outcomes.append((name, "repaired"))
        calendar.delete(name).expect(204)
    return outcomes


def test_every_file(shared: Path, calendar: Calendar, request: pytest.FixtureRequest) -> None:
    """Corpus: the first objects of every file are stored and returned byte for byte, or refused with a condition."""
    put_corpus(shared, calendar, request, 2)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_every_object(shared: Path, calendar: Calendar, request: pytest.FixtureRequest) -> None:
    """Corpus: each object is stored and returned byte for byte, or refused with a condition; no 5xx, none slow."""
    put_corpus(shared, calendar, request, None)


def put_corpus(shared: Path, calendar: Calendar, request: pytest.FixtureRequest, most: int | None) -> None:
    """Put every file, at most this many objects of each, and write the counts when they are asked for."""
    files = sorted((shared / "corpus").glob("*/*.ics"))
    counts: collections.Counter[str] = collections.Counter()
    refused: dict[str, str] = {}
    failures = []
    for file in files:
        stem = re.sub(r"[^A-Za-z0-9._-]", "_", f"{file.parent.name}-{file.stem}")
        try:
            for name, outcome in put_file(calendar.client, calendar.href, split(file.read_bytes())[:most], stem):
                counts[outcome] += 1
                if outcome.startswith(("C:", "D:")):
                    refused[name] = outcome
        except AssertionError as error:
            failures.append(str(error)[:400])
    target = request.config.getoption("--corpus-report")
    if target and files:
        report = {"files": len(files), "objects": sum(counts.values()), "outcomes": dict(counts), "refused": refused}
        Path(target).write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert not failures, f"{len(failures)} files:\n" + "\n".join(failures[:20])


def test_reports_over_the_corpus(shared: Path, calendar: Calendar) -> None:
    """Corpus: a calendar with one object of each file answers listing, query, expansion and free-busy."""
    stored = 0
    for number, file in enumerate(sorted((shared / "corpus").glob("*/*.ics"))[::4]):
        for body in split(file.read_bytes())[:1]:
            stored += calendar.put(f"{number}.ics", body).status == 201
    if not stored:
        stored += calendar.put("own.ics", event()).status == 201
    assert len(calendar.sync(props="<D:getetag/><C:calendar-data/>").changed) == stored
    everything = calendar.query('<C:comp-filter name="VCALENDAR"/>', "<D:getetag/><C:calendar-data/>")
    assert len(everything) == stored
    ranged = (
        '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20000101T000000Z" '
        'end="20400101T000000Z"/></C:comp-filter></C:comp-filter>'
    )
    answer = calendar.query_raw(ranged)
    assert answer.status == 207 and answer.seconds < allowed(5)
    expand = '<C:calendar-data><C:expand start="20200101T000000Z" end="20200201T000000Z"/></C:calendar-data>'
    assert calendar.query_raw(ranged, expand).status in {207, 403, 507}
    assert calendar.freebusy("20200101T000000Z", "20200201T000000Z").status in {200, 403, 507}
    assert calendar.client.get(calendar.href).expect(200).body.startswith(b"BEGIN:VCALENDAR")


def test_splitter() -> None:
    """Corpus: the splitter gives each UID its components and the time zones, bytes unchanged."""
    one, two = event("one@x"), event("two@x")
    both = one.replace(b"END:VCALENDAR\r\n", b"") + two[two.index(b"BEGIN:VEVENT") :]
    parts = split(both)
    assert len(parts) == 2
    assert all(part.count(b"BEGIN:VEVENT") == 1 and part.startswith(b"BEGIN:VCALENDAR") for part in parts)
    assert split(one) == [one]
    published = one.replace(b"BEGIN:VEVENT", b"METHOD\r\n :PUBLISH\r\nBEGIN:VEVENT").replace(b"UID:", b"UID\r\n :")
    assert split(published) == [one.replace(b"UID:", b"UID\r\n :")]
    assert split(b"garbage") == [b"garbage"]
