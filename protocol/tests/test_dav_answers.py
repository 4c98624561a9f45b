"""Answers: multistatus documents, error bodies, property values and privileges, read back as XML."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.dav import multistatus as out
from protocol.dav import names, values
from protocol.dav.hrefs import encode_segment
from protocol.dav.privileges import (
    ALL_PRIVILEGES,
    expand,
    render_privileges,
    render_supported_privilege_set,
)
from protocol.dav.xml import Element, parse, text_of
from protocol.errors import Condition, Detail
from protocol.model import Access, ComponentKind


def read(parts: list[str], token: str = "") -> Element:
    tail = out.sync_token(token) if token else ""
    return parse("".join((out.OPEN, *parts, tail, out.CLOSE)).encode())


def inside(xml: str) -> Element:
    return parse(f"<r{names.DECLARATIONS}>{xml}</r>".encode())


def tags(element: Element) -> list[str]:
    return [str(child.tag) for child in element]


def test_a_response_with_propstats() -> None:
    etag = names.element(names.GETETAG, '"1"')
    root = read([out.response("/a&b/", [(200, etag), (404, names.empty(names.OWNER)), (403, "")])])
    assert root.tag == names.dav("multistatus")
    href, found, missing = root[0]
    assert href.text == "/a&b/"
    assert (found.findtext("{DAV:}prop/{DAV:}getetag"), found.findtext("{DAV:}status")) == ('"1"', "HTTP/1.1 200 OK")
    assert tags(missing[0]) == [names.OWNER]
    assert missing.findtext("{DAV:}status") == "HTTP/1.1 404 Not Found"


def test_a_response_never_lacks_a_propstat() -> None:
    root = read([out.response("/x", [(200, "")])])
    assert root[0].findtext("{DAV:}propstat/{DAV:}status") == "HTTP/1.1 200 OK"


def test_response_ok_is_response() -> None:
    etag = names.element(names.GETETAG, '"1"')
    for href in ("/x", "/a&b", "/a<b"):
        assert out.response_ok(href, etag) == out.response(href, [(200, etag)])


def test_a_response_with_only_a_status() -> None:
    root = read(
        [
            out.response_status("/gone", 404),
            out.response_status("/c/", 507, Condition.NUMBER_OF_MATCHES_WITHIN_LIMITS, "There is <more>."),
            out.response_status("/d", 403, Condition.BAD_REQUEST, "No."),
        ],
        token="urn:x:<7>",
    )
    gone, truncated, plain, token = root
    assert tags(gone) == [names.HREF, names.dav("status")]
    assert tags(truncated) == [names.HREF, *map(names.dav, ("status", "error", "responsedescription"))]
    assert tags(truncated.find("{DAV:}error")) == [names.dav("number-of-matches-within-limits")]
    assert truncated.findtext("{DAV:}responsedescription") == "There is <more>."
    assert tags(plain) == [names.HREF, names.dav("status"), names.dav("responsedescription")]
    assert (token.tag, token.text) == (names.SYNC_TOKEN, "urn:x:<7>")


def test_a_proppatch_answer() -> None:
    parts = out.propstat(403, names.empty(names.GETETAG), Condition.CANNOT_MODIFY_PROTECTED_PROPERTY) + out.propstat(
        424, names.empty(names.DISPLAYNAME)
    )
    refused, failed = read([out.response_of("/x&", parts)])[0][1:]
    assert refused.find("{DAV:}error/{DAV:}cannot-modify-protected-property") is not None
    assert failed.findtext("{DAV:}status") == "HTTP/1.1 424 Failed Dependency"
    made = parse(out.make_collection_response(names.caldav("mkcalendar-response"), parts))
    assert made.tag == names.caldav("mkcalendar-response")
    assert tags(made) == [names.dav("propstat")] * 2


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=5))
def test_a_multistatus_carries_any_name_and_text(rows: list[tuple[str, str]]) -> None:
    legal = [
        (
            name.encode("utf-8", "ignore").decode(),
            "".join(c for c in text if c >= " " and c not in "\ud800\ufffe\uffff"),
        )
        for name, text in rows
    ]
    root = read(
        [
            out.response(
                f"/{encode_segment(name)}", [(200, names.element(names.DISPLAYNAME, values.render_text(text)))]
            )
            for name, text in legal
        ]
    )
    assert [item.findtext("{DAV:}href") for item in root] == [f"/{encode_segment(name)}" for name, _ in legal]
    for item, (_, text) in zip(root, legal, strict=True):
        found = item.find("{DAV:}propstat/{DAV:}prop/{DAV:}displayname")
        assert found is not None
        assert text_of(found) == text.encode("utf-8", "ignore").decode()


def test_formatting_ten_thousand_responses_is_cheap() -> None:
    def once() -> float:
        started = time.process_time()
        parts = [
            out.response(f"/dav/calendars/u/c/{n}.ics", [(200, '<D:getetag>"x"</D:getetag>')]) for n in range(10_000)
        ]
        assert len("".join(parts)) > 1_000_000
        return time.process_time() - started

    # It took 6 ms when first measured; the bound only catches a large change.
    assert min(once() for _ in range(5)) < 0.06


@pytest.mark.parametrize("condition", list(Condition))
def test_every_error_body_says_what_and_why(condition: Condition) -> None:
    root = parse(out.error_body(condition, "Because <of> this & that."))
    assert root.tag == names.dav("error")
    expected = [f"{{{condition.namespace}}}{condition.element}"] if condition.namespace else []
    assert tags(root) == [*expected, names.dav("responsedescription")]
    assert text_of(root[-1]) == "Because <of> this & that."
    assert root.text is None
    assert len(parse(out.error_body(condition, ""))) == len(root)


def test_error_bodies_with_details() -> None:
    conflict = parse(out.error_body(Condition.NO_UID_CONFLICT, "Taken.", [Detail("/a&b.ics")]))
    assert conflict[0].findtext("{DAV:}href") == "/a&b.ics"
    need = parse(
        out.error_body(
            Condition.NEED_PRIVILEGES, "No.", [Detail("/a", names.dav("bind")), Detail("/a", names.READ_FREE_BUSY)]
        )
    )[0]
    assert need.tag == names.dav("need-privileges")
    assert [(item.findtext("{DAV:}href"), tags(item[1])) for item in need] == [
        ("/a", [names.dav("bind")]),
        ("/a", [names.READ_FREE_BUSY]),
    ]


def test_principal_search_property_set() -> None:
    root = parse(out.principal_search_property_set([(names.DISPLAYNAME, "Name & more")]))
    assert tags(root[0][0]) == [names.DISPLAYNAME]
    assert root[0].findtext("{DAV:}description") == "Name & more"


def test_dates() -> None:
    assert values.render_http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert values.render_http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert values.render_iso_date(784111777) == "1994-11-06T08:49:37Z"
    assert values.render_iso_date(-62135596800) == "0001-01-01T00:00:00Z"


@given(st.integers(-62135596800, 253402300799))
def test_http_dates_are_those_of_the_library(epoch: int) -> None:
    from datetime import UTC, datetime, timedelta
    from email.utils import format_datetime

    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=epoch)
    assert values.render_http_date(epoch) == format_datetime(moment, usegmt=True)


def test_simple_values() -> None:
    assert values.render_hrefs(["/a&", "mailto:x"]) == "<D:href>/a&amp;</D:href><D:href>mailto:x</D:href>"
    assert (values.render_transparency(True), values.render_transparency(False)) == ("<C:transparent/>", "<C:opaque/>")
    assert values.render_supported_reports((names.CALENDAR_QUERY,)) == (
        "<D:supported-report><D:report><C:calendar-query/></D:report></D:supported-report>"
    )
    assert values.render_component_sets([frozenset({ComponentKind.VTODO, ComponentKind.VEVENT})]) == (
        '<C:supported-calendar-component-set><C:comp name="VEVENT"/><C:comp name="VTODO"/>'
        "</C:supported-calendar-component-set>"
    )
    assert [text_of(item) for item in inside(values.SUPPORTED_COLLATIONS)][:2] == ["i;ascii-casemap", "i;octet"]
    assert inside(values.SUPPORTED_CALENDAR_DATA)[0].get("version") == "2.0"
    assert len(inside(values.ACL_RESTRICTIONS)) == 2


def test_acl() -> None:
    first, second = inside(
        values.render_acl(
            [
                values.Ace("/o/", (names.dav("all"),), protected=True),
                values.Ace("/p/", (names.dav("read"), names.READ_FREE_BUSY)),
            ]
        )
    )
    assert tags(first) == list(map(names.dav, ("principal", "grant", "protected")))
    assert first.findtext("{DAV:}principal/{DAV:}href") == "/o/"
    assert first.find("{DAV:}grant/{DAV:}privilege/{DAV:}all") is not None
    assert second.findtext("{DAV:}principal/{DAV:}href") == "/p/"
    assert len(second.findall("{DAV:}grant/{DAV:}privilege")) == 2


def test_every_access_is_spelt_out() -> None:
    assert expand(Access.NONE) == ()
    assert expand(Access.READ_FREE_BUSY) == (names.READ_FREE_BUSY,)
    assert expand(Access.READ) == (
        names.dav("read"), names.READ_FREE_BUSY, names.dav("read-current-user-privilege-set"),
    )  # fmt: skip
    assert names.dav("write") not in expand(Access.READ | Access.WRITE_CONTENT | Access.BIND)
    assert names.dav("write") in expand(Access.READ | Access.WRITE)
    assert names.dav("all") not in expand(Access.READ | Access.WRITE)
    assert expand(Access.OWN) == tuple(item.name for item in ALL_PRIVILEGES)
    assert len(inside(render_privileges(Access.OWN))) == len(ALL_PRIVILEGES)
    assert render_privileges(Access.NONE) == ""


@given(st.integers(0, Access.OWN).map(Access), st.integers(0, Access.OWN).map(Access))
def test_more_access_never_takes_a_privilege_away(one: Access, more: Access) -> None:
    assert set(expand(one)) <= set(expand(one | more))


def test_the_supported_privileges_are_the_tree() -> None:
    root = inside(render_supported_privilege_set())
    listed = [item[0].tag for item in root.iter(names.dav("privilege"))]
    assert listed == [item.name for item in ALL_PRIVILEGES]
    read_privilege = next(
        item for item in root.iter(names.dav("supported-privilege")) if item[0][0].tag == names.dav("read")
    )
    assert names.READ_FREE_BUSY in [item[0].tag for item in read_privilege.iter(names.dav("privilege"))]
    assert all(item.findtext("{DAV:}description") for item in root.iter(names.dav("supported-privilege")))
