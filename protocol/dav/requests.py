"""The bodies of PROPFIND, PROPPATCH, MKCOL and MKCALENDAR as plain data.

RFC 4918 §9.1, §9.2, §9.3 and §14, RFC 5689 §3, RFC 4791 §5.3.1. Unknown elements are ignored (RFC 4918 §17); wrong
roots and meaningless bodies are ``BAD_REQUEST``. Rules of this module: names and elements stay as the client wrote
them, and the table of properties decides what they mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from protocol.dav import names
from protocol.dav.headers import ContentType
from protocol.dav.xml import Element, parse
from protocol.errors import Condition, Refusal


class PropKind(Enum):
    """The three questions of PROPFIND."""

    PROP = "prop"
    ALLPROP = "allprop"
    PROPNAME = "propname"


@dataclass(frozen=True, slots=True)
class PropFind:
    """Which properties are wanted (RFC 4918 §14.20); reports have the same in ``wanted``."""

    kind: PropKind
    names: tuple[str, ...] = ()
    """Clark names in the order of the request, each once; only with ``PROP``."""
    include: tuple[str, ...] = ()
    """Names wanted in addition to ``ALLPROP``."""
    elements: tuple[tuple[str, Element], ...] = ()
    """Those of the elements that have attributes or content, such as CALDAV:calendar-data."""

    def element(self, name: str) -> Element | None:
        """The element of a name, when it has attributes or content."""
        return next((element for key, element in self.elements if key == name), None)


ALL_PROPERTIES = PropFind(PropKind.ALLPROP)
NO_PROPERTIES = PropFind(PropKind.PROP)

_QUESTIONS = {names.PROP: PropKind.PROP, names.ALLPROP: PropKind.ALLPROP, names.PROPNAME: PropKind.PROPNAME}


def parse_propfind(body: bytes) -> PropFind:
    """A PROPFIND body; an empty one asks for all properties (RFC 4918 §9.1)."""
    if not body.strip():
        return ALL_PROPERTIES
    root = parse(body)
    require_root(root, names.PROPFIND)
    wanted = wanted_properties(root)
    if wanted is None:
        raise Refusal(Condition.BAD_REQUEST, "A propfind needs one of prop, allprop and propname.")
    return wanted


def wanted_properties(parent: Element) -> PropFind | None:
    """The question among the children of ``parent``; ``None`` without one, a refusal for more than one."""
    asked: Element | None = None
    include: Element | None = None
    for child in parent:
        if child.tag in _QUESTIONS:
            if asked is not None:
                raise Refusal(Condition.BAD_REQUEST, "Only one of prop, allprop and propname may be asked.")
            asked = child
        elif child.tag == names.INCLUDE:
            include = child
    if asked is None:
        return None
    kind = _QUESTIONS[str(asked.tag)]
    if kind is PropKind.PROP:
        special = tuple((str(child.tag), child) for child in asked if len(child) or child.attrib or child.text)
        return PropFind(kind, names=property_names(asked), elements=special)
    if kind is PropKind.ALLPROP and include is not None:
        return PropFind(kind, include=property_names(include))
    return PropFind(kind)


def property_names(element: Element) -> tuple[str, ...]:
    """The names of an element's children, each once, in order."""
    return tuple(dict.fromkeys(str(child.tag) for child in element))


def require_root(root: Element, name: str) -> None:
    """Refuse ``BAD_REQUEST`` unless the body is the element ``name``."""
    if root.tag != name:
        raise Refusal(Condition.BAD_REQUEST, f"The body must be a {name} element, not {root.tag}.")


@dataclass(frozen=True, slots=True)
class SetProperty:
    """Set the property ``name`` to ``element``, which has the ``xml:lang`` in force for it."""

    name: str
    element: Element


@dataclass(frozen=True, slots=True)
class RemoveProperty:
    """Remove the property ``name``; removing a missing one succeeds."""

    name: str


@dataclass(frozen=True, slots=True)
class PropPatch:
    """The instructions of a PROPPATCH in document order: all or none (RFC 4918 §9.2)."""

    instructions: tuple[SetProperty | RemoveProperty, ...]


def parse_proppatch(body: bytes) -> PropPatch:
    """A PROPPATCH body; refuses one without any instruction."""
    root = parse(body)
    require_root(root, names.PROPERTYUPDATE)
    instructions: list[SetProperty | RemoveProperty] = []
    found = False
    for child in root:
        if child.tag == names.SET:
            found = True
            instructions.extend(_set_properties(child))
        elif child.tag == names.REMOVE:
            found = True
            instructions.extend(
                RemoveProperty(str(element.tag)) for prop in child.iterchildren(names.PROP) for element in prop
            )
    if not found:
        raise Refusal(Condition.BAD_REQUEST, "A propertyupdate needs a set or a remove.")
    return PropPatch(tuple(instructions))


def _set_properties(instruction: Element) -> Iterator[SetProperty]:
    """The properties of one DAV:set; the language of the elements around them is kept (RFC 4918 §4.3)."""
    for prop in instruction.iterchildren(names.PROP):
        language = next(
            (found for holder in (prop, *prop.iterancestors()) if (found := holder.get(names.XML_LANG))), None
        )
        for element in prop:
            if language and element.get(names.XML_LANG) is None:
                element.set(names.XML_LANG, language)
            yield SetProperty(str(element.tag), element)


@dataclass(frozen=True, slots=True)
class MakeCollection:
    """What a new collection shall be."""

    resource_types: tuple[str, ...] | None = None
    """The wanted DAV:resourcetype; ``None`` when the body has none."""
    properties: tuple[SetProperty, ...] = ()
    """The other properties to set, in document order."""


_PLAIN_COLLECTION = MakeCollection()


def parse_mkcol(body: bytes, content_type: ContentType | None) -> MakeCollection:
    """The body of an extended MKCOL, or none (RFC 5689 §3).

    Refuses ``UNSUPPORTED_MEDIA_TYPE`` for a body that is not XML (RFC 4918 §9.3), and ``BAD_REQUEST`` for other XML.
    """
    if not body.strip():
        return _PLAIN_COLLECTION
    if content_type is not None and not content_type.is_xml:
        raise Refusal(Condition.UNSUPPORTED_MEDIA_TYPE, "The body of MKCOL must be XML.")
    try:
        root = parse(body)
    except Refusal as refusal:
        if content_type is None and refusal.condition is Condition.BAD_REQUEST:
            raise Refusal(Condition.UNSUPPORTED_MEDIA_TYPE, "The body of MKCOL must be XML.") from None
        raise
    require_root(root, names.MKCOL)
    return _make_collection(root)


def parse_mkcalendar(body: bytes) -> MakeCollection:
    """The body of MKCALENDAR, or none (RFC 4791 §5.3.1)."""
    if not body.strip():
        return _PLAIN_COLLECTION
    root = parse(body)
    require_root(root, names.MKCALENDAR)
    return _make_collection(root)


def _make_collection(root: Element) -> MakeCollection:
    types: tuple[str, ...] | None = None
    properties: list[SetProperty] = []
    for instruction in root.iterchildren(names.SET):
        for item in _set_properties(instruction):
            if item.name == names.RESOURCETYPE:
                types = property_names(item.element)
            else:
                properties.append(item)
    return MakeCollection(types, tuple(properties))
