"""Pruning as operators and clients see it: what goes when, the report, the end of sync tokens (RFC 6578 §3.2)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from caldav_server.calendaring import pruning
from caldav_server.settings import RetentionSettings, Settings
from protocol.model import DAY
from storage.database import Database
from storage.pruning import Sizes
from testing.builders import event
from testing.face import Face

HOME = "/dav/calendars/anna/"
CALENDAR = HOME + "calendar/"
KEEP = RetentionSettings(previous_texts_days=10, removed_calendars_days=20, tombstones_days=30)


@pytest.fixture
async def face(url: str) -> AsyncIterator[Face]:
    db = Database.open(url, allow_unsafe=True)
    db.migrate()
    made = Face(db, replace(Settings(), retention=KEEP))
    await made.add("anna")
    yield made
    db.close()


async def prune(face: Face, now: int) -> pruning.Report:
    return await pruning.prune_all(face.db, face.settings, now, lambda _: None)


class Span:
    """The seconds in which something happened."""

    def __init__(self) -> None:
        self.first = self.last = int(time.time())

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *_: object) -> None:
        self.last = int(time.time())


async def test_previous_texts_go_after_their_days_and_no_earlier(face: Face) -> None:
    await face.put(CALENDAR + "a.ics", event("one", summary="first"))
    with Span() as span:
        await face.put(CALENDAR + "a.ics", event("one", summary="second"))
    young = await prune(face, span.first + 10 * DAY - 1)
    assert young.before == young.after
    assert young.before.versions == 1 and young.before.versions_octets == len(event("one", summary="first"))
    old = await prune(face, span.last + 10 * DAY)
    assert (old.before.versions, old.after.versions) == (1, 0)
    assert "second" in (await face.ask("GET", CALENDAR + "a.ics")).text
    assert await face.db.point(pruning.last_report) == old


async def test_tokens_from_before_a_pruned_tombstone_are_refused_and_later_ones_go_on(face: Face) -> None:
    for name in ("a", "b"):
        await face.put(f"{CALENDAR}{name}.ics", event(name))
    before = (await face.sync(CALENDAR)).token()
    with Span() as span:
        await face.ask("DELETE", CALENDAR + "a.ics")
    after = (await face.sync(CALENDAR, before)).token()
    await face.put(CALENDAR + "c.ics", event("c"))

    await prune(face, span.first + 30 * DAY - 1)
    assert (await face.sync(CALENDAR, before)).hrefs() == {CALENDAR + "a.ics": 404, CALENDAR + "c.ics": 200}
    report = await prune(face, span.last + 30 * DAY)
    assert (report.before.tombstones, report.after.tombstones) == (1, 0)
    face.face = face.fresh()  # the complete answer from above may be given again for as long as it is remembered
    refused = await face.sync(CALENDAR, before)
    assert (refused.status, refused.condition) == (403, "valid-sync-token")
    assert (await face.sync(CALENDAR, after)).hrefs() == {CALENDAR + "c.ics": 200}
    again = await face.sync(CALENDAR)
    assert again.hrefs() == {CALENDAR + "b.ics": 200, CALENDAR + "c.ics": 200}
    assert (await face.sync(CALENDAR, again.token())).hrefs() == {}


async def test_a_first_synchronisation_in_pages_is_not_refused_after_pruning(face: Face) -> None:
    """Its token is older than the pruned tombstone, which it would not have been told of anyway."""
    for n in range(4):
        await face.put(f"{CALENDAR}{n}.ics", event(str(n)))
    with Span() as span:
        await face.put(CALENDAR + "x.ics", event("x"))
        await face.ask("DELETE", CALENDAR + "x.ics")
    await prune(face, span.last + 30 * DAY)
    seen: dict[str, int] = {}
    page = await face.sync(CALENDAR, limit=2)
    while True:
        assert page.status == 207, page.text
        seen |= {href: status for href, status in page.hrefs().items() if href != CALENDAR}
        if CALENDAR not in page.hrefs():
            break
        page = await face.sync(CALENDAR, page.token(), limit=2)
    assert seen == {f"{CALENDAR}{n}.ics": 200 for n in range(4)}


async def test_a_removed_calendar_loses_its_objects_first_and_its_name_later(face: Face) -> None:
    await face.ask("MKCALENDAR", HOME + "work/")
    await face.put(HOME + "work/a.ics", event("a"))
    before = (await face.sync(HOME)).token()
    with Span() as span:
        await face.ask("DELETE", HOME + "work/")
    after = (await face.sync(HOME, before)).token()

    assert (await prune(face, span.first + 20 * DAY - 1)).after.removed_calendars == 1
    emptied = await prune(face, span.last + 20 * DAY)
    assert (emptied.before.removed_calendars, emptied.after.removed_calendars) == (1, 0)
    assert (await face.sync(HOME, before)).hrefs() == {HOME + "work/": 404}
    await prune(face, span.first + 30 * DAY - 1)
    assert (await face.sync(HOME, before)).hrefs() == {HOME + "work/": 404}
    await prune(face, span.last + 30 * DAY)
    refused = await face.sync(HOME, before)
    assert (refused.status, refused.condition) == (403, "valid-sync-token")
    assert (await face.sync(HOME, after)).hrefs() == {}
    assert (await face.ask("MKCALENDAR", HOME + "work/")).status == 201
    assert (await face.sync(HOME, after)).hrefs() == {HOME + "work/": 200}


async def test_zero_days_keep_everything(face: Face) -> None:
    face.settings = replace(face.settings, retention=RetentionSettings(0, 0, 0))
    await face.put(CALENDAR + "a.ics", event("one"))
    await face.ask("DELETE", CALENDAR + "a.ics")
    await face.ask("MKCALENDAR", HOME + "work/")
    await face.put(HOME + "work/a.ics", event("a"))
    await face.ask("DELETE", HOME + "work/")
    report = await prune(face, int(time.time()) + 100_000 * DAY)
    assert report.before == report.after
    assert (report.after.versions, report.after.tombstones, report.after.removed_calendars) == (1, 1, 1)


async def test_the_report_is_the_sum_over_all_principals(face: Face) -> None:
    await face.add("bert")
    for name in ("anna", "bert"):
        for summary in ("first", "second", "third"):
            await face.put(f"/dav/calendars/{name}/calendar/a.ics", event("one", summary=summary), who=name)
    report = await prune(face, int(time.time()) + 100 * DAY)
    assert (report.before.versions, report.after) == (4, Sizes())
    assert pruning.Report.parse(report.text()) == report
    assert pruning.Report.parse("") == pruning.Report()
