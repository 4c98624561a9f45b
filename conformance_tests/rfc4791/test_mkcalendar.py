"""MKCALENDAR: RFC 4791 §5.3.1."""

import uuid
from collections.abc import Iterator

import pytest

from conformance_tests.client import Calendar, Client
from conformance_tests.dav import NAMESPACES, tag
from testing.builders import crlf, event, timezone_text


@pytest.fixture
def href(client: Client) -> Iterator[str]:
    """An unused URL in the home."""
    path = f"{client.home}k-{uuid.uuid4().hex[:12]}/"
    yield path
    client.delete(path)


def test_without_a_body(client: Client, href: str) -> None:
    """RFC 4791 §5.3.1: MKCALENDAR without a body makes a calendar: collection and calendar."""
    answer = client.mkcalendar(href).expect(201)
    assert "no-cache" in (answer.header("Cache-Control") or "")
    kind = client.propfind(href, "D:resourcetype").only.prop("D:resourcetype")
    assert {child.tag for child in kind} >= {tag("D:collection"), tag("C:calendar")}


def test_example(client: Client, href: str) -> None:
    """RFC 4791 §5.3.1.2: the properties of the request are set, each as sent."""
    zone = timezone_text()
    client.mkcalendar(
        href,
        "<D:displayname>Lisa's Events</D:displayname>"
        '<C:calendar-description xml:lang="en">Calendar restricted to events.</C:calendar-description>'
        '<C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>'
        f"<C:calendar-timezone><![CDATA[{zone}]]></C:calendar-timezone>",
    ).expect(201)
    item = client.propfind(
        href, "D:displayname", "C:calendar-description", "C:supported-calendar-component-set", "C:calendar-timezone"
    ).only
    assert item.text("D:displayname") == "Lisa's Events"
    assert item.text("C:calendar-description") == "Calendar restricted to events."
    assert [comp.get("name") for comp in item.prop("C:supported-calendar-component-set")] == ["VEVENT"]
    assert item.text("C:calendar-timezone").replace("\r\n", "\n") == zone.replace("\r\n", "\n")


def test_without_a_trailing_slash(client: Client, href: str) -> None:
    """RFC 4918 §5.2: the collection is made whether or not the URL ends with a slash."""
    client.mkcalendar(href.rstrip("/")).expect(201)
    assert client.propfind(href, "D:resourcetype").only.href.endswith("/")


def test_on_a_mapped_url(client: Client, calendar: Calendar) -> None:
    """RFC 4791 §5.3.1: nothing may exist at the URL: DAV:resource-must-be-null."""
    calendar.add("a.ics", event())
    client.mkcalendar(calendar.href).refused(403, "D:resource-must-be-null")
    assert set(calendar.etags()) == {"a.ics"}


def test_without_a_parent(client: Client) -> None:
    """RFC 4791 §5.3.1.1: a missing parent collection is 409."""
    client.mkcalendar(f"{client.home}missing-parent/child/").expect(409)


def test_inside_a_calendar(client: Client, calendar: Calendar) -> None:
    """RFC 4791 §4.2: a calendar inside a calendar is refused: calendar-collection-location-ok."""
    client.mkcalendar(calendar.href + "child/").refused(403, "C:calendar-collection-location-ok")


def test_beside_homes(client: Client) -> None:
    """RFC 4791 §5.3.1: calendars are made in homes only."""
    client.mkcalendar("/calendar-in-the-root/").expect(403, 404, 405, 409)


def test_all_or_nothing(client: Client, href: str) -> None:
    """RFC 4791 §5.3.1: when one property cannot be set no calendar is made; the answer names the property."""
    answer = client.mkcalendar(href, "<D:displayname>A</D:displayname><D:getetag>x</D:getetag>")
    answer.expect(207, 403, 424)
    assert b"getetag" in answer.body and b"403" in answer.body and b"424" in answer.body
    client.propfind_raw(href, None).expect(404)


@pytest.mark.parametrize(
    "zone",
    ["not iCalendar", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n", event().decode()],
)
def test_invalid_time_zone(client: Client, href: str, zone: str) -> None:
    """RFC 4791 §5.3.1: calendar-timezone must hold one VTIMEZONE: CALDAV:valid-calendar-data, no calendar."""
    answer = client.mkcalendar(href, f"<C:calendar-timezone>{zone}</C:calendar-timezone>").expect(207, 403)
    assert b"valid-calendar-data" in answer.body or b"valid-calendar-timezone" in answer.body
    client.propfind_raw(href, None).expect(404)


def test_unknown_component(client: Client, href: str) -> None:
    """RFC 4791 §5.2.3: a component type that does not exist is refused; nothing is made."""
    inner = '<C:supported-calendar-component-set><C:comp name="VNONSENSE"/></C:supported-calendar-component-set>'
    client.mkcalendar(href, inner).expect(207, 403)
    client.propfind_raw(href, None).expect(404)


@pytest.mark.parametrize("body", ["<C:mkcalendar", f"<D:propfind {NAMESPACES}/>", "text"])
def test_bad_body(client: Client, href: str, body: str) -> None:
    """RFC 4791 §5.3.1: the body must be a mkcalendar element: else 400."""
    client.request("MKCALENDAR", href, body).expect(400)
    client.propfind_raw(href, None).expect(404)


def test_body_of_another_type(client: Client, href: str) -> None:
    """RFC 4791 §5.3.1.1: a body of another media type is 415."""
    client.request("MKCALENDAR", href, crlf("x"), {"Content-Type": "application/x-thing"}).expect(415)


def test_in_a_foreign_home(other: Client, client: Client) -> None:
    """RFC 4791 §5.3.1: DAV:bind on the parent is needed."""
    other.mkcalendar(f"{client.home}intruder/").expect(403, 404)
    client.propfind_raw(f"{client.home}intruder/", None).expect(404)


def test_delete_and_make_again(client: Client, href: str) -> None:
    """RFC 4791 §5.3.1: a deleted calendar's URL can be used again."""
    for _ in range(3):
        client.mkcalendar(href).expect(201)
        client.delete(href).expect(204)
