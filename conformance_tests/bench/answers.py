"""Reading answers, only to check them: multistatus bodies, instances, busy time."""

from __future__ import annotations

import datetime as dt
import re
from urllib.parse import unquote

from lxml import etree

from conformance_tests.bench.data import Window, merge

DAV = "{DAV:}"
DATA = "{urn:ietf:params:xml:ns:caldav}calendar-data"
_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_EVENT = re.compile(r"BEGIN:VEVENT\n(.*?)END:VEVENT", re.DOTALL)


def unfold(text: str) -> str:
    """iCalendar text with whole lines that end in LF."""
    return re.sub(r"\r?\n[ \t]", "", text).replace("\r\n", "\n")


def multistatus(body: bytes) -> dict[str, dict[str, str]]:
    """Last segment of each href -> properties that were found, by name in Clark notation, as text."""
    found: dict[str, dict[str, str]] = {}
    for response in etree.fromstring(body, etree.XMLParser(huge_tree=True)).iterfind(f"{DAV}response"):
        href = unquote(response.findtext(f"{DAV}href") or "").rstrip("/")
        properties = found.setdefault(href.rsplit("/", 1)[-1], {})
        status = response.findtext(f"{DAV}status")
        if status:
            properties["status"] = status
        for propstat in response.iterfind(f"{DAV}propstat"):
            if " 200 " in (propstat.findtext(f"{DAV}status") or ""):
                for each in propstat.findall(f"{DAV}prop/*"):
                    properties[each.tag] = each.text or ""
    return found


def sync_token(body: bytes) -> str:
    """The sync-token of an answer, wherever it stands; empty when there is none."""
    element = etree.fromstring(body, etree.XMLParser(huge_tree=True)).find(f".//{DAV}sync-token")
    return "" if element is None else (element.text or "").strip()


def instances(text: str) -> list[tuple[str, str]]:
    """UID and start of every event in an expanded calendar; a rule in it is reported as a start."""
    found = []
    for event in _EVENT.findall(unfold(text)):
        values = {}
        for line in event.split("\n"):
            name, _, value = line.partition(":")
            values.setdefault(name.split(";")[0], value)
        found.append((values.get("UID", ""), "RRULE" if "RRULE" in values else values.get("DTSTART", "")))
    return found


def _instant(text: str) -> int:
    return int(dt.datetime.strptime(text, "%Y%m%dT%H%M%S%z").timestamp())


def _end(start: int, text: str) -> int:
    if not text.startswith("P"):
        return _instant(text)
    match = _DURATION.fullmatch(text)
    assert match, text
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return start + 604800 * weeks + 86400 * days + 3600 * hours + 60 * minutes + seconds


def busy(text: str, window: Window) -> tuple[Window, ...]:
    """The busy time of a VFREEBUSY within a window, of whatever kind but free."""
    found = []
    for parameters, values in re.findall(r"^FREEBUSY([^:\n]*):(.+)$", unfold(text), re.MULTILINE):
        if "FBTYPE=FREE" in parameters:
            continue
        for value in values.split(","):
            first, _, last = value.strip().partition("/")
            start = _instant(first)
            found.append((max(start, window[0]), min(_end(start, last), window[1])))
    return tuple(merge(each for each in found if each[0] < each[1]))
