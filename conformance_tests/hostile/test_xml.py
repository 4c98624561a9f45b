"""Hostile XML bodies: F15."""

import contextlib
import socket
import threading

import pytest

from conformance_tests.client import Calendar, Client, prop_body
from conformance_tests.dav import NAMESPACES
from conformance_tests.pace import allowed
from testing.builders import event

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1 if n > 1 else str()};" * 10}">' for n in range(1, 10))
    + ']><D:propfind xmlns:D="DAV:"><D:prop><D:x>&lol9;</D:x></D:prop></D:propfind>'
)
PROPFIND = '<D:propfind xmlns:D="DAV:"><D:prop>{}</D:prop></D:propfind>'
BOMBS = {
    "billion laughs": LAUGHS,
    "quadratic": f'<!DOCTYPE a [<!ENTITY x "{"x" * 50000}">]>' + PROPFIND.format("&x;" * 5000),
    "unused document type": '<!DOCTYPE a><D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>',
    "external file": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + PROPFIND.format("<D:x>&x;</D:x>"),
    "parameter entity": '<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd">%p;]>' + PROPFIND.format(""),
    "undefined entity": '<D:propfind xmlns:D="DAV:"><D:prop><D:x>&nothing;</D:x></D:prop></D:propfind>',
    "deep": '<D:propfind xmlns:D="DAV:">' + "<D:a>" * 100_000 + "</D:a>" * 100_000 + "</D:propfind>",
    "rather deep": '<D:propfind xmlns:D="DAV:"><D:prop>' + "<D:a>" * 300 + "</D:a>" * 300 + "</D:prop></D:propfind>",
    "not utf-8": b'<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:prop><D:\xff/></D:prop></D:propfind>',
    "null": b'<D:propfind xmlns:D="DAV:"><D:prop><D:a>\x00</D:a></D:prop></D:propfind>',
    "unknown encoding": '<?xml version="1.0" encoding="no-such"?><D:propfind xmlns:D="DAV:"/>',
}  # fmt: skip


@pytest.mark.parametrize("method", ["PROPFIND", "PROPPATCH", "REPORT", "MKCALENDAR", "MKCOL"])
@pytest.mark.parametrize("name", BOMBS)
def test_bombs(client: Client, calendar: Calendar, name: str, method: str) -> None:
    """F15: document types, entities, depth and broken text are refused with a client error, at once, unread."""
    path = client.home + "bomb/" if method in {"MKCALENDAR", "MKCOL"} else calendar.href
    answer = client.request(method, path, BOMBS[name], {"Depth": "0"})
    larger = name in {"external file", "parameter entity", "deep", "rather deep"}
    assert answer.status in ({400, 403, 413} if larger else {400, 403}), (answer.status, answer.body[:200])
    assert answer.seconds < allowed(2)
    assert b"root:" not in answer.body
    client.propfind(calendar.href, "D:resourcetype")


def test_no_external_fetch(client: Client, calendar: Calendar) -> None:
    """F15: an external entity or schema is never fetched."""
    hits: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(3)
        url = f"http://127.0.0.1:{trap.getsockname()[1]}/x"

        def listen() -> None:
            try:
                connection, _ = trap.accept()
                hits.append(connection.recv(100))
                connection.close()
            except (TimeoutError, OSError):
                pass

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        for body in (
            f'<!DOCTYPE a SYSTEM "{url}"><D:propfind xmlns:D="DAV:"><D:prop/></D:propfind>',
            f'<!DOCTYPE a [<!ENTITY x SYSTEM "{url}">]><D:propfind xmlns:D="DAV:"><D:prop>&x;</D:prop></D:propfind>',
            f'<?xml-stylesheet href="{url}"?><D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>',
            f'<D:propfind xmlns:D="DAV:" xmlns:xi="http://www.w3.org/2001/XInclude"><D:prop><xi:include href="{url}"/>'
            "</D:prop></D:propfind>",
        ):
            client.propfind_raw(calendar.href, body)
    thread.join(4)
    assert hits == []


def test_many_attributes(client: Client, calendar: Calendar) -> None:
    """F15: a hundred thousand attributes or properties cost a bounded time."""
    attributes = " ".join(f'a{n}="1"' for n in range(60_000))
    answer = client.propfind_raw(calendar.href, f'<D:propfind xmlns:D="DAV:" {attributes}><D:prop/></D:propfind>')
    assert answer.status in {207, 400, 413} and answer.seconds < allowed(2)
    names = "".join(f"<X:p{n}/>" for n in range(20_000))
    answer = client.propfind_raw(calendar.href, f"<D:propfind {NAMESPACES}><D:prop>{names}</D:prop></D:propfind>")
    assert answer.status in {207, 400, 413, 507} and answer.seconds < allowed(5)


@pytest.mark.parametrize("chunked", [False, True])
def test_huge_xml(client: Client, calendar: Calendar, chunked: bool) -> None:
    """F15: an XML body beyond the limit is 413, with and without a Content-Length."""
    filler = b"<!--" + b"x" * 65536 + b"-->"
    pieces = [b'<D:propfind xmlns:D="DAV:">', *([filler] * 200), b"<D:prop/></D:propfind>"]
    body = iter(pieces) if chunked else b"".join(pieces)
    with contextlib.suppress(ConnectionResetError):  # the server may close before the whole body was sent
        client.request("PROPFIND", calendar.href, body, {"Depth": "0", "Content-Type": "application/xml"}).expect(413)
    client.propfind(calendar.href, "D:resourcetype")


@pytest.mark.parametrize("value", ["]]>", "<x>&amp;</x>", "\ufffe", "a\u0085b", "\u2028"])
def test_values_are_escaped(client: Client, calendar: Calendar, value: str) -> None:
    """F15: whatever text is stored, answers stay well-formed XML."""
    data = event(summary=value)
    answer = calendar.put("a.ics", data)
    if answer.status == 201:
        found = calendar.query('<C:comp-filter name="VCALENDAR"/>', "<C:calendar-data/>").only
        assert "BEGIN:VEVENT" in found.data
    else:
        answer.expect(403)


@pytest.mark.parametrize("character", ["\x01", "\x0b", "\x0c", "\x1f", "\x7f", "\ufffe", "\uffff"])
def test_control_characters_in_stored_text(calendar: Calendar, character: str) -> None:
    """F15: characters that XML 1.0 cannot carry do not break the reports of the calendar they are in."""
    calendar.put("a.ics", event(summary=f"a{character}b")).expect(201, 403)
    calendar.add("b.ics", event(summary="fine"))
    found = calendar.query('<C:comp-filter name="VCALENDAR"/>', "<D:getetag/><C:calendar-data/>")
    assert "b.ics" in found.names
    assert calendar.sync(props="<D:getetag/><C:calendar-data/>")


def test_wrong_content_types(client: Client, calendar: Calendar) -> None:
    """RFC 4918 §8.2: an XML body with a type that is none of XML's is 415 or read all the same; never 5xx."""
    for kind in ("text/plain", "application/json", "image/png", "", "x", "application/x-www-form-urlencoded", ";;;"):
        answer = client.propfind_raw(calendar.href, prop_body("D:getetag"), headers={"Content-Type": kind})
        assert answer.status in {207, 400, 415}, kind
