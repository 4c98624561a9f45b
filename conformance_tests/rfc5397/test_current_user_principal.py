"""current-user-principal: RFC 5397 §3."""

import pytest

from conformance_tests.client import Calendar, Client
from conformance_tests.dav import segments
from testing.builders import event


@pytest.mark.parametrize("where", ["home", "principal", "calendar", "object", "root"])
def test_everywhere(client: Client, calendar: Calendar, where: str) -> None:
    """RFC 5397 §3: every resource names the principal of who is asking, as an absolute path."""
    calendar.add("a.ics", event())
    path = {
        "home": client.home,
        "principal": client.principal,
        "calendar": calendar.href,
        "object": calendar.path("a.ics"),
        "root": client.root,
    }[where]
    hrefs = client.propfind(path, "D:current-user-principal").only.hrefs("D:current-user-principal")
    assert len(hrefs) == 1 and hrefs[0].startswith("/") and segments(hrefs[0]) == segments(client.principal)


@pytest.mark.parametrize("path", ["/", "/dav/", "/dav", "/dav/principals/", "/dav/calendars/"])
def test_roots(ours, client: Client, path: str) -> None:
    """RFC 6764 §5: the roots a client may begin with answer current-user-principal."""
    hrefs = client.propfind(path, "D:current-user-principal").items[0].hrefs("D:current-user-principal")
    assert segments(hrefs[0]) == segments(client.principal)


@pytest.mark.parametrize("depth", ["0", "1"])
def test_depth_1_on_the_roots(ours, client: Client, depth: str) -> None:
    """RFC 4918 §9.1: the roots answer Depth: 1 without telling names a user may not see."""
    for path in ("/", "/dav/", "/dav/principals/", "/dav/calendars/"):
        client.propfind(path, "D:resourcetype", depth=depth)


def test_by_another_user(other: Client, ours) -> None:
    """RFC 5397 §3: it is about the user, not about the resource."""
    item = other.propfind("/dav/", "D:current-user-principal").only
    assert segments(item.hrefs("D:current-user-principal")[0])[-2] == b"user02"
