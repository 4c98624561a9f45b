"""Reports whose answer costs much: what is too much is said where it is, and every answer is well formed.

RFC 4791 §7.8 and §7.9, RFC 4918 §13 and §14.22, RFC 6578 §3.6.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from caldav_server.calendaring import freebusy, queries, work_budget
from caldav_server.calendaring.work_budget import RequestBudget
from caldav_server.dav.reports import multiget as multigets
from caldav_server.dav.reports import query as reports
from protocol.errors import Refusal
from protocol.ical.recurrence import DEFAULT_PERIODS
from protocol.model import CalendarObject, Seq
from testing.builders import event
from testing.face import NAMESPACES, Answer, Face

CALENDAR = "/dav/calendars/anna/calendar/"
RANGE = '<C:comp-filter name="VEVENT"><C:time-range start="20260105T000000Z" end="20260205T000000Z"/></C:comp-filter>'
EXPANDED = '<C:calendar-data><C:expand start="20260105T000000Z" end="20260205T000000Z"/></C:calendar-data>'
HOSTILE = "RRULE:FREQ=SECONDLY"
MEASURE = "{DAV:}error/{DAV:}number-of-matches-within-limits"


@pytest.fixture
async def face(tmp_path: Path) -> AsyncIterator[Face]:
    made = await Face.make(tmp_path)
    yield made
    made.db.close()


def statuses(answer: Answer, name: str = "{urn:ietf:params:xml:ns:caldav}calendar-data") -> dict[str, tuple[int, str]]:
    """Of each resource answered: the status of one property and the condition beside it."""
    found = {}
    for response in ElementTree.fromstring(answer.body).iter("{DAV:}response"):
        for propstat in response.iter("{DAV:}propstat"):
            if propstat.find(f"{{DAV:}}prop/{name}") is None:
                continue
            condition = propstat.find("{DAV:}error/*")
            code = int(propstat.findtext("{DAV:}status", "").split()[1])
            href = response.findtext("{DAV:}href", "").rsplit("/", 1)[-1]
            assert href not in found
            found[href] = (code, "" if condition is None else condition.tag.rsplit("}", 1)[-1])
    return found


async def fill(face: Face, weekly: int, hostile: int = 1) -> None:
    for number in range(weekly):
        await face.put(f"{CALENDAR}n{number}.ics", event(f"n{number}", end="DURATION:PT1H", more="RRULE:FREQ=WEEKLY"))
    for number in range(hostile):
        await face.put(f"{CALENDAR}z{number}.ics", event(f"z{number}", end="DURATION:PT1H", more=HOSTILE))


async def multiget(face: Face, *names: str) -> Answer:
    hrefs = "".join(f"<D:href>{CALENDAR}{name}</D:href>" for name in names)
    body = f"<C:calendar-multiget {NAMESPACES}><D:prop><D:getetag/>{EXPANDED}</D:prop>{hrefs}</C:calendar-multiget>"
    return await face.ask("REPORT", CALENDAR, body, Depth="0")


@pytest.mark.parametrize("weekly", [3, queries.BATCH + 3])
async def test_one_costly_object_takes_nothing_from_the_others(face: Face, weekly: int) -> None:
    await fill(face, weekly)
    answer = await face.query(CALENDAR, RANGE, EXPANDED)
    assert answer.status == 207
    said = statuses(answer)
    assert said.pop("z0.ics") == (403, "max-instances")
    assert len(said) == weekly and set(said.values()) == {(200, "")}
    assert len(statuses(answer, "{DAV:}getetag")) == weekly + 1, "all else of the object is answered"


async def test_what_is_withheld_is_not_said_to_be_missing(face: Face) -> None:
    await fill(face, 0)
    data = f"<D:displayname/><X:none xmlns:X='urn:x'/>{EXPANDED}"
    for asked in (data, data.replace("<X:none xmlns:X='urn:x'/>", "")):  # with and without a look for dead properties
        answer = await face.query(CALENDAR, RANGE, asked)
        assert statuses(answer) == {"z0.ics": (403, "max-instances")}
        assert answer.text.count("calendar-data") == 1


async def test_multiget_answers_every_object(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(face, 2, 3)
    names = ["z0.ics", "n0.ics", "gone.ics", "z1.ics", "z2.ics", "n1.ics"]
    answer = await multiget(face, *names)
    assert statuses(answer)["z0.ics"] == (403, "max-instances")
    assert [href.rsplit("/", 1)[-1] for href in answer.hrefs()] == names
    monkeypatch.setattr(multigets, "RequestBudget", lambda: RequestBudget(2 * DEFAULT_PERIODS))
    face.face = face.fresh()  # nothing remembered
    answer = await multiget(face, *names)
    assert [href.rsplit("/", 1)[-1] for href in answer.hrefs()] == names
    codes = [code for code, _ in statuses(answer).values()]
    assert codes.count(403) == 2 and codes.count(507) >= 1, "the request's limit stands with each object"


async def test_an_href_means_the_same_among_others_as_alone(face: Face) -> None:
    await fill(face, 3, 0)
    hrefs = [
        f"{CALENDAR}n0.ics", f"{CALENDAR}n1.ics?x=/n2.ics", f"{CALENDAR}n1.ics?x=/n0.ics", f"{CALENDAR}n2.ics#/n0.ics",
        f"{CALENDAR}n2.ics#/n1.ics", f"{CALENDAR}/n1.ics", f"{CALENDAR}/n2.ics", f"{CALENDAR}./n0.ics",
        f"{CALENDAR}n%30.ics", f"{CALENDAR}", f"{CALENDAR}..", f"{CALENDAR}.", f"{CALENDAR}n0.ics/n1.ics",
        f"{CALENDAR}n0.ics/n2.ics", "n0.ics", "n1.ics", "/dav/calendars/anna/n0.ics",
        "/dav/calendars/bert/calendar/n0.ics",
        "/dav/calendars/bert/calendar/n1.ics", f"http://calendar.example{CALENDAR}n0.ics",
        f"http://calendar.example{CALENDAR}n2.ics", f"http://other.example{CALENDAR}n0.ics",
    ]  # fmt: skip

    async def asked(*some: str) -> list[str]:
        listed = "".join(f"<D:href>{href}</D:href>" for href in some)
        body = f"<C:calendar-multiget {NAMESPACES}><D:prop><D:getetag/></D:prop>{listed}</C:calendar-multiget>"
        answer = await face.ask("REPORT", CALENDAR, body)
        return re.findall(r"(?s)<D:response>.*?</D:response>", answer.text)

    assert sum("200 OK" in each for each in await asked(*hrefs)) == 11
    assert await asked(*hrefs) == [one for href in hrefs for one in await asked(href)]


async def test_a_multiget_of_large_answers_keeps_the_order(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(face, 4, 0)
    names = ["n3.ics", "n1.ics", "gone.ics", "n0.ics", "n2.ics"]
    before = await multiget(face, *names)
    monkeypatch.setattr(queries, "PIECE", 1)
    assert (await multiget(face, *names)).body == before.body


async def test_a_limit_of_the_request_is_named_before_the_first_byte(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(face, 1, 3)
    monkeypatch.setattr(reports, "RequestBudget", lambda: RequestBudget(DEFAULT_PERIODS))
    answer = await face.query(CALENDAR, RANGE, EXPANDED)
    assert (answer.status, answer.condition) == (507, "number-of-matches-within-limits")


async def test_a_limit_of_the_request_that_is_met_later_ends_a_well_formed_answer(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(face, 12, 3)
    monkeypatch.setattr(reports, "RequestBudget", lambda: RequestBudget(DEFAULT_PERIODS))
    monkeypatch.setattr(reports, "STREAM_FROM", 1)
    monkeypatch.setattr(queries, "BATCH", 4)
    answer = await face.query(CALENDAR, RANGE, EXPANDED)
    assert answer.status == 207
    responses = list(ElementTree.fromstring(answer.body).iter("{DAV:}response"))
    assert len(responses) > 4
    last = responses[-1]
    assert last.findtext("{DAV:}href") == CALENDAR
    assert last.findtext("{DAV:}status") == "HTTP/1.1 507 Insufficient Storage"
    assert last.find(MEASURE) is not None


async def test_a_long_answer_of_few_objects_is_sent_in_pieces(face: Face) -> None:
    for number in range(6):
        text = event(
            f"n{number}", end="DURATION:PT1H", more="\n".join(("RRULE:FREQ=DAILY", "DESCRIPTION:" + "ü" * 20_000))
        )
        await face.put(f"{CALENDAR}n{number}.ics", text)
    response = await face.send("REPORT", CALENDAR, _expansion(), Depth="1")
    assert not isinstance(response.body, bytes)
    pieces = [piece async for piece in response.body]
    assert max(map(len, pieces)) <= 1024 * 1024
    assert b"".join(pieces).count(b"BEGIN:VEVENT") == 6 * 31


def _expansion() -> str:
    return (
        f"<C:calendar-query {NAMESPACES}><D:prop>{EXPANDED}</D:prop>"
        f'<C:filter><C:comp-filter name="VCALENDAR">{RANGE}</C:comp-filter></C:filter></C:calendar-query>'
    )


async def test_ordinary_series_are_answered_however_many(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """Occurrences that are answered are not what a request may not have too many of."""
    monkeypatch.setattr(reports, "RequestBudget", lambda: RequestBudget(100))
    for number in range(8):
        await face.put(f"{CALENDAR}n{number}.ics", event(f"n{number}", end="DURATION:PT1H", more="RRULE:FREQ=DAILY"))
    assert set(statuses(await face.query(CALENDAR, RANGE, EXPANDED)).values()) == {(200, "")}


def test_an_allowance_is_spent_by_what_answers_nothing() -> None:
    whole = RequestBudget(10)
    for _ in range(5):
        with whole.for_object() as budget:
            budget.spend(100)
            budget.answered += 100
    with whole.for_object() as budget:
        budget.spend(11)
    with pytest.raises(Refusal), whole.for_object():
        pass
    assert work_budget.REQUEST_PERIODS > DEFAULT_PERIODS


async def test_large_objects_are_fetched_one_by_one_and_all_answered(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However large the texts of a calendar are, only small ones are in memory together."""
    names = [f"{number}.ics" for number in range(12)]
    for number, name in enumerate(names):
        fill = "X-FILL:" + "x" * (queries.LIGHT if number % 2 else 10)
        assert (await face.put(CALENDAR + name, event(f"u{number}", end="DURATION:PT1H", more=fill))).status == 201
    together: list[int] = []
    fetch, fetch_ids = queries.stored.fetch, queries.stored.fetch_ids

    def counted(found: list[CalendarObject]) -> list[CalendarObject]:
        together.append(sum(len(each.data) for each in found))
        return found

    def fetched(*args: Any, **more: Any) -> tuple[list[CalendarObject], Seq]:
        found, seq = fetch(*args, **more)
        return counted(found), seq

    monkeypatch.setattr(queries.stored, "fetch", fetched)
    monkeypatch.setattr(queries.stored, "fetch_ids", lambda *args, **more: counted(fetch_ids(*args, **more)))
    asked = [*names, "none.ics"]
    several = await multiget(face, *asked)
    assert [href.rsplit("/", 1)[-1] for href in several.hrefs()] == asked
    assert several.hrefs()[CALENDAR + "none.ics"] == 404
    assert statuses(several) == dict.fromkeys(names, (200, ""))
    queried = await face.query(CALENDAR, RANGE)
    assert statuses(queried) == dict.fromkeys(names, (200, ""))
    body = f"<D:propfind {NAMESPACES}><D:prop><C:calendar-data/></D:prop></D:propfind>"
    listed = await face.ask("PROPFIND", CALENDAR, body, Depth="1", Prefer="depth-noroot")
    assert {name for name, status in statuses(listed).items() if status[0] == 200} == set(names)
    assert together and max(together) < queries.LIGHT


async def test_free_busy_is_refused_before_it_is_too_much(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 4791 §7.10: more occurrences than one answer is made of are a named refusal, found out with as few rows."""
    monkeypatch.setattr(freebusy, "MOST_BUSY", 20)
    await face.put(f"{CALENDAR}a.ics", event("a", end="DURATION:PT1H", more="RRULE:FREQ=DAILY;COUNT=21"))
    for days, status in ((20, 200), (21, 403)):
        end = f"202601{5 + days:02}T000000Z"
        body = (
            f'<C:free-busy-query {NAMESPACES}><C:time-range start="20260105T000000Z" end="{end}"/></C:free-busy-query>'
        )
        answer = await face.ask("REPORT", CALENDAR, body, Depth="1")
        assert (answer.status, answer.condition if status == 403 else "") == (
            status,
            "max-instances" if status == 403 else "",
        )
