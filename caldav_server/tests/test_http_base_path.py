"""The path under which clients find the server: a setting, or a header of a trusted proxy."""

from __future__ import annotations

from pathlib import Path

import pytest

from caldav_server.app import FACES
from caldav_server.http.messages import Request, Response, strip_base_path
from caldav_server.settings import SettingsError, is_base_path
from caldav_server.settings.model import FACE_ROOTS
from testing.edge import running, settings_with

TRUSTED: dict[str, object] = {"proxy.trusted": ("127.0.0.0/8",)}
UNDER_CAL: dict[str, object] = {"server.base_path": "/cal"}


async def show(request: Request) -> Response:
    return Response(200, {}, f"{request.base_path}|{request.raw_path}|{request.query_string}".encode())


@pytest.mark.parametrize(
    ("path", "below"),
    [
        ("/cal/dav/a%2Fb", "/dav/a%2Fb"),
        ("/cal", "/"),
        ("/cal/", "/"),
        ("/dav/", "/dav/"),  # a proxy has stripped it
        ("/calendar/dav/", "/calendar/dav/"),
        ("/cal//dav/", "//dav/"),
        ("*", "*"),
    ],
)
def test_the_base_path_is_stripped_once_and_at_a_segment(path: str, below: str) -> None:
    assert strip_base_path(path, "/cal") == below
    assert strip_base_path(path, "") == path


@pytest.mark.parametrize("value", ["", "/cal", "/a/b-c_d.e~f", "/" + "x" * 199])
def test_a_clean_base_path(value: str) -> None:
    assert is_base_path(value)
    assert settings_with({"server.base_path": value}).server.base_path == value


@pytest.mark.parametrize(
    "value",
    ["cal", "/", "/cal/", "//cal", "/a//b", "/a/../b", "/./a", "/a b", "/a%2Fb", "/\u00e9", '/"', "/a\n", "/dav",
     "/dav/x", "/.well-known", "/" + "x" * 200, "http://h/cal", "/a?b", "/a#b", "/<a>"],
)  # fmt: skip
def test_an_unclean_base_path_is_refused(value: str) -> None:
    assert not is_base_path(value)
    with pytest.raises(SettingsError, match="path such as /cal"):
        settings_with({"server.base_path": value})


async def test_the_setting_works_whether_the_proxy_strips_or_not(tmp_path: Path) -> None:
    async with running(tmp_path, UNDER_CAL, face=show) as edge:
        client = await edge.connect()
        for path in ("/cal/dav/x%2Fy?q", "/dav/x%2Fy?q"):
            assert (await client.request("GET", path)).body == b"/cal|/dav/x%2Fy|q"
        assert (await client.request("GET", "/cal/health", auth=False)).body == b"ok\n"
        assert (await client.request("OPTIONS", "*")).body == b"/cal|/|"
        assert (await client.request("GET", "/calendar/dav/")).status == 404


async def test_a_header_counts_only_from_a_trusted_proxy(tmp_path: Path) -> None:
    said = {"X-Forwarded-Prefix": "/evil"}
    async with running(tmp_path, UNDER_CAL, face=show) as edge:
        client = await edge.connect()
        assert (await client.request("GET", "/dav/", said)).body == b"/cal|/dav/|"
    async with running(tmp_path, {**UNDER_CAL, "proxy.trusted": ("192.0.2.0/24",)}, face=show) as edge:
        client = await edge.connect()
        assert (await client.request("GET", "/dav/", said)).body == b"/cal|/dav/|"


@pytest.mark.parametrize(
    ("said", "base_path"),
    [
        ({"X-Forwarded-Prefix": "/a/b"}, "/a/b"),
        ({"X-Forwarded-Prefix": "/a/"}, "/a"),
        ({"X-Forwarded-Prefix": "/"}, ""),
        ({"X-Script-Name": "/radicale"}, "/radicale"),
        ({"X-Script-Name": "/second", "X-Forwarded-Prefix": "/first"}, "/first"),
        ({"X-Forwarded-Prefix": "/theirs, /nearest"}, "/nearest"),
        ({"X-Forwarded-Prefix": "//evil.example"}, "/cal"),
        ({"X-Forwarded-Prefix": "/a/../b"}, "/cal"),
        ({"X-Forwarded-Prefix": "/" + "x" * 300}, "/cal"),
        ({"X-Forwarded-Prefix": "https://evil.example"}, "/cal"),
        ({"X-Forwarded-Prefix": "/dav"}, "/cal"),
        ({"X-Forwarded-Prefix": '/"><script>'}, "/cal"),
    ],
)
async def test_the_header_of_a_trusted_proxy_wins_when_it_is_clean(
    tmp_path: Path, said: dict[str, str], base_path: str
) -> None:
    async with running(tmp_path, {**TRUSTED, **UNDER_CAL}, face=show) as edge:
        client = await edge.connect()
        for path in ("/dav/x", f"{base_path}/dav/x"):
            assert (await client.request("GET", path, said)).body == f"{base_path}|/dav/x|".encode()


async def test_only_the_named_headers_count(tmp_path: Path) -> None:
    async with running(tmp_path, {**TRUSTED, "proxy.prefix_headers": ("X-Script-Name",)}, face=show) as edge:
        client = await edge.connect()
        assert (await client.request("GET", "/dav/", {"X-Forwarded-Prefix": "/a"})).body == b"|/dav/|"
        assert (await client.request("GET", "/dav/", {"x-script-name": "/b"})).body == b"/b|/dav/|"


async def test_the_well_known_address_leads_below_the_base_path(tmp_path: Path) -> None:
    async with running(tmp_path, {**TRUSTED, **UNDER_CAL}) as edge:
        client = await edge.connect()
        for path in ("/.well-known/caldav", "/cal/.well-known/caldav/"):
            answer = await client.request("PROPFIND", path, auth=False)
            assert (answer.status, answer.headers["location"]) == (301, "/cal/dav/")
        answer = await client.request("GET", "/.well-known/caldav", {"X-Forwarded-Prefix": "/b"}, auth=False)
        assert answer.headers["location"] == "/b/dav/"


def test_no_base_path_begins_like_a_face() -> None:
    roots = frozenset[str]().union(*(face.roots for face in FACES)) - {""}
    assert roots <= FACE_ROOTS
    assert not any(is_base_path(f"/{root}") or is_base_path(f"/{root}/more") for root in roots)
