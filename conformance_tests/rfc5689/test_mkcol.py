"""MKCOL: RFC 4918 §9.3 and RFC 5689 §3."""

import uuid

import pytest

from conformance_tests.client import Calendar, Client
from conformance_tests.dav import NAMESPACES, tag
from testing.builders import event

CALENDAR_TYPE = "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>"


@pytest.fixture
def href(client: Client):
    """An unused URL in the home."""
    path = f"{client.home}m-{uuid.uuid4().hex[:12]}/"
    yield path
    client.delete(path)


def test_on_an_existing_collection(client: Client, calendar: Calendar) -> None:
    """RFC 4918 §9.3: MKCOL on a mapped URL is 405."""
    client.mkcol(calendar.href).expect(405)


def test_without_a_parent(client: Client) -> None:
    """RFC 4918 §9.3: MKCOL whose parent is missing is 409."""
    client.mkcol(f"{client.home}missing-parent/child/", CALENDAR_TYPE).expect(409)


def test_unknown_body_type(client: Client, href: str) -> None:
    """RFC 4918 §9.3: a body of a type that is not understood is 415; nothing is made."""
    client.request("MKCOL", href, b"whatever", {"Content-Type": "application/x-thing"}).expect(415)
    client.propfind_raw(href, None).expect(404)


def test_inside_a_calendar(client: Client, calendar: Calendar) -> None:
    """RFC 4791 §4.2: there are no calendars inside calendars."""
    client.mkcol(calendar.href + "inside/", CALENDAR_TYPE).expect(403)
    client.mkcalendar(calendar.href + "inside/").refused(403, "C:calendar-collection-location-ok")


def test_extended_mkcol_makes_a_calendar(client: Client, href: str) -> None:
    """RFC 5689 §3: MKCOL with a resourcetype of calendar makes a calendar with the properties asked for."""
    client.mkcol(href, CALENDAR_TYPE + "<D:displayname>Made</D:displayname><X:dead>v</X:dead>").expect(201)
    item = client.propfind(href, "D:resourcetype", "D:displayname", "X:dead").only
    assert item.prop("D:resourcetype").find(tag("C:calendar")) is not None
    assert item.text("D:displayname") == "Made" and item.text("X:dead") == "v"
    Calendar(client, href).put("a.ics", event()).expect(201)


def test_extended_mkcol_fails_as_a_whole(client: Client, href: str) -> None:
    """RFC 5689 §3: when one property cannot be set nothing is made; a mkcol-response names the cause, 424 the rest."""
    answer = client.mkcol(href, CALENDAR_TYPE + "<D:displayname>A</D:displayname><D:getetag>x</D:getetag>")
    answer.expect(403, 424, 207)
    text = answer.body.decode()
    assert "getetag" in text and "403" in text
    assert "mkcol-response" in text or answer.status == 207
    client.propfind_raw(href, None).expect(404)


def test_unknown_resource_type(client: Client, href: str) -> None:
    """RFC 5689 §3.3: a resourcetype that cannot be made is refused with DAV:valid-resourcetype."""
    answer = client.mkcol(href, "<D:resourcetype><D:collection/><X:strange/></D:resourcetype>").expect(403)
    assert b"valid-resourcetype" in answer.body
    client.propfind_raw(href, None).expect(404)


def test_bad_xml(client: Client, href: str) -> None:
    """RFC 4918 §8.2: a body that is not well-formed is 400; nothing is made."""
    client.request("MKCOL", href, "<D:mkcol").expect(400)
    client.request("MKCOL", href, f"<D:propfind {NAMESPACES}/>").expect(400)
    client.propfind_raw(href, None).expect(404)


def test_in_a_foreign_home(other: Client, client: Client) -> None:
    """RFC 3744 §3.9: making a collection needs DAV:bind on its parent."""
    other.mkcol(f"{client.home}intruder/", CALENDAR_TYPE).expect(403, 404)
    client.propfind_raw(f"{client.home}intruder/", None).expect(404)
