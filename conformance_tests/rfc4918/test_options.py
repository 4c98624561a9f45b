"""OPTIONS: RFC 4918 §10.1, RFC 4791 §5.1, RFC 3744 §7.2."""

import pytest

from conformance_tests.client import Calendar, Client
from testing.builders import event


def test_compliance_classes_on_a_calendar(client: Client, calendar: Calendar) -> None:
    """RFC 4918 §10.1: the DAV header names classes 1 and 3; not 2, since there are no locks."""
    tokens = client.options(calendar.href).expect(200, 204).tokens
    assert {"1", "3"} <= tokens
    assert "2" not in tokens


def test_calendar_access_is_advertised(client: Client, calendar: Calendar) -> None:
    """RFC 4791 §5.1: calendar-access stands in the DAV header of calendars, homes and principals."""
    for path in (calendar.href, client.home, client.principal):
        assert "calendar-access" in client.options(path).expect(200, 204).tokens, path


def test_a_probe_without_login_sees_the_compliance_classes(client: Client) -> None:
    """RFC 4918 §10.1: all answers to OPTIONS carry the DAV header, one that wants a login too."""
    answer = client.request("OPTIONS", client.root, auth=False)
    assert {"1", "3", "calendar-access"} <= answer.tokens
    assert answer.status in {200, 204} or answer.header("WWW-Authenticate")


def test_access_control_is_advertised(client: Client, calendar: Calendar) -> None:
    """RFC 3744 §7.2: access-control stands in the DAV header."""
    assert "access-control" in client.options(calendar.href).tokens


def test_extended_mkcol_is_advertised(client: Client, calendar: Calendar) -> None:
    """RFC 5689 §3.1: extended-mkcol stands in the DAV header."""
    assert "extended-mkcol" in client.options(client.home).tokens


def test_scheduling_is_not_advertised_while_it_is_not_built(client: Client, calendar: Calendar) -> None:
    """RFC 6638 §2: calendar-auto-schedule is only advertised together with an inbox that schedules."""
    tokens = client.options(calendar.href).tokens
    if "calendar-auto-schedule" in tokens:
        item = client.propfind(client.principal, "C:schedule-outbox-URL").only
        assert item.has("C:schedule-outbox-URL")


@pytest.mark.parametrize(
    "method",
    ["OPTIONS", "GET", "HEAD", "DELETE", "PROPFIND", "PROPPATCH", "COPY", "MOVE", "REPORT"],
)
def test_allow_names_the_methods_of_a_calendar(client: Client, calendar: Calendar, method: str) -> None:
    """RFC 9110 §10.2.1: Allow lists what a calendar answers."""
    assert method in client.options(calendar.href).allow


@pytest.mark.parametrize("method", ["OPTIONS", "GET", "HEAD", "PUT", "DELETE", "PROPFIND", "PROPPATCH", "COPY", "MOVE"])
def test_allow_names_the_methods_of_an_object(client: Client, calendar: Calendar, method: str) -> None:
    """RFC 9110 §10.2.1: Allow lists what a calendar object resource answers."""
    calendar.add("a.ics", event())
    assert method in client.options(calendar.path("a.ics")).allow


def test_options_does_not_need_a_trailing_slash(client: Client, calendar: Calendar) -> None:
    """RFC 4918 §5.2: a collection answers without its trailing slash too."""
    assert "calendar-access" in client.options(calendar.href.rstrip("/")).expect(200, 204).tokens


def test_options_star_is_answered(client: Client) -> None:
    """RFC 9110 §9.3.7: OPTIONS * asks for the server as a whole."""
    client.options("*").expect(200, 204)


@pytest.mark.parametrize("method", ["LOCK", "UNLOCK"])
def test_locks_are_refused(client: Client, calendar: Calendar, method: str) -> None:
    """RFC 4918 §18.1: a server without class 2 does not answer LOCK; 405 names what is allowed."""
    answer = client.request(method, calendar.href, None)
    assert answer.expect(405, 501).status == 501 or "PROPFIND" in answer.allow


def test_unknown_method(client: Client, calendar: Calendar) -> None:
    """RFC 9110 §15.6.2: an unknown method is not implemented, and the server survives it."""
    client.request("FROBNICATE", calendar.href, None).expect(405, 501)
    client.options(calendar.href).expect(200, 204)
