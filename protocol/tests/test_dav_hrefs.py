"""Hrefs: one spelling out, every spelling in, and no path leaves the tree."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.dav.hrefs import encode_segment, is_same_host, path_of_href, split_path
from protocol.errors import Condition, Refusal


@pytest.mark.parametrize(
    ("name", "spelling"),
    [
        ("event-1_a~.ics", "event-1_a~.ics"),
        ("user@example.com", "user@example.com"),
        ("a b", "a%20b"),
        ("100%", "100%25"),
        ("a/b", "a%2Fb"),
        ("x;y?z#w&v'\"<>", "x%3By%3Fz%23w%26v%27%22%3C%3E"),
        ("まだ", "%E3%81%BE%E3%81%A0"),
        ("é", "%C3%A9"),
        ("+:=,!$*()", "%2B%3A%3D%2C%21%24%2A%28%29"),
    ],
)
def test_the_canonical_spelling(name: str, spelling: str) -> None:
    assert encode_segment(name) == spelling
    assert split_path(f"/dav/{spelling}/") == ["dav", name]


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("", []),
        ("/", []),
        ("//", []),
        ("/dav//calendars///u/", ["dav", "calendars", "u"]),
        ("/dav/./calendars/%2e/u", ["dav", "calendars", "u"]),
        ("/dav/a%2fb", ["dav", "a/b"]),
        ("/dav/%40%7e%61", ["dav", "@~a"]),
        ("/dav/a%zz%4", ["dav", "a%zz%4"]),
        ("/dav/...", ["dav", "..."]),
        ("/dav/まだ", ["dav", "まだ"]),
        (b"/dav/\xc3\xa9".decode("ascii", "surrogateescape"), ["dav", "é"]),
        ("/dav/a;b=c,d", ["dav", "a;b=c,d"]),
    ],
)
def test_split_path(path: str, segments: list[str]) -> None:
    assert split_path(path) == segments


@pytest.mark.parametrize(
    "path",
    ["/dav/../x", "/..", "/dav/%2e%2e/x", "/dav/.%2E", "/dav/%00", "/dav/a%0d%0ab", "/dav/%7f", "/dav/%c2%85",
     "/dav/\x01", "/dav/%ff", "/dav/%c3", "/dav/\udcff", "/dav/%ed%a0%80"],
)  # fmt: skip
def test_a_path_that_is_refused(path: str) -> None:
    with pytest.raises(Refusal) as caught:
        split_path(path)
    assert caught.value.condition is Condition.BAD_REQUEST


_controls = re.compile("[\x00-\x1f\x7f-\x9f]")
_names = st.text(min_size=1).filter(
    lambda name: (
        name not in (".", "..") and not _controls.search(name) and name.encode("utf-8", "ignore").decode() == name
    )
)


@given(st.lists(_names, max_size=4))
def test_every_name_survives_the_round_trip(segments: list[str]) -> None:
    path = "/" + "/".join(map(encode_segment, segments))
    assert split_path(path) == segments
    assert re.fullmatch(r"[A-Za-z0-9._~@%/-]*", path)


@given(_names)
def test_any_spelling_of_a_name_is_the_same_name(name: str) -> None:
    lower = "".join(f"%{octet:02x}" for octet in name.encode())
    assert split_path("/" + lower) == split_path("/" + encode_segment(name)) == [name]


@given(st.text())
def test_no_path_does_more_than_be_refused(path: str) -> None:
    try:
        segments = split_path(path)
    except Refusal as refusal:
        assert refusal.condition is Condition.BAD_REQUEST
    else:
        assert not {"", ".", ".."} & set(segments)


@pytest.mark.parametrize(
    ("href", "path"),
    [
        ("/dav/a", "/dav/a"),
        (" /dav/a?x#y\n", "/dav/a"),
        ("//dav//a", "//dav//a"),
        ("http://cal.example.com:8008/dav/a%20b", "/dav/a%20b"),
        ("HTTP://CAL.example.COM:8008", "/"),
        ("http://user:pw@cal.example.com:8008/x?y", "/x"),
        ("http://cal.example.com.:8008/x", "/x"),
    ],
)
def test_an_href_of_this_server(href: str, path: str) -> None:
    assert path_of_href(href, scheme="http", authority="cal.example.com:8008") == path


@pytest.mark.parametrize(
    ("href", "condition"),
    [
        ("http://other.example.com:8008/x", Condition.FOREIGN_DESTINATION),
        ("http://cal.example.com:9999/x", Condition.FOREIGN_DESTINATION),
        ("http://cal.example.com/x", Condition.FOREIGN_DESTINATION),
        ("ftp://cal.example.com:8008/x", Condition.FOREIGN_DESTINATION),
        ("relative.ics", Condition.BAD_REQUEST),
        ("mailto:a@b", Condition.BAD_REQUEST),
        ("", Condition.BAD_REQUEST),
    ],
)
def test_an_href_that_is_not_ours(href: str, condition: Condition) -> None:
    with pytest.raises(Refusal) as caught:
        path_of_href(href, scheme="http", authority="cal.example.com:8008")
    assert caught.value.condition is condition


@pytest.mark.parametrize(
    ("scheme", "authority", "ours", "same"),
    [
        ("https", "h", "h", True),
        ("https", "h:443", "h:80", True),
        ("http", "[::1]:8008", "[::1]:8008", True),
        ("http", "[::1]", "[::1]:80", True),
        ("http", "[::1]:1", "[::1]:2", False),
        ("http", "h:8443", "h", False),
    ],
)
def test_same_host(scheme: str, authority: str, ours: str, same: bool) -> None:
    assert is_same_host(scheme, authority, scheme="http", authority=ours) is same
