"""The map of URLs: which resource a path names, and the one href every resource has (RFC 4918 §5.2).

``/dav/principals/NAME/`` and ``/dav/calendars/NAME/CALENDAR/OBJECT``. A path is split on the raw text first and its
segments decoded after, so that a name may hold any octet; two spellings of one name are one resource, and ``href``
writes the canonical one. Rules of this module: no look-ups; whether something exists is not its business.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from protocol.dav.hrefs import encode_segment, split_path
from protocol.errors import Condition, Refusal
from protocol.model import MAX_KEY_OCTETS, Href

PREFIX = "/dav/"
PRINCIPALS = PREFIX + "principals/"
HOMES = PREFIX + "calendars/"
WELL_KNOWN = "/.well-known/caldav"


class Place(Enum):
    """How deep a path reaches into the map."""

    ROOT = 0
    PRINCIPALS = 1
    PRINCIPAL = 2
    HOMES = 3
    HOME = 4
    COLLECTION = 5
    OBJECT = 6


@dataclass(frozen=True, slots=True)
class Location:
    """A place of the map with the decoded names on the way to it."""

    place: Place
    principal: str = ""
    collection: str = ""
    name: str = ""


_BY_FIRST = {
    "principals": (Place.PRINCIPALS, Place.PRINCIPAL),
    "calendars": (Place.HOMES, Place.HOME, Place.COLLECTION, Place.OBJECT),
}


def parse(raw_path: str) -> Location:
    """The location a raw request path names; refuses ``NOT_FOUND`` for a path outside the map, ``BAD_REQUEST`` for a
    name that is too long."""
    segments = split_path(raw_path)
    if not segments or segments == ["dav"]:
        return Location(Place.ROOT)
    if segments[0] != "dav" or segments[1] not in _BY_FIRST:
        raise Refusal(Condition.NOT_FOUND, "There is nothing at this address.")
    places = _BY_FIRST[segments[1]]
    names = segments[2:]
    if len(names) >= len(places):
        raise Refusal(Condition.NOT_FOUND, "There is nothing at this address.")
    if any(len(name.encode()) > MAX_KEY_OCTETS for name in names):
        raise Refusal(Condition.BAD_REQUEST, f"A name may hold at most {MAX_KEY_OCTETS} octets.")
    return Location(places[len(names)], *names)


def principal_href(name: str) -> Href:
    """The principal resource of ``name``."""
    return Href(f"{PRINCIPALS}{encode_segment(name)}/")


def home_href(name: str) -> Href:
    """The calendar home of the principal ``name`` (RFC 4791 §6.2.1)."""
    return Href(f"{HOMES}{encode_segment(name)}/")


def collection_href(principal: str, collection: str) -> Href:
    """A calendar collection."""
    return Href(f"{HOMES}{encode_segment(principal)}/{encode_segment(collection)}/")


def object_href(principal: str, collection: str, name: str) -> Href:
    """A calendar object resource."""
    return Href(f"{HOMES}{encode_segment(principal)}/{encode_segment(collection)}/{encode_segment(name)}")


def href(location: Location) -> Href:
    """The canonical href of a location."""
    match location.place:
        case Place.ROOT:
            return Href(PREFIX)
        case Place.PRINCIPALS:
            return Href(PRINCIPALS)
        case Place.PRINCIPAL:
            return principal_href(location.principal)
        case Place.HOMES:
            return Href(HOMES)
        case Place.HOME:
            return home_href(location.principal)
        case Place.COLLECTION:
            return collection_href(location.principal, location.collection)
        case Place.OBJECT:
            return object_href(location.principal, location.collection, location.name)
