"""The one write path: a change, its number, its index and what is owed for it are one (calendaring.changes)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from caldav_server.calendaring.changes import (
    Applied,
    Conflict,
    Owed,
    Remove,
    Save,
    apply,
    apply_all,
    remove_alone,
    write,
)
from caldav_server.calendaring.context import Context
from caldav_server.calendaring.drafts import draft
from caldav_server.calendaring.objects import remove
from caldav_server.calendaring.opening import Slot
from protocol.errors import Condition, Refusal
from protocol.model import CalendarKind, PrincipalId, Seq
from storage import changes as stored_changes
from storage import jobs, objects, occurrences
from storage.database import Batch, Database, Transaction
from storage.errors import Duplicate
from testing.builders import event
from testing.face import Face

OWED = Owed(PrincipalId(b"ben".ljust(16)), "deliver", "one@1", {"uid": "one"})


@pytest.fixture
async def face(url: str) -> AsyncIterator[Face]:
    db = Database.open(url, allow_unsafe=True)
    db.migrate()
    made = Face(db)
    await made.add("anna")
    await made.ask("PROPFIND", "/dav/calendars/anna/", Depth="0")
    yield made
    db.close()


def save(ctx: Context, name: str, text: bytes, existing: Any = None, **more: Any) -> Save:
    return Save(name, draft(ctx.rules, ctx.now, text, strict=False, **more), existing)


async def test_what_is_owed_is_queued_with_the_change_or_not_at_all(face: Face) -> None:
    calendar = (await face.open()).calendar
    woken: list[bool] = []
    told: list[Seq] = []
    ctx = replace(face.context(), wake_jobs=lambda: woken.append(True), announce=lambda _p, _c, seq: told.append(seq))

    def work(tx: Transaction) -> tuple[None, list[Applied]]:
        return None, [apply(tx, ctx, calendar, [save(ctx, "a.ics", event("one"))], owed=[OWED])]

    await write(ctx, work)
    found = await face.db.read(jobs.list_all)
    assert [(each.kind, each.key, each.payload) for each in found] == [("deliver", "one@1", {"uid": "one"})]
    assert woken == [True] and told == [Seq(1)]

    def failing(tx: Transaction) -> tuple[None, list[Applied]]:
        apply(tx, ctx, calendar, [save(ctx, "b.ics", event("two"))], owed=[replace(OWED, key="two@2")])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await write(ctx, failing)
    assert len(await face.db.read(jobs.list_all)) == 1
    assert woken == [True] and told == [Seq(1)], "nothing is said of what did not happen"


async def test_changes_are_numbered_in_their_order(face: Face) -> None:
    ctx, calendar = face.context(), (await face.open()).calendar
    place = (calendar.principal_id, calendar.calendar_id)
    await face.db.write(lambda tx: apply(tx, ctx, calendar, [save(ctx, "a.ics", event("a", end="DURATION:PT1H"))]))
    a = await face.db.read(lambda tx: objects.find_meta(tx, *place, "a.ics"))
    assert a is not None
    many = [save(ctx, f"n{n}.ics", event(f"n{n}", end="DURATION:PT1H")) for n in range(3)]
    applied = await face.db.write(
        lambda tx: apply(tx, ctx, calendar, [many[0], Remove(a), *many[1:], save(ctx, "a2.ics", event("a"))])
    )
    assert applied.seq == 6
    rows = await face.db.read(lambda tx: stored_changes.rows(tx, *place, 1))
    assert [(row[0], row[1], row[2] is None) for row in rows] == [
        ("n0.ics", 2, False),
        ("a.ics", 3, True),
        ("n1.ics", 4, False),
        ("n2.ics", 5, False),
        ("a2.ics", 6, False),
    ]
    assert await face.db.read(lambda tx: occurrences.of_object(tx, *place, a.object_id)) == []


async def test_somebody_who_was_faster_is_a_conflict_and_nothing_happens(face: Face) -> None:
    ctx, calendar = face.context(), (await face.open()).calendar
    place = (calendar.principal_id, calendar.calendar_id)
    await face.db.write(lambda tx: apply(tx, ctx, calendar, [save(ctx, "a.ics", event("a"))]))
    old = await face.db.read(lambda tx: objects.find_meta(tx, *place, "a.ics"))
    assert old is not None
    newer = save(ctx, "a.ics", event("a", summary="newer"), old)
    await face.db.write(lambda tx: apply(tx, ctx, calendar, [newer]))
    for change in (Remove(old), newer, save(ctx, "a.ics", event("b"))):
        with pytest.raises(Conflict):
            await face.db.write(lambda tx, change=change: apply(tx, ctx, calendar, [change]))
    with pytest.raises(Duplicate):
        await face.db.write(lambda tx: apply(tx, ctx, calendar, [save(ctx, "z.ics", event("a"))]))
    assert (await face.open()).calendar.seq == 2


async def test_several_calendars_change_together(face: Face) -> None:
    await face.ask("MKCALENDAR", "/dav/calendars/anna/other/")
    ctx = face.context()
    first, second = (await face.open()).calendar, (await face.open("other")).calendar
    both = [(first, [save(ctx, "a.ics", event("a"))]), (second, [save(ctx, "b.ics", event("b"))])]
    for turn in (both, both[::-1]):
        with pytest.raises(ZeroDivisionError):

            def failing(tx: Transaction, turn: Any = turn) -> None:
                apply_all(tx, ctx, turn)
                raise ZeroDivisionError

            await face.db.write(failing)
    assert {(await face.open(name)).calendar.seq for name in ("calendar", "other")} == {0}
    applied = await face.db.write(lambda tx: apply_all(tx, ctx, both))
    assert {each.seq for each in applied} == {1}


async def test_an_inbox_holds_many_messages_of_one_uid_and_keeps_their_method(face: Face) -> None:
    """RFC 6638 §2.2, RFC 5546 §1.4: a request and its update are two messages; a calendar has one object of a UID."""
    ctx = face.context()
    inbox = (await face.open("inbox")).calendar
    assert inbox.kind is CalendarKind.INBOX
    request = event("one").replace(b"VERSION:2.0\r\n", b"VERSION:2.0\r\nMETHOD:REQUEST\r\n")
    for name in ("first.ics", "second.ics"):
        change = save(ctx, name, request, kind=inbox.kind)
        assert change.draft.data == request and not change.draft.altered
        await face.db.write(lambda tx, change=change: apply(tx, ctx, inbox, [change]))
    for name in ("first.ics", "second.ics"):
        assert (await face.ask("GET", f"/dav/calendars/anna/inbox/{name}")).body == request
    put = await face.put("/dav/calendars/anna/calendar/a.ics", request)
    assert put.status == 201 and b"METHOD" not in (await face.ask("GET", "/dav/calendars/anna/calendar/a.ics")).body
    assert (await face.put("/dav/calendars/anna/calendar/b.ics", request)).condition == "no-uid-conflict"


async def test_a_full_home_takes_no_change(face: Face) -> None:
    ctx, calendar = face.context(), (await face.open()).calendar
    ctx = replace(ctx, rules=replace(ctx.rules, quota=type(ctx.rules.quota)(100)))
    with pytest.raises(Refusal) as refused:
        await face.db.write(lambda tx: apply(tx, ctx, calendar, [save(ctx, "a.ics", event("a"))], owed=[OWED]))
    assert refused.value.condition is Condition.QUOTA_NOT_EXCEEDED
    assert await face.db.read(jobs.list_all) == []


async def test_a_removal_queues_what_is_owed_too(face: Face) -> None:
    ctx, calendar = face.context(), (await face.open()).calendar
    place = (calendar.principal_id, calendar.calendar_id)
    await face.db.write(lambda tx: apply(tx, ctx, calendar, [save(ctx, "a.ics", event("a"))]))
    meta = await face.db.read(lambda tx: objects.find_meta(tx, *place, "a.ics"))
    assert meta is not None
    woken: list[bool] = []
    ctx = replace(ctx, wake_jobs=lambda: woken.append(True))
    await write(ctx, Batch(lambda tx: (None, [remove_alone(tx, ctx, calendar, meta, owed=[OWED])])))
    assert len(await face.db.read(jobs.list_all)) == 1 and woken == [True]


async def test_an_object_of_a_calendar_that_is_gone_cannot_be_removed(face: Face) -> None:
    """The calendar goes between the look-up and the write: there is nothing left to remove, and nothing changes."""
    await face.ask("MKCALENDAR", "/dav/calendars/anna/other/")
    await face.put("/dav/calendars/anna/other/a.ics", event("a"))
    opened = await face.open("other")
    meta = await face.db.read(
        lambda tx: objects.find_meta(tx, opened.calendar.principal_id, opened.calendar.calendar_id, "a.ics")
    )
    assert (await face.ask("DELETE", "/dav/calendars/anna/other/")).status == 204
    with pytest.raises(Refusal) as refused:
        await remove(face.context(), Slot(opened, "a.ics", meta), precondition=lambda _meta: None)
    assert refused.value.condition is Condition.NOT_FOUND
