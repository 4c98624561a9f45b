"""Finding the service: RFC 6764 §5 and §6."""

from urllib.parse import urljoin, urlsplit

import pytest

from conformance_tests.client import Client, prop_body
from conformance_tests.dav import segments

METHODS = ["GET", "HEAD", "PROPFIND", "OPTIONS", "POST", "REPORT", "PROPPATCH", "PUT", "DELETE"]


@pytest.mark.parametrize("authenticated", [False, True])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ["/.well-known/caldav", "/.well-known/caldav/"])
def test_redirects_every_method(client: Client, method: str, authenticated: bool, path: str) -> None:
    """RFC 6764 §5: the well-known URL redirects, whatever the method, with and without credentials."""
    body = prop_body("D:current-user-principal") if method == "PROPFIND" else None
    answer = client.request(method, path, body, {"Depth": "0"}, auth=authenticated)
    answer.expect(301, 302, 303, 307, 308)
    assert method == "GET" or answer.status in {301, 302, 307, 308}
    assert answer.header("Location")


def test_target_names_the_principal(client: Client) -> None:
    """RFC 6764 §6: the target of the redirect answers current-user-principal."""
    answer = client.request("PROPFIND", "/.well-known/caldav", prop_body("D:current-user-principal"), {"Depth": "0"})
    path = urlsplit(urljoin(client.origin, answer.header("Location") or "")).path
    item = client.propfind(path, "D:current-user-principal").items[0]
    assert segments(item.hrefs("D:current-user-principal")[0]) == segments(client.principal)


def test_redirect_keeps_the_host(client: Client) -> None:
    """RFC 6764 §5: the redirect stays on the host that was asked: it is a path, or has the Host it was sent."""
    headers = {"Host": "calendar.example.com"}
    location = client.request("GET", "/.well-known/caldav", None, headers, auth=False).header("Location") or ""
    assert location.startswith("/") or urlsplit(location).hostname == "calendar.example.com"


def test_carddav_is_not_claimed(client: Client) -> None:
    """RFC 6764 §5: without address books there is no CardDAV at the well-known URL."""
    client.request("GET", "/.well-known/carddav", None, auth=False).expect(404, 401)
