"""The map of URLs: which resource a path names, and the one href every resource has (RFC 4918 §5.2).

``/dav/principals/NAME/`` and ``/dav/calendars/NAME/CALENDAR/OBJECT``, below the base path of the server. A path is
split on the raw text first and its segments are decoded after, so that a name may hold any octet. Two spellings of one
name are one resource; hrefs are written in the canonical one. Rules of this module: no look-ups.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from caldav_server.calendaring.access import Opened
from caldav_server.calendaring.opening import OpenCalendar, OpenHome, OpenObject
from caldav_server.http.messages import strip_base_path
from protocol.dav.hrefs import encode_segment, split_path
from protocol.errors import Condition, Refusal
from protocol.model import MAX_KEY_OCTETS, Href

PREFIX = "/dav/"
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
    """The location that a raw path below the base path names.

    Refuses ``NOT_FOUND`` for a path outside the map, ``BAD_REQUEST`` for a name that is too long.
    """
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


class Paths:
    """The hrefs of a server that lives under a base path (empty, or like ``/cal``)."""

    __slots__ = ("base", "homes", "principals", "root")

    def __init__(self, base: str = "") -> None:
        self.base = base
        self.root = Href(base + PREFIX)
        self.principals = Href(f"{self.root}principals/")
        self.homes = Href(f"{self.root}calendars/")

    def parse(self, raw_path: str) -> Location:
        """The location a path of an href names; the base path may be missing, as it is where a proxy adds it."""
        return parse(strip_base_path(raw_path, self.base))

    def principal(self, name: str) -> Href:
        """The principal resource of ``name``."""
        return Href(f"{self.principals}{encode_segment(name)}/")

    def home(self, name: str) -> Href:
        """The calendar home of the principal ``name`` (RFC 4791 §6.2.1)."""
        return Href(f"{self.homes}{encode_segment(name)}/")

    def collection(self, principal: str, collection: str) -> Href:
        """A collection of a home."""
        return Href(f"{self.homes}{encode_segment(principal)}/{encode_segment(collection)}/")

    def object(self, principal: str, collection: str, name: str) -> Href:
        """A calendar object resource."""
        return Href(f"{self.homes}{encode_segment(principal)}/{encode_segment(collection)}/{encode_segment(name)}")

    def href(self, location: Location) -> Href:
        """The canonical href of a location."""
        match location.place:
            case Place.ROOT:
                return self.root
            case Place.PRINCIPALS:
                return self.principals
            case Place.PRINCIPAL:
                return self.principal(location.principal)
            case Place.HOMES:
                return self.homes
            case Place.HOME:
                return self.home(location.principal)
            case Place.COLLECTION:
                return self.collection(location.principal, location.collection)
            case Place.OBJECT:
                return self.object(location.principal, location.collection, location.name)

    def href_of(self, opened: Opened, name: str = "") -> Href:
        """The href of what was opened, or of the member ``name`` in it."""
        owner = opened.owner.name
        if isinstance(opened, OpenObject):
            return self.object(owner, opened.parent.binding.name, opened.meta.name)
        if isinstance(opened, OpenCalendar):
            calendar = opened.binding.name
            return self.object(owner, calendar, name) if name else self.collection(owner, calendar)
        if isinstance(opened, OpenHome):
            return self.collection(owner, name) if name else self.home(owner)
        return self.principal(owner)


@lru_cache(maxsize=16)
def paths_below(base: str) -> Paths:
    """The hrefs below a base path."""
    return Paths(base)
