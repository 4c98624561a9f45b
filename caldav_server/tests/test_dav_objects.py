"""PUT, GET, DELETE, COPY, MOVE and POST through the face (RFC 4791 §5.3.2, RFC 4918 §9, RFC 5995)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from protocol.model import PrincipalKind
from storage import objects, principals
from testing.builders import event
from testing.face import Face
from testing.samples import versions_of

HOME = "/dav/calendars/anna/"
CALENDAR = HOME + "calendar/"


@pytest.fixture
async def face(tmp_path: Path) -> AsyncIterator[Face]:
    made = await Face.make(tmp_path, "anna", "ben")
    yield made
    made.db.close()


async def test_bytes_come_back_as_they_were_sent(face: Face) -> None:
    text = event("one", more="\n".join(("X-ODD;VALUE=URI:geo:48.2,16.3", "DESCRIPTION:a\\, b\\n" + "x" * 200)))
    put = await face.put(CALENDAR + "a%20b%40%2F.ics", text)
    got = await face.ask("GET", CALENDAR + "a b@%2f.ics")
    assert (put.status, got.status, got.body) == (201, 200, text)
    assert put.headers["ETag"] == got.headers["ETag"]


async def test_preconditions(face: Face) -> None:
    first = await face.put(CALENDAR + "a.ics", event("one"), If_None_Match="*")
    assert (await face.put(CALENDAR + "a.ics", event("one", summary="x"), If_None_Match="*")).status == 412
    assert (await face.put(CALENDAR + "a.ics", event("one", summary="y"), If_Match='"other"')).status == 412
    changed = await face.put(CALENDAR + "a.ics", event("one", summary="z"), If_Match=first.headers["ETag"])
    assert changed.status == 204
    assert (await face.ask("DELETE", CALENDAR + "a.ics", If_Match=first.headers["ETag"])).status == 412
    assert (await face.ask("DELETE", CALENDAR + "a.ics", If_Match=changed.headers["ETag"])).status == 204
    assert (await face.ask("GET", CALENDAR + "a.ics")).status == 404


async def test_the_same_put_again_succeeds_and_changes_nothing(face: Face) -> None:
    first = await face.put(CALENDAR + "a.ics", event("one"), If_None_Match="*")
    before = (await face.sync(CALENDAR)).token()
    assert (await face.put(CALENDAR + "a.ics", event("one"), If_None_Match="*")).status == 412
    again = await face.put(CALENDAR + "a.ics", event("one"), If_Match='"before"')
    assert (again.status, again.headers["ETag"]) == (204, first.headers["ETag"])
    assert (await face.sync(CALENDAR)).token() == before


async def test_a_second_name_for_a_uid_is_refused_with_the_first(face: Face) -> None:
    await face.put(CALENDAR + "a.ics", event("one"))
    refused = await face.put(CALENDAR + "b.ics", event("one"))
    assert (refused.status, refused.condition) == (403, "no-uid-conflict")
    assert f"<D:href>{CALENDAR}a.ics</D:href>" in refused.text


@pytest.mark.parametrize(
    ("path", "status"),
    [(HOME + "missing/a.ics", 409), (HOME + "inbox/a.ics", 405), ("/dav/calendars/nobody/calendar/a.ics", 409)],
)
async def test_a_put_needs_a_calendar(face: Face, path: str, status: int) -> None:
    assert (await face.put(path, event("one"))).status == status


async def test_a_repair_of_the_text_is_reported_and_gives_no_etag(face: Face) -> None:
    text = event("one").replace(b"PRODID", b"METHOD:PUBLISH\r\nPRODID")
    put = await face.put(CALENDAR + "a.ics", text)
    assert (put.status, "ETag" in put.headers) == (201, False)
    assert "method" in put.headers["X-Calendar-Repairs"]
    strict = await face.put(CALENDAR + "b.ics", text.replace(b"one", b"two"), Prefer="handling=strict")
    assert (strict.status, strict.condition) == (403, "valid-calendar-object-resource")


async def test_return_representation(face: Face) -> None:
    put = await face.put(CALENDAR + "a.ics", event("one"), Prefer="return=representation")
    assert (put.status, put.body) == (201, event("one"))
    assert "return=representation" in put.headers["Preference-Applied"]


async def test_previous_texts_are_kept(face: Face) -> None:
    await face.put(CALENDAR + "a.ics", event("one"))
    await face.put(CALENDAR + "a.ics", event("one", summary="second"))
    await face.ask("DELETE", CALENDAR + "a.ics")
    owner = face.people["anna"].principal_id

    def kept(tx: object) -> list[bytes]:
        from storage import calendars

        calendar = calendars.find(tx, owner, "calendar")  # type: ignore[arg-type]
        assert calendar is not None
        row = next(each for each in _rows(tx, owner, calendar.calendar_id))
        return [each[-1] for each in versions_of(tx, owner, calendar.calendar_id, row)]  # type: ignore[arg-type]

    texts = await face.db.read(kept)
    assert [b"second" in each for each in texts] == [True, False]


def _rows(tx: object, owner: bytes, calendar: bytes) -> list[bytes]:
    from sqlalchemy import bindparam, select

    from storage.database import Statement
    from storage.tables import versions as table

    statement = Statement(
        select(table.c.object_id).where(
            table.c.principal_id == bindparam("pid"), table.c.calendar_id == bindparam("cid")
        )
    )
    return [row[0] for row in tx.fetch_all(statement, pid=owner, cid=calendar)]  # type: ignore[attr-defined]


async def test_move_is_one_change_in_each_calendar(face: Face) -> None:
    await face.ask("MKCALENDAR", HOME + "work/")
    await face.put(CALENDAR + "a.ics", event("one"))
    here, there = (await face.sync(CALENDAR)).token(), (await face.sync(HOME + "work/")).token()
    moved = await face.ask("MOVE", CALENDAR + "a.ics", Destination=f"http://calendar.example{HOME}work/b.ics")
    assert moved.status == 201
    assert (await face.sync(CALENDAR, here)).hrefs() == {CALENDAR + "a.ics": 404}
    assert (await face.sync(HOME + "work/", there)).hrefs() == {HOME + "work/b.ics": 200}


async def test_move_inside_a_calendar_keeps_the_uid_unique(face: Face) -> None:
    await face.put(CALENDAR + "a.ics", event("one"))
    token = (await face.sync(CALENDAR)).token()
    assert (await face.ask("MOVE", CALENDAR + "a.ics", Destination=CALENDAR + "b.ics")).status == 201
    assert (await face.sync(CALENDAR, token)).hrefs() == {CALENDAR + "a.ics": 404, CALENDAR + "b.ics": 200}


async def test_move_and_copy_respect_overwrite_and_uids(face: Face) -> None:
    await face.put(CALENDAR + "a.ics", event("one"))
    await face.put(CALENDAR + "b.ics", event("two"))
    kept = await face.ask("MOVE", CALENDAR + "a.ics", Destination=CALENDAR + "b.ics", Overwrite="F")
    assert kept.status == 412
    clash = await face.ask("COPY", CALENDAR + "a.ics", Destination=CALENDAR + "c.ics")
    assert (clash.status, clash.condition) == (403, "no-uid-conflict")
    over = await face.ask("MOVE", CALENDAR + "a.ics", Destination=CALENDAR + "b.ics")
    assert over.status == 204
    assert "UID:one" in (await face.ask("GET", CALENDAR + "b.ics")).text


async def test_move_to_another_home_as_its_delegate(face: Face) -> None:
    anna, ben = face.people["anna"], face.people["ben"]
    await face.put(CALENDAR + "a.ics", event("one"))
    goal = "/dav/calendars/ben/calendar/a.ics"
    assert (await face.ask("MOVE", CALENDAR + "a.ics", Destination=goal)).status == 403
    await face.db.write(lambda tx: principals.set_delegates(tx, ben.principal_id, [(anna.principal_id, True)]))
    face.face = face.fresh()
    assert (await face.ask("MOVE", CALENDAR + "a.ics", Destination=goal)).status == 201
    assert (await face.ask("GET", CALENDAR + "a.ics")).status == 404
    assert (await face.ask("GET", goal)).status == 200


async def test_strangers_delegates_and_groups(face: Face) -> None:
    anna = face.people["anna"]
    refused = await face.ask("PROPFIND", CALENDAR, who="ben", Depth="0")
    assert (refused.status, refused.condition) == (403, "need-privileges")
    crew = await face.add("crew", PrincipalKind.GROUP)
    await face.db.write(lambda tx: principals.set_members(tx, crew.principal_id, [face.people["ben"].principal_id]))
    await face.db.write(lambda tx: principals.set_delegates(tx, anna.principal_id, [(crew.principal_id, False)]))
    face.face = face.fresh()
    assert (await face.ask("PROPFIND", CALENDAR, who="ben", Depth="0")).status == 207
    denied = await face.ask("PUT", CALENDAR + "a.ics", event("one"), who="ben", Content_Type="text/calendar")
    assert (denied.status, denied.condition) == (403, "need-privileges")
    assert "<D:privilege><D:bind/></D:privilege>" in denied.text
    made = await face.ask(
        "PUT", "/dav/calendars/crew/calendar/a.ics", event("one"), who="ben", Content_Type="text/calendar"
    )
    assert made.status == 201


async def test_the_acl_names_whom_a_home_was_opened_to(face: Face) -> None:
    anna, ben = face.people["anna"], face.people["ben"]
    await face.put(CALENDAR + "a.ics", event("one"))
    await face.db.write(lambda tx: principals.set_delegates(tx, anna.principal_id, [(ben.principal_id, True)]))
    asked = '<D:propfind xmlns:D="DAV:"><D:prop><D:acl/></D:prop></D:propfind>'
    for path, depth in ((HOME, "0"), (CALENDAR, "0"), (CALENDAR, "1"), (CALENDAR + "a.ics", "0")):
        text = (await face.ask("PROPFIND", path, asked, Depth=depth)).text
        assert text.count("<D:href>/dav/principals/ben/</D:href>") == text.count(
            "<D:href>/dav/principals/anna/</D:href>"
        )
    assert "/ben/" not in (await face.ask("PROPFIND", "/dav/principals/anna/", asked, Depth="0")).text
    assert (await face.ask("MOVE", CALENDAR + "a.ics", Destination=CALENDAR + "a.ics")).status == 403


async def test_free_busy_without_an_end(face: Face) -> None:
    span = '<C:time-range start="20260101T000000Z"/>'
    ask = f'<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav">{span}</C:free-busy-query>'
    await face.put(CALENDAR + "a.ics", event("one", end="DURATION:PT1H"))
    assert "20260105T100000Z" in (await face.ask("REPORT", CALENDAR, ask)).text
    await face.put(CALENDAR + "b.ics", event("two", end="DURATION:PT1H", more="RRULE:FREQ=DAILY"))
    endless = await face.ask("REPORT", CALENDAR, ask)
    assert (endless.status, endless.condition) == (403, "max-instances")


async def test_add_member_and_the_whole_calendar(face: Face) -> None:
    posted = await face.ask("POST", CALENDAR, event("one"), Content_Type="text/calendar")
    assert (posted.status, posted.headers["Location"].startswith(CALENDAR)) == (201, True)
    zoned = event("two", zone="BEGIN:VTIMEZONE\nTZID:X\nEND:VTIMEZONE")
    await face.put(CALENDAR + "b.ics", zoned)
    await face.put(CALENDAR + "c.ics", zoned.replace(b"UID:two", b"UID:three"))
    whole = await face.ask("GET", CALENDAR)
    assert (whole.text.count("BEGIN:VEVENT"), whole.text.count("TZID:X")) == (3, 1)


async def test_an_object_keeps_its_uid(face: Face) -> None:
    await face.put(CALENDAR + "a.ics", event("one"))
    refused = await face.put(CALENDAR + "a.ics", event("two"))
    assert (refused.status, refused.condition) == (403, "no-uid-conflict")
    assert f"<D:href>{CALENDAR}a.ics</D:href>" in refused.text


async def test_copies_take_dead_properties_along(face: Face) -> None:
    await face.ask("MKCALENDAR", HOME + "work/")
    await face.put(CALENDAR + "a.ics", event("one"))
    dead = '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><y xmlns="urn:x">1</y></D:prop></D:set></D:propertyupdate>'
    await face.ask("PROPPATCH", CALENDAR + "a.ics", dead)
    assert (await face.ask("COPY", CALENDAR + "a.ics", Destination=HOME + "work/b.ics")).status == 201
    asked = '<D:propfind xmlns:D="DAV:"><D:prop><y xmlns="urn:x"/></D:prop></D:propfind>'
    assert ">1</" in (await face.ask("PROPFIND", HOME + "work/b.ics", asked, Depth="0")).text


async def test_a_refused_precondition_can_bring_what_is_there(face: Face) -> None:
    await face.put(CALENDAR + "a.ics", event("one"))
    answer = await face.put(
        CALENDAR + "a.ics", event("one", summary="x"), If_Match='"other"', Prefer="return=representation"
    )
    assert (answer.status, answer.body) == (412, event("one"))


async def test_quota(face: Face, tmp_path: Path) -> None:
    from dataclasses import replace as changed

    face.settings = changed(face.settings, limits=changed(face.settings.limits, home_bytes=1024))
    face.face = face.fresh()
    assert (await face.put(CALENDAR + "a.ics", event("one", more="DESCRIPTION:" + "x" * 500))).status == 201
    full = await face.put(CALENDAR + "b.ics", event("two", more="DESCRIPTION:" + "x" * 500))
    assert (full.status, full.condition) == (507, "quota-not-exceeded")
    assert (await face.ask("DELETE", CALENDAR + "a.ics")).status == 204
    assert (await face.put(CALENDAR + "b.ics", event("two", more="DESCRIPTION:" + "x" * 500))).status == 201


async def test_the_default_calendar_comes_back_empty(face: Face) -> None:
    await face.put(CALENDAR + "a.ics", event("one"))
    assert (await face.ask("DELETE", CALENDAR)).status == 204
    assert (await face.ask("PROPFIND", HOME, Depth="1")).hrefs()[CALENDAR] == 200
    assert (await face.sync(CALENDAR)).hrefs() == {}
    owner = face.people["anna"].principal_id
    assert await face.db.read(lambda tx: objects.find_meta(tx, owner, owner, "a.ics")) is None  # type: ignore[arg-type]


async def test_a_part_of_an_object_is_not_taken_for_the_whole(face: Face) -> None:
    """RFC 9110 §14.5."""
    await face.put(CALENDAR + "a.ics", event("a"))
    answer = await face.put(CALENDAR + "a.ics", event("a", summary="half"), Content_Range="bytes 0-99/500")
    assert answer.status == 400
    assert "half" not in (await face.ask("GET", CALENDAR + "a.ics")).text


async def test_an_object_that_changes_while_the_calendar_is_read_is_in_it_once(face: Face) -> None:
    count = 201  # more than is read at a time
    for number in range(count):
        await face.put(f"{CALENDAR}{number}.ics", event(f"uid-{number}"))
    response = await face.send("GET", CALENDAR)
    assert not isinstance(response.body, bytes)
    text = b""
    async for chunk in response.body:
        text += chunk
        if text.count(b"UID:") == 200:
            await face.put(CALENDAR + "0.ics", event("uid-0", summary="changed"))
    uids = re.findall(rb"UID:(\S+)", text)
    assert len(uids) == len(set(uids)) == count
