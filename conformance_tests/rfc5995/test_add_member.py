"""POST to add a member: RFC 5995."""

from urllib.parse import urljoin, urlsplit

from conformance_tests.client import Calendar, Client
from testing.builders import event


def add_member(calendar: Calendar) -> str:
    """The URL to POST to, as the property names it."""
    hrefs = calendar.propfind("D:add-member").only.hrefs("D:add-member")
    assert len(hrefs) == 1
    absolute = urljoin(calendar.client.origin + calendar.href, hrefs[0])
    parts = urlsplit(absolute)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def test_creates(calendar: Calendar, client: Client) -> None:
    """RFC 5995 §3.1: POST makes a new member: 201 with Location, ETag when stored verbatim."""
    data = event()
    answer = client.request("POST", add_member(calendar), data).expect(201)
    location = answer.header("Location")
    assert location
    path = urlsplit(urljoin(client.origin + calendar.href, location)).path
    assert path.startswith(calendar.href)
    stored = client.get(path).expect(200)
    assert stored.body == data and stored.etag == answer.etag
    assert len(calendar.etags()) == 1


def test_each_post_is_a_new_member(calendar: Calendar, client: Client) -> None:
    """RFC 5995 §3.1: the server chooses the names, never one in use."""
    url = add_member(calendar)
    places = {client.request("POST", url, event()).expect(201).header("Location") for _ in range(5)}
    assert len(places) == 5 and len(calendar.etags()) == 5


def test_preconditions_count(calendar: Calendar, client: Client) -> None:
    """RFC 5995 §3.1: the preconditions of PUT hold: invalid data, a UID twice."""
    url = add_member(calendar)
    data = event()
    client.request("POST", url, data).expect(201)
    client.request("POST", url, data).refused(403, "C:no-uid-conflict")
    client.request("POST", url, "garbage").refused(403, "C:valid-calendar-data")
    client.request("POST", url, data, {"Content-Type": "text/plain"}).refused(403, "C:supported-calendar-data")


def test_needs_bind(calendar: Calendar, other: Client) -> None:
    """RFC 5995 §4: DAV:bind on the collection is needed."""
    other.request("POST", add_member(calendar), event()).expect(403, 404)
    assert calendar.etags() == {}


def test_not_on_objects(calendar: Calendar, client: Client) -> None:
    """RFC 5995 §3.2: add-member is a property of collections that take members."""
    calendar.add("a.ics", event())
    assert client.propfind(calendar.path("a.ics"), "D:add-member").only.status_for("D:add-member") == 404


def test_post_to_an_object(calendar: Calendar, client: Client) -> None:
    """RFC 9110 §15.5.6: POST where nothing takes it is 405."""
    calendar.add("a.ics", event())
    client.request("POST", calendar.path("a.ics"), event()).expect(405)
