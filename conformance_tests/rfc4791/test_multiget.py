"""calendar-multiget: RFC 4791 §7.9."""

import pytest

from conformance_tests.client import Calendar, Client
from conformance_tests.dav import NAMESPACES
from testing.builders import event


def test_returns_what_is_asked(calendar: Calendar) -> None:
    """RFC 4791 §7.9: one response per href, with ETag and data."""
    bodies = {f"{number}.ics": event() for number in range(5)}
    for name, body in bodies.items():
        calendar.add(name, body)
    wanted = [calendar.path(name) for name in ("3.ics", "1.ics")]
    found = calendar.multiget(*wanted).multistatus
    assert found.names == {"1.ics", "3.ics"}
    for href in wanted:
        assert found[href].data == bodies[href.rsplit("/", 1)[1]].decode().replace("\r\n", "\n")


@pytest.mark.parametrize("depth", ["0", "1", "infinity", None])
def test_depth_is_ignored(calendar: Calendar, depth: str | None) -> None:
    """RFC 4791 §7.9: the Depth header is ignored; clients leave it out."""
    calendar.add("a.ics", event())
    assert calendar.multiget(calendar.path("a.ics"), depth=depth).multistatus.names == {"a.ics"}


def test_forms_of_hrefs(calendar: Calendar, client: Client) -> None:
    """RFC 4918 §8.3: hrefs may be absolute URIs or paths, escaped in any way; they are compared decoded."""
    calendar.add("a@b c.ics", event())
    forms = ["a@b%20c.ics", "a%40b%20c.ics", "%61%40b%20c%2Eics", "a%40b%20c.ics"]
    for form in forms:
        assert calendar.multiget(calendar.href + form).multistatus.only.has("C:calendar-data"), form
    absolute = client.origin + calendar.href + "a@b%20c.ics"
    assert calendar.multiget(absolute).multistatus.only.has("C:calendar-data")


def test_missing_ones_are_404(calendar: Calendar) -> None:
    """RFC 4791 §7.9: an href that does not exist is a response with status 404."""
    found = calendar.multiget(calendar.path("none.ics")).multistatus
    assert found.only.status == 404


def test_hrefs_elsewhere(calendar: Calendar, new_calendar, client: Client) -> None:
    """RFC 4791 §7.9: hrefs outside the calendar, of any kind, show nothing of it."""
    elsewhere = new_calendar()
    elsewhere.add("b.ics", event())
    for href in (elsewhere.path("b.ics"), "/", "/no/such/thing", calendar.href, client.principal):
        item = calendar.multiget(href).multistatus.only
        assert item.status in {403, 404} or not item.has("C:calendar-data"), href


def test_another_users_object(calendar: Calendar, other: Client) -> None:
    """RFC 3744 §3.1: multiget does not reach around access control."""
    calendar.add("a.ics", event(summary="Secret"))
    own = Calendar(other, f"{other.home}calendar/")
    answer = own.multiget(calendar.path("a.ics")).multistatus
    assert answer.only.status in {403, 404}
    assert b"Secret" not in calendar.client.request("OPTIONS", calendar.href).body


def test_the_same_href_twice(calendar: Calendar) -> None:
    """RFC 4791 §7.9: an href given twice is answered once."""
    calendar.add("a.ics", event())
    assert len(calendar.multiget(calendar.path("a.ics"), calendar.path("a.ics")).multistatus) == 1


def test_on_an_object(calendar: Calendar, client: Client) -> None:
    """RFC 4791 §7.9: on an object the one href must be its own."""
    calendar.add("a.ics", event())
    path = calendar.path("a.ics")
    body = (
        f"<C:calendar-multiget {NAMESPACES}><D:prop><D:getetag/></D:prop><D:href>{path}</D:href></C:calendar-multiget>"
    )
    assert client.report(path, body, "0").multistatus.only.has("D:getetag")


def test_expand(calendar: Calendar) -> None:
    """RFC 4791 §9.6: calendar-data's variants work in multiget too."""
    calendar.add("a.ics", event(more="RRULE:FREQ=DAILY;COUNT=3"))
    request = '<C:calendar-data><C:expand start="20260106T000000Z" end="20260107T000000Z"/></C:calendar-data>'
    data = calendar.multiget(calendar.path("a.ics"), props=request).multistatus.only.data
    assert "DTSTART:20260106T100000Z" in data and "RRULE" not in data


def test_no_hrefs(calendar: Calendar) -> None:
    """RFC 4791 §9.10: at least one href is required; without any the answer is empty or 400, not all objects."""
    calendar.add("a.ics", event())
    answer = calendar.multiget()
    assert answer.status == 400 or len(answer.multistatus) == 0


def test_many(calendar: Calendar) -> None:
    """RFC 4791 §7.9: three hundred hrefs are answered in one go."""
    calendar.add("a.ics", event())
    hrefs = [calendar.path(f"none-{number}.ics") for number in range(300)] + [calendar.path("a.ics")]
    found = calendar.multiget(*hrefs).multistatus
    assert len(found) == 301 and found[calendar.path("a.ics")].has("C:calendar-data")
