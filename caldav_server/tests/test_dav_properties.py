"""PROPFIND, PROPPATCH, MKCALENDAR and MKCOL through the face (RFC 4918 §9.1-9.3, RFC 5689, RFC 4791 §5.3.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from caldav_server.dav.properties import PROPERTIES
from protocol.model import PrincipalId
from storage import calendars
from storage.database import Transaction
from testing.builders import component, event, timezone_text
from testing.face import NAMESPACES, Face

HOME = "/dav/calendars/anna/"
CALENDAR = HOME + "calendar/"


@pytest.fixture
async def face(tmp_path: Path) -> AsyncIterator[Face]:
    made = await Face.make(tmp_path)
    yield made
    made.db.close()


def propfind(inner: str) -> str:
    return f"<D:propfind {NAMESPACES}>{inner}</D:propfind>"


def update(inner: str) -> str:
    return f"<D:propertyupdate {NAMESPACES}>{inner}</D:propertyupdate>"


def setting(inner: str) -> str:
    return f"<D:set><D:prop>{inner}</D:prop></D:set>"


async def test_every_property_can_be_asked_of_every_resource(face: Face) -> None:
    await face.put(CALENDAR + "a.ics", event("one"))
    names = "".join(f'<X:{n.rpartition("}")[2]} xmlns:X="{n[1:].partition("}")[0]}"/>' for n in PROPERTIES)
    for path in (
        "/",
        "/dav/principals/",
        "/dav/principals/anna/",
        "/dav/calendars/",
        HOME,
        CALENDAR,
        CALENDAR + "a.ics",
    ):
        for body in (propfind(f"<D:prop>{names}</D:prop>"), propfind("<D:allprop/>"), propfind("<D:propname/>")):
            for depth in ("0", "1"):
                answer = await face.ask("PROPFIND", path, body, Depth=depth)
                assert answer.status == 207, (path, body, answer.text)
                answer.hrefs()


async def test_what_a_client_sets_it_reads_back_as_it_wrote_it(face: Face) -> None:
    color = '<A:calendar-color symbolic-color="custom">#11223344</A:calendar-color>'
    name = '<D:displayname xml:lang="de">Büro &amp; mehr</D:displayname>'
    dead = '<x:y xmlns:x="urn:x" a="1">t<x:z/></x:y>'
    done = await face.ask("PROPPATCH", CALENDAR, update(setting(color + name + dead)))
    assert done.text.count("HTTP/1.1 200") == 1
    asked = propfind('<D:prop><D:displayname/><A:calendar-color/><y xmlns="urn:x"/></D:prop>')
    text = (await face.ask("PROPFIND", CALENDAR, asked, Depth="0")).text
    assert 'symbolic-color="custom">#11223344<' in text
    assert 'xml:lang="de">Büro &amp; mehr<' in text
    assert 'a="1">t<' in text
    removed = await face.ask("PROPPATCH", CALENDAR, update("<D:remove><D:prop><D:displayname/></D:prop></D:remove>"))
    assert removed.status == 207
    assert "<D:displayname/>" in (await face.ask("PROPFIND", CALENDAR, asked, Depth="0")).text


@pytest.mark.parametrize("path", [CALENDAR + "a.ics", "/dav/principals/anna/", HOME])
async def test_dead_properties_live_on_every_resource_of_ones_own(face: Face, path: str) -> None:
    await face.put(CALENDAR + "a.ics", event("one"))
    await face.ask("PROPPATCH", path, update(setting('<y xmlns="urn:x">1</y>')))
    for depth in ("0", "1"):
        text = (await face.ask("PROPFIND", path, propfind('<D:prop><y xmlns="urn:x"/></D:prop>'), Depth=depth)).text
        assert ">1</" in text
    parent = await face.ask("PROPFIND", CALENDAR, propfind('<D:prop><y xmlns="urn:x"/></D:prop>'), Depth="1")
    assert (">1</" in parent.text) is path.endswith(".ics")


async def test_all_or_nothing(face: Face) -> None:
    body = update(setting("<D:displayname>new</D:displayname>") + setting("<D:getetag>x</D:getetag>"))
    answer = await face.ask("PROPPATCH", CALENDAR, body)
    assert "424" in answer.text and "cannot-modify-protected-property" in answer.text
    named = await face.ask("PROPFIND", CALENDAR, propfind("<D:prop><D:displayname/></D:prop>"), Depth="0")
    assert ">Calendar<" in named.text


async def test_minimal_and_brief(face: Face) -> None:
    asked = propfind("<D:prop><D:displayname/><D:nope/></D:prop>")
    full = await face.ask("PROPFIND", CALENDAR, asked, Depth="0")
    assert "404" in full.text
    for header in ({"Prefer": "return=minimal"}, {"Brief": "t"}):
        answer = await face.ask("PROPFIND", CALENDAR, asked, Depth="0", **header)
        assert "404" not in answer.text and ">Calendar<" in answer.text
    rootless = await face.ask("PROPFIND", HOME, asked, Depth="1", Prefer="depth-noroot")
    assert HOME not in rootless.hrefs()


async def test_a_calendar_is_made_whole_or_not_at_all(face: Face) -> None:
    good = setting(
        "<D:displayname>W</D:displayname>"
        '<C:supported-calendar-component-set><C:comp name="VTODO"/></C:supported-calendar-component-set>'
    )
    assert (
        await face.ask("MKCALENDAR", HOME + "w/", f"<C:mkcalendar {NAMESPACES}>{good}</C:mkcalendar>")
    ).status == 201
    refused = await face.put(HOME + "w/a.ics", event("one"))
    assert (refused.status, refused.condition) == (403, "supported-calendar-component")
    again = await face.ask("MKCALENDAR", HOME + "w/")
    assert (again.status, again.condition) == (403, "resource-must-be-null")
    bad = setting("<D:displayname>W</D:displayname><C:calendar-timezone>nonsense</C:calendar-timezone>")
    answer = await face.ask("MKCALENDAR", HOME + "x/", f"<C:mkcalendar {NAMESPACES}>{bad}</C:mkcalendar>")
    assert answer.status == 403 and "valid-calendar" in answer.text and "424" in answer.text
    assert (await face.ask("PROPFIND", HOME + "x/", Depth="0")).status == 404


async def test_extended_mkcol(face: Face) -> None:
    types = "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>"
    body = f"<D:mkcol {NAMESPACES}>{setting(types + '<D:displayname>m</D:displayname>')}</D:mkcol>"
    assert (await face.ask("MKCOL", HOME + "m/", body, Content_Type="application/xml")).status == 201
    assert (await face.ask("MKCOL", HOME + "m/")).status == 405
    book = body.replace("<C:calendar/>", '<X:addressbook xmlns:X="urn:ietf:params:xml:ns:carddav"/>')
    refused = await face.ask("MKCOL", HOME + "n/", book, Content_Type="application/xml")
    assert refused.status == 403 and "valid-resourcetype" in refused.text


async def test_calendars_are_copied_and_moved_with_what_they_hold(face: Face) -> None:
    await face.put(CALENDAR + "a.ics", event("one", more="RRULE:FREQ=DAILY;COUNT=3"))
    await face.ask("PROPPATCH", CALENDAR, update(setting("<D:displayname>first</D:displayname>")))
    assert (await face.ask("COPY", CALENDAR, Destination=HOME + "copy/")).status == 201
    assert (await face.ask("MOVE", HOME + "copy/", Destination=HOME + "moved/")).status == 201
    day = '<C:comp-filter name="VEVENT"><C:time-range start="20260106T000000Z" end="20260107T000000Z"/></C:comp-filter>'
    found = await face.query(HOME + "moved/", day)
    assert found.hrefs() == {HOME + "moved/a.ics": 200}
    assert (await face.ask("PROPFIND", HOME + "copy/", Depth="0")).status == 404
    named = await face.ask("PROPFIND", HOME + "moved/", propfind("<D:prop><D:displayname/></D:prop>"), Depth="0")
    assert ">first<" in named.text


async def test_what_one_home_and_one_resource_may_hold(face: Face) -> None:
    tight = replace(face.settings.limits, calendars_per_home=5, dead_properties=2)
    face.settings = replace(face.settings, limits=tight)
    face.face = face.fresh()
    await face.ask("PROPFIND", HOME, Depth="1")
    assert (await face.ask("MKCALENDAR", HOME + "one/")).status == 201
    full = await face.ask("MKCALENDAR", HOME + "two/")
    assert (full.status, full.condition) == (507, "quota-not-exceeded")
    many = "".join(f'<p{number} xmlns="urn:x"/>' for number in range(3))
    full = await face.ask("PROPPATCH", HOME + "one/", update(setting(many)))
    assert (full.status, full.condition) == (507, "quota-not-exceeded")


async def test_what_is_the_owners_is_asked_once_for_a_home(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listing of many calendars adds the home's size up once (RFC 4331)."""
    asked: list[object] = []
    usage = calendars.usage

    def counted(tx: Transaction, owner: PrincipalId) -> tuple[int, int]:
        asked.append(owner)
        return usage(tx, owner)

    monkeypatch.setattr(calendars, "usage", counted)
    for number in range(5):
        assert (await face.ask("MKCALENDAR", f"{HOME}{number}/")).status == 201
    answer = await face.ask("PROPFIND", HOME, propfind("<D:prop><D:quota-used-bytes/></D:prop>"), Depth="1")
    assert answer.text.count("quota-used-bytes>") >= 12
    assert len(asked) == 1


async def test_infinite_depth_and_unknown_places(face: Face) -> None:
    refused = await face.ask("PROPFIND", HOME, Depth="infinity")
    assert (refused.status, refused.condition) == (403, "propfind-finite-depth")
    assert (await face.ask("PROPFIND", "/dav/calendars/anna/calendar/a/b", Depth="0")).status == 404
    assert (await face.ask("PUT", HOME)).status == 405


async def test_expanding_takes_nothing_away_that_is_no_href_of_ours(face: Face) -> None:
    """RFC 3253 §3.8: responses replace hrefs, and nothing else."""

    def asked(name: str, namespace: str = "DAV:") -> str:
        return f'<D:property name="{name}" namespace="{namespace}"><D:property name="displayname"/></D:property>'

    caldav = "urn:ietf:params:xml:ns:caldav"
    inner = asked("displayname") + asked("calendar-user-address-set", caldav)
    answer = await face.ask(
        "REPORT", "/dav/principals/anna/", f'<D:expand-property xmlns:D="DAV:">{inner}</D:expand-property>'
    )
    assert "<D:displayname>Anna</D:displayname><C:calendar-user-address-set>" in answer.text
    assert "<D:href>mailto:anna@example.com</D:href><D:response>" in answer.text
    body = f'<D:expand-property xmlns:D="DAV:">{asked("acl")}</D:expand-property>'
    assert "<D:privilege>" in (await face.ask("REPORT", CALENDAR, body)).text


@pytest.mark.parametrize(
    "body",
    [
        "<D:principal-match xmlns:D='DAV:'><D:self/></D:principal-match>",
        "<D:principal-search-property-set xmlns:D='DAV:'/>",
        "<D:acl-principal-prop-set xmlns:D='DAV:'><D:prop><D:displayname/></D:prop></D:acl-principal-prop-set>",
    ],
)
async def test_reports_about_principals_are_defined_for_depth_0_alone(face: Face, body: str) -> None:
    """RFC 3744 §9.2, §9.3, §9.5."""
    statuses = [(await face.ask("REPORT", "/dav/principals/anna/", body, Depth=depth)).status for depth in ("0", "1")]
    assert statuses[0] != 400
    assert statuses[1] == 400


_OBSERVANCE = component("STANDARD", "DTSTART:19700101T000000", "TZOFFSETFROM:+0517", "TZOFFSETTO:+0517")
_OWN_ZONE = timezone_text(component("VTIMEZONE", "TZID:My/Own", _OBSERVANCE))


async def test_the_two_time_zone_properties_say_the_same(face: Face) -> None:
    """RFC 7809 §3.1.5: whichever is set, the other follows."""
    both = propfind("<D:prop><C:calendar-timezone/><C:calendar-timezone-id/></D:prop>")
    await face.ask(
        "PROPPATCH", CALENDAR, update(setting("<C:calendar-timezone-id>Europe/Berlin</C:calendar-timezone-id>"))
    )
    text = (await face.ask("PROPFIND", CALENDAR, both, Depth="0")).text
    assert "TZID:Europe/Berlin" in text
    assert "BEGIN:DAYLIGHT" in text
    await face.ask("PROPPATCH", CALENDAR, update(setting(f"<C:calendar-timezone>{_OWN_ZONE}</C:calendar-timezone>")))
    text = (await face.ask("PROPFIND", CALENDAR, both, Depth="0")).text
    assert "TZID:My/Own" in text
    assert "Europe/Berlin" not in text
    await face.ask("PROPPATCH", CALENDAR, update("<D:remove><D:prop><C:calendar-timezone-id/></D:prop></D:remove>"))
    text = (await face.ask("PROPFIND", CALENDAR, both, Depth="0")).text
    assert "200 OK" not in text


async def test_floating_times_are_compared_in_a_zone_of_the_clients_own(face: Face) -> None:
    """RFC 4791 §5.2.2: 10:00 at +05:17 is 04:43 UTC."""
    await face.ask("PROPPATCH", CALENDAR, update(setting(f"<C:calendar-timezone>{_OWN_ZONE}</C:calendar-timezone>")))
    await face.put(CALENDAR + "a.ics", event("a", start="DTSTART:20270105T100000", end="DURATION:PT1H"))

    async def found(start: str, end: str) -> bool:
        window = f'<C:comp-filter name="VEVENT"><C:time-range start="{start}" end="{end}"/></C:comp-filter>'
        return "a.ics" in (await face.query(CALENDAR, window, data="")).text

    assert await found("20270105T044200Z", "20270105T044400Z")
    assert not await found("20270105T044200Z", "20270105T044300Z")
    assert not await found("20270105T100000Z", "20270105T110000Z")


async def test_infinity_on_an_object_is_itself(face: Face) -> None:
    """RFC 4918 §9.1.1 lets servers refuse it for collections."""
    await face.put(CALENDAR + "a.ics", event("a"))
    for headers in ({}, {"Depth": "infinity"}, {"Depth": "1", "Prefer": "depth-noroot"}):
        answer = await face.ask("PROPFIND", CALENDAR + "a.ics", **headers)
        assert list(answer.hrefs()) == [CALENDAR + "a.ics"]
