"""Bodies of PROPFIND, PROPPATCH, MKCOL and MKCALENDAR."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.dav import names
from protocol.dav.headers import ContentType
from protocol.dav.requests import (
    ALL_PROPERTIES,
    MakeCollection,
    PropFind,
    PropKind,
    RemoveProperty,
    SetProperty,
    parse_mkcalendar,
    parse_mkcol,
    parse_propfind,
    parse_proppatch,
)
from protocol.dav.xml import serialize, text_of
from protocol.errors import Condition, Refusal


def dav(inner: str, root: str = "propfind") -> bytes:
    return f'<{root} xmlns="DAV:" xmlns:C="{names.CALDAV}" xmlns:Z="urn:z">{inner}</{root}>'.encode()


def refused(call, *args) -> Condition:
    with pytest.raises(Refusal) as caught:
        call(*args)
    return caught.value.condition


@pytest.mark.parametrize("body", [b"", b" \r\n", dav("<allprop/>"), dav("<Z:new/><allprop/>")])
def test_all_properties(body: bytes) -> None:
    assert parse_propfind(body) == ALL_PROPERTIES


def test_named_properties_in_order_and_once() -> None:
    found = parse_propfind(dav("<prop><getetag/><Z:x/><C:calendar-data/><getetag/></prop>"))
    assert found == PropFind(PropKind.PROP, (names.GETETAG, "{urn:z}x", names.CALENDAR_DATA))
    assert found.element(names.GETETAG) is None


def test_a_property_with_content_keeps_its_element() -> None:
    found = parse_propfind(dav('<prop><C:calendar-data version="2.0"/><Z:a><Z:b/></Z:a><Z:c>text</Z:c></prop>'))
    assert [name for name, _ in found.elements] == [names.CALENDAR_DATA, "{urn:z}a", "{urn:z}c"]
    element = found.element(names.CALENDAR_DATA)
    assert element is not None
    assert element.get("version") == "2.0"


def test_propname_include_and_empty_prop() -> None:
    assert parse_propfind(dav("<propname/>")) == PropFind(PropKind.PROPNAME)
    assert parse_propfind(dav("<allprop/><include><owner/><Z:x/></include>")).include == (names.OWNER, "{urn:z}x")
    assert parse_propfind(dav("<prop><owner/></prop><include><Z:x/></include>")).include == ()
    assert parse_propfind(dav("<prop/>")) == PropFind(PropKind.PROP)


@pytest.mark.parametrize(
    "body",
    [dav(""), dav("<Z:new/>"), dav("<prop/><allprop/>"), dav("<prop/><prop/>"), dav("<prop/>", "propertyupdate"),
     b"<propfind><prop/></propfind>", b"junk"],
)  # fmt: skip
def test_a_propfind_without_meaning(body: bytes) -> None:
    assert refused(parse_propfind, body) is Condition.BAD_REQUEST


@given(st.lists(st.sampled_from([names.GETETAG, names.OWNER, names.CALENDAR_COLOR, "{urn:z}x", "bare"]), unique=True))
def test_propfind_round_trip(wanted: list[str]) -> None:
    body = f"<D:propfind{names.DECLARATIONS}><D:prop>{''.join(map(names.empty, wanted))}</D:prop></D:propfind>"
    assert parse_propfind(body.encode()).names == tuple(wanted)


def test_proppatch_keeps_document_order() -> None:
    body = dav(
        "<set><prop><displayname>A &amp; B</displayname></prop></set><remove><prop><Z:x>old</Z:x><Z:y/></prop></remove>"
        "<Z:ignored/><set><prop><Z:x>2</Z:x></prop></set>",
        "propertyupdate",
    )
    instructions = parse_proppatch(body).instructions
    assert [(type(item), item.name) for item in instructions] == [
        (SetProperty, names.DISPLAYNAME),
        (RemoveProperty, "{urn:z}x"),
        (RemoveProperty, "{urn:z}y"),
        (SetProperty, "{urn:z}x"),
    ]
    first = instructions[0]
    assert isinstance(first, SetProperty)
    assert text_of(first.element) == "A & B"


def test_the_language_in_scope_comes_along() -> None:
    body = (
        '<D:propertyupdate xmlns:D="DAV:" xml:lang="en"><D:set><D:prop xml:lang="fr">'
        '<D:displayname>Salut</D:displayname><x xml:lang="de"/></D:prop></D:set>'
        "<D:set><D:prop><y/></D:prop></D:set></D:propertyupdate>"
    )
    texts = [
        serialize(item.element) for item in parse_proppatch(body.encode()).instructions if hasattr(item, "element")
    ]
    assert texts == [
        '<D:displayname xmlns:D="DAV:" xml:lang="fr">Salut</D:displayname>',
        '<x xml:lang="de"/>',
        '<y xml:lang="en"/>',
    ]


def test_a_proppatch_of_nothing() -> None:
    assert parse_proppatch(dav("<set><prop/></set>", "propertyupdate")).instructions == ()
    assert refused(parse_proppatch, dav("", "propertyupdate")) is Condition.BAD_REQUEST
    assert refused(parse_proppatch, dav("<set/>")) is Condition.BAD_REQUEST
    assert refused(parse_proppatch, b"") is Condition.BAD_REQUEST


XML = ContentType("application/xml", "utf-8")


def test_plain_mkcol() -> None:
    assert parse_mkcol(b"", None) == MakeCollection()
    assert parse_mkcol(b" ", ContentType("text/plain")) == MakeCollection()


@pytest.mark.parametrize("content_type", [XML, None, ContentType("text/xml")])
def test_extended_mkcol(content_type: ContentType | None) -> None:
    body = dav(
        "<set><prop><resourcetype><collection/><C:calendar/></resourcetype><displayname>X</displayname></prop></set>"
        "<set><prop><Z:y/></prop></set>",
        "mkcol",
    )
    made = parse_mkcol(body, content_type)
    assert made.resource_types == (names.COLLECTION, names.CALENDAR)
    assert [item.name for item in made.properties] == [names.DISPLAYNAME, "{urn:z}y"]


@pytest.mark.parametrize(
    ("body", "content_type", "condition"),
    [
        (b"junk", ContentType("text/plain"), Condition.UNSUPPORTED_MEDIA_TYPE),
        (dav("", "mkcol"), ContentType("text/plain"), Condition.UNSUPPORTED_MEDIA_TYPE),
        (b"junk", None, Condition.UNSUPPORTED_MEDIA_TYPE),
        (b"junk", XML, Condition.BAD_REQUEST),
        (b"<!DOCTYPE a SYSTEM 'x'><a/>", None, Condition.NO_EXTERNAL_ENTITIES),
        (dav("", "propfind"), XML, Condition.BAD_REQUEST),
    ],
)
def test_a_mkcol_that_is_refused(body: bytes, content_type: ContentType | None, condition: Condition) -> None:
    assert refused(parse_mkcol, body, content_type) is condition


def test_mkcalendar() -> None:
    assert parse_mkcalendar(b"") == MakeCollection()
    body = (
        f'<B:mkcalendar xmlns:B="{names.CALDAV}"><A:set xmlns:A="DAV:"><A:prop><A:displayname>N</A:displayname>'
        "</A:prop></A:set></B:mkcalendar>"
    ).encode()
    made = parse_mkcalendar(body)
    assert made.resource_types is None
    assert [text_of(item.element) for item in made.properties] == ["N"]
    assert refused(parse_mkcalendar, dav("", "mkcol")) is Condition.BAD_REQUEST
