"""An hour of mutated input through everything that reads it: bodies, documents, recurrences, queries, renderings.

One round is what a hostile client can do with one PUT and one REPORT: a body made of pieces that parsers stumble over,
then a query made the same way, decided and rendered on that body. Only a ``Refusal`` may come out, within a second
of CPU, and memory must not grow. ``FUZZ_SECONDS`` says how long (an hour when it says nothing); a failure prints its
round, which is the seed. ``make test`` runs the first of these rounds, always the same.
"""

from __future__ import annotations

import os
import random
import resource
import time

import pytest

from protocol.dav.reports import CalendarMultiget, CalendarQuery, FreeBusyQuery, parse_report
from protocol.errors import Refusal
from protocol.ical import freebusy, rendering
from protocol.ical.document import Document, parse_document
from protocol.ical.filters import bounds, matches
from protocol.ical.index import index_document
from protocol.ical.recurrence import Budget
from protocol.ical.split import Splitter
from protocol.ical.timezones import resolve
from protocol.tests.test_fuzz_ical import HORIZON, make_body, mutate

ZONES = (None, resolve("Europe/Berlin", None), resolve("Pacific/Apia", None))
WORDS = [
    "VCALENDAR", "VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VALARM", "VTIMEZONE", "VAVAILABILITY", "*", "", "X-A",
    "SUMMARY", "DTSTART", "UID", "ATTENDEE", "PARTSTAT", "CATEGORIES", "COMPLETED", "i;octet", "i;nonsense",
]  # fmt: skip
TIMES = ["20260101T000000Z", "20260301T000000Z", "19700101T000000Z", "20991231T235959Z", "20260101", "", "nonsense"]
RULES = [
    "FREQ=SECONDLY", "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=MINUTELY;INTERVAL=7;BYDAY=MO",
    "FREQ=HOURLY;BYSETPOS=-1;BYMINUTE=0,59", "FREQ=DAILY;COUNT=100000", "FREQ=WEEKLY;WKST=SU;INTERVAL=2;BYDAY=SU,MO",
    "FREQ=MONTHLY;BYDAY=-1FR,2TU;BYSETPOS=2", "FREQ=YEARLY;BYWEEKNO=53;BYDAY=SU", "FREQ=YEARLY;BYYEARDAY=-366",
    "RSCALE=GREGORIAN;SKIP=FORWARD;FREQ=MONTHLY;BYMONTHDAY=31", "FREQ=DAILY;UNTIL=99991231",
]  # fmt: skip


def make_filter(dice: random.Random, depth: int = 0) -> str:
    """A filter element with children of every kind, most of them where they belong."""
    name = "VCALENDAR" if depth == 0 and dice.random() < 0.9 else dice.choice(WORDS)
    inner = []
    if dice.random() < 0.5:
        inner.append(f'<C:time-range start="{dice.choice(TIMES)}" end="{dice.choice(TIMES)}"/>')
    if dice.random() < 0.1:
        inner.append("<C:is-not-defined/>")
    for _ in range(dice.randint(0, 2)):
        text = f'<C:text-match collation="{dice.choice(WORDS)}">{dice.choice(WORDS)}</C:text-match>'
        param = f'<C:param-filter name="{dice.choice(WORDS)}">{text}</C:param-filter>'
        inner.append(f'<C:prop-filter name="{dice.choice(WORDS)}">{dice.choice([text, param, ""])}</C:prop-filter>')
    if depth < 3 and dice.random() < 0.8:
        inner.append(make_filter(dice, depth + 1))
    dice.shuffle(inner)
    return f'<C:comp-filter name="{name}">{"".join(inner)}</C:comp-filter>'


def make_query(dice: random.Random) -> bytes:
    """A report body."""
    span = f'start="{dice.choice(TIMES)}" end="{dice.choice(TIMES)}"'
    data = dice.choice(
        ["", f"<C:expand {span}/>", f"<C:limit-recurrence-set {span}/>", f"<C:limit-freebusy-set {span}/>"]
    )
    kind = dice.choice(["calendar-query", "calendar-query", "calendar-query", "free-busy-query"])
    inner = f"<D:prop><C:calendar-data>{data}</C:calendar-data></D:prop><C:filter>{make_filter(dice)}</C:filter>"
    if kind == "free-busy-query":
        inner = f"<C:time-range {span}/>"
    return f'<C:{kind} xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{inner}</C:{kind}>'.encode()


def document_of(dice: random.Random) -> tuple[bytes, Document] | None:
    data = make_body(dice)
    if dice.random() < 0.5:
        rule = f"RRULE:{dice.choice(RULES)}\r\nEND:V".encode()
        data = data.replace(b"END:V", rule, 1)
    for _ in range(dice.randint(0, 3)):
        data = mutate(dice, data) if data else data
    list(Splitter(data))
    try:
        parsed = parse_document(data)
        index_document(parsed.document, horizon=HORIZON, cap=200)
    except Refusal:
        return None
    return parsed.data, parsed.document


def ask(dice: random.Random, data: bytes, document: Document) -> None:
    query = make_query(dice)
    if dice.random() < 0.3:
        query = mutate(dice, query)
    zone = dice.choice(ZONES)
    try:
        report = parse_report(query)
        if isinstance(report, CalendarQuery):
            bounds(report.filter)
            matches(report.filter, document, zone, Budget())
        if isinstance(report, CalendarQuery | CalendarMultiget) and report.calendar_data is not None:
            rendering.render(data, lambda: document, report.calendar_data, zone)
        if isinstance(report, FreeBusyQuery):
            freebusy.busy_periods(document, report.range, zone, Budget())
    except Refusal:
        pass


def fuzz(seconds: float, first: int, rounds: int | None = None) -> int:
    """Rounds until the time is over or there were enough; how many."""
    ends, number = time.monotonic() + seconds, first
    floor = 0
    while time.monotonic() < ends and number - first != rounds:
        number += 1
        dice = random.Random(number)
        begun = time.process_time()
        try:
            found = document_of(dice)
            if found is not None:
                ask(dice, *found)
        except Exception as defect:
            raise AssertionError(f"round {number}") from defect
        assert time.process_time() - begun < 1, f"round {number} took too long"
        if number == first + 2000:
            floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert not floor or peak - floor < 200 * 1024, f"memory grew from {floor} to {peak} KiB"
    return number - first


def test_short_fuzzing() -> None:
    assert fuzz(250, first=0, rounds=3_000) == 3_000


@pytest.mark.long
@pytest.mark.timeout(0)
def test_an_hour_of_fuzzing() -> None:
    rounds = fuzz(float(os.environ.get("FUZZ_SECONDS", "3600")), first=1_000_000)
    print(f"{rounds} rounds")
