"""Opened once, with the access decided then; every use-case checks it (calendaring.opening, calendaring.access)."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from caldav_server.calendaring import (
    access,
    actors,
    calendars,
    copy_move,
    exporting,
    freebusy,
    importing,
    objects,
    opening,
    queries,
    sync,
)
from caldav_server.calendaring.access import AccessDenied
from caldav_server.calendaring.lens import Detail
from caldav_server.calendaring.opening import OpenCalendar, OpenHome, Slot
from protocol.ical.split import Splitter
from protocol.model import Access, TimeRange
from storage import principals
from testing.builders import event
from testing.face import NAMESPACES, Face

HOME = "/dav/calendars/anna/"
CALENDAR = HOME + "calendar/"
DAY = '<C:time-range start="20260105T000000Z" end="20260106T000000Z"/>'
BUSY = f"<C:free-busy-query {NAMESPACES}>{DAY}</C:free-busy-query>"
SYNC = f"<D:sync-collection {NAMESPACES}><D:sync-token/><D:sync-level>1</D:sync-level><D:prop/></D:sync-collection>"
QUERY = (
    f"<C:calendar-query {NAMESPACES}><D:prop><D:getetag/></D:prop>"
    '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
)
MULTIGET = (
    f"<C:calendar-multiget {NAMESPACES}><D:prop><D:getetag/></D:prop>"
    f"<D:href>{CALENDAR}a.ics</D:href></C:calendar-multiget>"
)
ACL = f"<D:acl-principal-prop-set {NAMESPACES}><D:prop/></D:acl-principal-prop-set>"
NAMES = f"<D:propfind {NAMESPACES}><D:prop><D:displayname/><D:getetag/></D:prop></D:propfind>"
EXPAND = f'<D:expand-property {NAMESPACES}><D:property name="owner"/></D:expand-property>'


@pytest.fixture
async def face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Face]:
    """Anna's home, of which ben may read free-busy and nothing else."""
    made = await Face.make(tmp_path, "anna", "ben")
    await made.put(CALENDAR + "a.ics", event("one", end="DURATION:PT1H"))
    monkeypatch.setattr(actors, "delegated_access", lambda *, can_write: Access.READ_FREE_BUSY)
    anna, ben = (made.people[name].principal_id for name in ("anna", "ben"))
    await made.db.write(lambda tx: principals.set_delegates(tx, anna, [(ben, False)]))
    made.people = {name: replace(person) for name, person in made.people.items()}
    yield made
    made.db.close()


@pytest.mark.parametrize("path", [HOME, CALENDAR])
async def test_a_reader_of_free_busy_reaches_that_report(face: Face, path: str) -> None:
    """RFC 4791 §6.1.1: read-free-busy allows the free-busy report, on a calendar and on a home."""
    answer = await face.ask("REPORT", path, BUSY, who="ben", Depth="infinity")
    assert answer.status == 200
    assert "FREEBUSY" in answer.text and "one" not in answer.text


@pytest.mark.parametrize("path", [HOME, CALENDAR])
@pytest.mark.parametrize("body", [SYNC, QUERY, MULTIGET, ACL, EXPAND])
async def test_and_no_other_report(face: Face, path: str, body: str) -> None:
    answer = await face.ask("REPORT", path, body, who="ben", Depth="0")
    assert (answer.status, answer.condition) == (403, "need-privileges")
    assert f"<D:href>{path}</D:href>" in answer.text


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", CALENDAR, {}),
        ("GET", CALENDAR + "a.ics", {}),
        ("HEAD", CALENDAR + "a.ics", {}),
        ("PROPFIND", HOME, {"Depth": "1"}),
        ("PROPFIND", CALENDAR, {"Depth": "0"}),
        ("PROPFIND", CALENDAR + "a.ics", {"Depth": "0"}),
        ("PROPPATCH", CALENDAR, {}),
        ("DELETE", CALENDAR + "a.ics", {}),
        ("DELETE", CALENDAR, {}),
        ("MKCALENDAR", HOME + "new/", {}),
        ("COPY", CALENDAR + "a.ics", {"Destination": "/dav/calendars/ben/calendar/a.ics"}),
        ("MOVE", CALENDAR, {"Destination": HOME + "other/"}),
        ("PUT", CALENDAR + "b.ics", {"Content_Type": "text/calendar"}),
    ],
)
async def test_and_no_other_method(face: Face, method: str, path: str, headers: dict[str, str]) -> None:
    body: str | bytes = NAMES if method == "PROPFIND" else ""
    if method == "PROPPATCH":
        change = "<D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set>"
        body = f"<D:propertyupdate {NAMESPACES}>{change}</D:propertyupdate>"
    if method == "PUT":
        body = event("two")
    answer = await face.ask(method, path, body, who="ben", **headers)
    assert (answer.status, answer.condition) == (403, "need-privileges")
    assert "one" not in answer.text


async def test_a_name_that_is_missing_looks_like_one_that_is_there(face: Face) -> None:
    there = await face.ask("GET", CALENDAR + "a.ics", who="ben")
    missing = await face.ask("GET", CALENDAR + "b.ics", who="ben")
    assert there.status == missing.status and there.text.replace("a.ics", "b.ics") == missing.text


async def test_a_lens_follows_access(face: Face) -> None:
    assert (await face.open(who="anna")).lens.detail is Detail.WHOLE
    ben = face.context("ben")
    ben = replace(ben, actor=await actors.Actors(face.db).find(face.people["ben"]))
    opened = await opening.calendar(ben, "anna", "calendar", Access.READ_FREE_BUSY)
    assert opened.lens.detail is Detail.BUSY
    with pytest.raises(AccessDenied) as denied:
        await opening.calendar(ben, "anna", "calendar")
    assert denied.value.missing == (Access.READ,)


NOTHING = Access.NONE
USES: dict[Callable[..., Any], Callable[[OpenCalendar, OpenHome], tuple[Any, ...]]] = {
    calendars.counts: lambda _c, home: (home,),
    calendars.create: lambda _c, home: (home, "x", calendars.PropertyChanges()),
    calendars.update: lambda c, _h: (c, calendars.PropertyChanges()),
    calendars.update_dead: lambda c, _h: (c, b"x", calendars.PropertyChanges()),
    calendars.remove: lambda c, _h: (c,),
    objects.remove: lambda c, _h: (Slot(c, "a.ics"),),
    objects.find: lambda c, _h: (Slot(c, "a.ics"),),
    queries.select: lambda c, _h: (c, None),
    queries.in_batches: lambda c, _h: (c, [], None),
    queries.with_names: lambda c, _h: (c, [], None),
    queries.with_name: lambda c, _h: (c, "a.ics", None),
    queries.metas: lambda c, _h: (c, []),
    queries.listing: lambda c, _h: (c,),
    sync.changes_of_calendar: lambda c, _h: (c, "", 1),
    sync.changes_of_home: lambda _c, home: (home, "", 1),
    freebusy.free_busy: lambda c, _h: ([c], TimeRange(0, 1), None),
    exporting.export_calendar: lambda c, _h: (c,),
    importing.import_calendar: lambda c, _h: (c, Splitter(b"")),
}
MORE: dict[Callable[..., Any], dict[str, Any]] = {objects.remove: {"precondition": lambda _meta: None}}


@pytest.mark.parametrize("use_case", USES, ids=lambda each: f"{each.__module__.rsplit('.')[-1]}.{each.__name__}")
async def test_every_use_case_checks_what_it_was_given(face: Face, use_case: Callable[..., Any]) -> None:
    """No use-case trusts its caller: without the access it refuses, whatever face it was called by."""
    ctx, opened = face.context(), replace(await face.open(), access=NOTHING)
    home = OpenHome(opened.owner, NOTHING)
    with pytest.raises(AccessDenied):
        made = use_case(ctx, *USES[use_case](opened, home), **MORE.get(use_case, {}))
        if inspect.isasyncgen(made):
            await anext(made)
        else:
            await made


async def test_writing_and_copying_check_both_ends(face: Face) -> None:
    ctx, opened = face.context(), await face.open()
    reader = replace(opened, access=Access.READ)
    put = {"precondition": lambda _meta: None, "strict": False}
    with pytest.raises(AccessDenied) as denied:
        await objects.put(ctx, Slot(reader, "new.ics"), event("two"), **put)
    assert denied.value.missing == (Access.BIND,) and denied.value.name == "new.ics"
    ends = {"overwrite": True, "precondition": lambda _meta: None}
    with pytest.raises(AccessDenied):
        await copy_move.copy_object(ctx, Slot(reader, "a.ics"), Slot(opened, "b.ics"), move=True, **ends)
    with pytest.raises(AccessDenied):
        await copy_move.copy_object(ctx, Slot(opened, "a.ics"), Slot(reader, "b.ics"), move=False, **ends)
    goal = calendars.Destination(OpenHome(opened.owner, Access.READ), "new")
    with pytest.raises(AccessDenied):
        await copy_move.copy_calendar(ctx, opened, goal, overwrite=True, with_members=True)
    with pytest.raises(AccessDenied):
        await calendars.move(ctx, opened, goal, overwrite=True)


def test_every_level_holds_what_is_below_it() -> None:
    """Access levels as the privileges of RFC 3744 and RFC 4791 nest, and room for those of RFC 6638."""
    assert Access.READ_FREE_BUSY in Access.READ_TITLES and Access.READ_TITLES in Access.READ
    assert all(each in Access.OWN for each in Access)
    with pytest.raises(AccessDenied) as denied:
        access.require(OpenHome(None, Access.READ_FREE_BUSY), Access.READ | Access.BIND)  # type: ignore[arg-type]
    assert denied.value.missing == (Access.READ, Access.BIND)


@pytest.mark.parametrize("needed", [Access.SHARE, Access.UNLOCK, Access.SCHEDULE_DELIVER, Access.WRITE])
def test_whatever_is_missing_has_a_name(needed: Access) -> None:
    with pytest.raises(AccessDenied) as denied:
        access.require(OpenHome(None, Access.READ), needed)  # type: ignore[arg-type]
    assert denied.value.missing == (needed,)
    assert str(needed.name).lower().replace("_", "-") in denied.value.message


async def test_a_report_is_refused_with_what_it_needs(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    await face.add("carl")
    for body, privilege in ((QUERY, "<D:read/>"), (BUSY, "<C:read-free-busy/>")):
        answer = await face.ask("REPORT", CALENDAR, body, who="carl", Depth="1")
        assert answer.condition == "need-privileges" and privilege in answer.text
