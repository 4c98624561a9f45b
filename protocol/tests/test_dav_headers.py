"""Headers: depth, overwrite, destination, preferences, media types, and every kind of precondition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from protocol.dav.conditions import (
    EntityTags,
    IfHeaders,
    ResourceState,
    StateCondition,
    StateList,
    parse_entity_tags,
    parse_if,
    parse_if_headers,
)
from protocol.dav.headers import (
    ContentType,
    Depth,
    Prefer,
    parse_content_type,
    parse_depth,
    parse_destination,
    parse_overwrite,
    parse_prefer,
)
from protocol.errors import Condition, Refusal


def fields(*pairs: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(pairs))


def refused(call, *args, **kwargs) -> Condition:
    with pytest.raises(Refusal) as caught:
        call(*args, **kwargs)
    return caught.value.condition


def test_depth() -> None:
    assert parse_depth(None, Depth.INFINITY) is Depth.INFINITY
    assert parse_depth(" 0 ", Depth.ONE) is Depth.ZERO
    assert parse_depth("1", Depth.ZERO) is Depth.ONE
    assert parse_depth("Infinity", Depth.ZERO) is Depth.INFINITY
    assert refused(parse_depth, "2", Depth.ZERO) is Condition.BAD_REQUEST


def test_overwrite() -> None:
    assert (parse_overwrite(None), parse_overwrite("t"), parse_overwrite(" F ")) == (True, True, False)
    assert refused(parse_overwrite, "yes") is Condition.BAD_REQUEST


def test_destination() -> None:
    assert parse_destination("http://h:1/a%20b", scheme="http", authority="h:1") == "/a%20b"
    assert refused(parse_destination, None, scheme="http", authority="h") is Condition.BAD_REQUEST
    assert refused(parse_destination, " ", scheme="http", authority="h") is Condition.BAD_REQUEST
    assert refused(parse_destination, "http://x/", scheme="http", authority="h") is Condition.FOREIGN_DESTINATION


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], Prefer()),
        ([("Brief", "t")], Prefer(brief=True)),
        ([("Brief", "f")], Prefer()),
        ([("Prefer", "return=minimal")], Prefer(return_="minimal")),
        ([("Prefer", 'Return = "representation" ; foo="a,b"')], Prefer(return_="representation")),
        ([("Prefer", "return=other")], Prefer()),
        (
            [("Prefer", "depth-noroot, return=minimal"), ("prefer", "handling=strict;x, wait=10")],
            Prefer(return_="minimal", depth_noroot=True, strict=True, wait=10),
        ),
        ([("Prefer", "return=minimal, return=representation")], Prefer(return_="minimal")),
        ([("Prefer", "handling=lenient, wait=99999")], Prefer(wait=3600)),
        ([("Prefer", "wait=-1")], Prefer()),
        ([("Prefer", "wait=²")], Prefer()),
        ([("Prefer", 'depth-noroot;"q, return=minimal"')], Prefer(depth_noroot=True)),
        ([("Prefer", "((")], Prefer()),
        ([("Prefer", ", ,")], Prefer()),
    ],
)
def test_prefer(pairs: list[tuple[str, str]], expected: Prefer) -> None:
    assert parse_prefer(fields(*pairs)) == expected


def test_what_preferences_mean() -> None:
    assert Prefer(brief=True).minimal
    assert Prefer(return_="minimal").minimal
    assert not Prefer(return_="representation").minimal
    assert Prefer(return_="representation").representation


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("nonsense", None),
        ("text/calendar", ContentType("text/calendar")),
        (' Text/Calendar ; Charset="UTF-8"; component=VEVENT', ContentType("text/calendar", "utf-8", "VEVENT")),
        ('text/xml;x="a;b\\"c" ;charset=utf-16;', ContentType("text/xml", "utf-16")),
        ("text/xml;charset=a;charset=b", ContentType("text/xml", "a")),
        ("text/xml;;; charset=a", ContentType("text/xml", "a")),
    ],
)
def test_content_type(value: str | None, expected: ContentType | None) -> None:
    assert parse_content_type(value) == expected


def test_which_types_are_xml() -> None:
    assert all(ContentType(name).is_xml for name in ("text/xml", "application/xml", "application/x+xml"))
    assert not ContentType("text/calendar").is_xml


@given(st.text())
def test_no_header_value_does_more_than_be_refused(value: str) -> None:
    parse_content_type(value)
    parse_prefer(fields(("Prefer", value), ("Brief", value)))
    for call in (
        lambda: parse_depth(value, Depth.ZERO),
        lambda: parse_destination(value, scheme="http", authority="h"),
        lambda: parse_if_headers(fields(("If", value))),
        lambda: parse_if_headers(fields(("If-Match", value))),
        lambda: parse_if_headers(fields(("If-None-Match", value))),
        lambda: parse_if_headers(fields(("If-Schedule-Tag-Match", value))),
        lambda: parse_if_headers(fields(("If-Unmodified-Since", value))),
    ):
        try:
            call()
        except Refusal as refusal:
            assert refusal.condition in (Condition.BAD_REQUEST, Condition.FOREIGN_DESTINATION)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("*", EntityTags(any=True)),
        (" * ", EntityTags(any=True)),
        ("", EntityTags()),
        ('"a"', EntityTags(tags=((False, "a"),))),
        ('"a","b" ,, W/"c" ,', EntityTags(tags=((False, "a"), (False, "b"), (True, "c")))),
        ('""', EntityTags(tags=((False, ""),))),
        ('"*"', EntityTags(tags=((False, "*"),))),
    ],
)
def test_entity_tags(value: str, expected: EntityTags) -> None:
    assert parse_entity_tags(value, "If-Match") == expected


@pytest.mark.parametrize("value", ["a", '"a', '"a" "b"', 'w/"a"', '*, "a"', '"a b"', '"a"b'])
def test_entity_tags_that_are_malformed(value: str) -> None:
    assert refused(parse_entity_tags, value, "If-Match") is Condition.BAD_REQUEST


_tag = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"'))


@given(st.lists(st.tuples(st.booleans(), _tag)))
def test_entity_tags_round_trip(tags: list[tuple[bool, str]]) -> None:
    text = ", ".join(f'{"W/" if weak else ""}"{tag}"' for weak, tag in tags)
    assert parse_entity_tags(text, "If-Match").tags == tuple(tags)


def passes(headers: IfHeaders, *args, **kwargs) -> bool:
    try:
        headers.check(*args, **kwargs)
    except Refusal as refusal:
        assert refusal.condition is Condition.PRECONDITION_FAILED
        return False
    return True


@pytest.mark.parametrize(
    ("header", "value", "etag", "allowed"),
    [
        ("If-Match", '"a"', "a", True),
        ("If-Match", '"a"', "b", False),
        ("If-Match", '"a"', None, False),
        ("If-Match", 'W/"a"', "a", False),
        ("If-Match", '"b", "a"', "a", True),
        ("If-Match", "*", "a", True),
        ("If-Match", "*", None, False),
        ("If-Match", "", "a", False),
        ("If-None-Match", "*", None, True),
        ("If-None-Match", "*", "a", False),
        ("If-None-Match", '"a"', "a", False),
        ("If-None-Match", 'W/"a"', "a", False),
        ("If-None-Match", '"b"', "a", True),
        ("If-None-Match", '"a"', None, True),
    ],
)
def test_if_match_and_if_none_match(header: str, value: str, etag: str | None, allowed: bool) -> None:
    assert passes(parse_if_headers(fields((header, value))), etag) is allowed


def test_a_resource_without_entity_tag_exists_too() -> None:
    assert passes(parse_if_headers(fields(("If-Match", "*"))), None, exists=True)
    assert not passes(parse_if_headers(fields(("If-None-Match", "*"))), None, exists=True)


def test_repeated_fields_are_one_list() -> None:
    headers = parse_if_headers(fields(("If-Match", '"a"'), ("if-match", '"b"')))
    assert passes(headers, "b")
    assert headers.match == EntityTags(tags=((False, "a"), (False, "b")))


def test_get_answers_304_and_412() -> None:
    headers = parse_if_headers(fields(("If-None-Match", '"a"')))
    headers.check_match("a")
    assert headers.not_modified("a")
    assert not headers.not_modified("b")
    assert not IfHeaders().not_modified("a")
    assert parse_if_headers(fields(("If-None-Match", "*"))).not_modified(None, exists=True)
    assert refused(parse_if_headers(fields(("If-Match", '"x"'))).check_match, "a") is Condition.PRECONDITION_FAILED


def test_if_unmodified_since() -> None:
    since = ("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT")
    headers = parse_if_headers(fields(since))
    assert headers.unmodified_since == 784111777
    assert passes(headers, "a", modified_at=784111777)
    assert not passes(headers, "a", modified_at=784111778)
    assert passes(headers, "a")
    both = parse_if_headers(fields(since, ("If-Match", '"a"')))
    assert passes(both, "a", modified_at=784111778)
    assert parse_if_headers(fields(("If-Unmodified-Since", "yesterday"))).unmodified_since is None
    assert parse_if_headers(fields(("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37"))).unmodified_since == 784111777


def test_if_schedule_tag_match() -> None:
    headers = parse_if_headers(fields(("If-Schedule-Tag-Match", '"s1"')))
    assert passes(headers, "a", "s1")
    assert not passes(headers, "a", "s2")
    assert not passes(headers, "a")
    assert not parse_if_headers(fields(("If-Schedule-Tag-Match", " "))).conditional
    assert refused(parse_if_headers, fields(("If-Schedule-Tag-Match", "s1"))) is Condition.BAD_REQUEST


def test_a_request_is_conditional_when_it_says_so() -> None:
    assert not parse_if_headers(fields(("Depth", "0"))).conditional
    assert parse_if_headers(fields(("If-Match", "*"))).conditional
    assert passes(IfHeaders(), None)
    assert IfHeaders().resources == ()


def test_the_if_header_as_data() -> None:
    parsed = parse_if('</a> (Not <urn:x> [W/"e1"]) (["e2"]) <http://h/b>(<DAV:no-lock>)')
    assert parsed is not None
    assert parsed.lists == (
        StateList("/a", (StateCondition("urn:x", negated=True), StateCondition("e1", is_etag=True, is_weak=True))),
        StateList("/a", (StateCondition("e2", is_etag=True),)),
        StateList("http://h/b", (StateCondition("DAV:no-lock"),)),
    )
    assert parsed.resources == ("/a", "http://h/b")
    assert parse_if(None) is None


@pytest.mark.parametrize(
    "value",
    ["", " ", "()", "(a)", "<a>", "(<a>", '["a"]', "(<a>) <b> (<c>)", "(Not)", '([a])', "(<a>) x", "<a> <b> (<c>)",
     "(<a b>)", "(Not Not <a>)", "no-list"],
)  # fmt: skip
def test_an_if_header_that_is_malformed(value: str) -> None:
    assert refused(parse_if, value) is Condition.BAD_REQUEST


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        ('(["e"])', True),
        ('(["x"])', False),
        ('(["x"]) (["e"])', True),
        ('(["e"] <urn:lock>)', False),
        ('(["e"] Not <urn:lock>)', True),
        ('(NOT ["x"])', True),
        ('([W/"e"])', False),
        ("(<urn:lock>) (Not <DAV:no-lock>)", True),
        ("</c/> (<urn:sync:7>)", True),
        ("</c/> (<urn:sync:6>)", False),
        ('</gone> (Not ["4217"])', True),
        ('</gone> (["4217"])', False),
        ("</c/> (<urn:sync:6>) </gone> (Not <urn:x>)", True),
    ],
)
def test_the_if_header_decides(value: str, allowed: bool) -> None:
    headers = parse_if_headers(fields(("If", value)))
    states = {"/c/": ResourceState(tokens=frozenset({"urn:sync:7"}))}
    assert passes(headers, "e", states=states) is allowed
    assert headers.conditional


def test_untagged_sync_tokens_are_those_of_the_request_resource() -> None:
    headers = parse_if_headers(fields(("If", "(<urn:sync:7>)")))
    assert headers.resources == (None,)
    assert passes(headers, None, exists=True, states={None: ResourceState(tokens=frozenset({"urn:sync:7"}))})
    assert not passes(headers, None, exists=True)
