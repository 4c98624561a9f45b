"""Bytes to component trees: unfolding, splitting and the limits (RFC 5545 §3.1).

Rules of this module: it works on bytes until the text is unfolded. It splits lines at CR and LF only, because every
other "line separator" of Unicode is legal inside a value. It checks each limit before the work that the limit bounds.
It knows no property but BEGIN and END, and no component's meaning.

It accepts silently, because nothing is lost: bare LF, CR alone, CR CR LF, blank lines, spaces at the end of BEGIN and
END lines, a byte order mark, folds inside a UTF-8 sequence, a missing last line end, names in any case, and X- lines
that a feed adds before or after its VCALENDAR.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from protocol.errors import Condition, Refusal
from protocol.ical.components import Component, Property, fold


@dataclass(frozen=True, slots=True)
class Limits:
    """What one calendar object resource may hold; the settings use the same defaults."""

    size: int = 10 * 1024 * 1024
    """Octets of the whole body: enough for an inline photograph."""
    line: int = 1024 * 1024
    """Octets of one unfolded line: an inline attachment is one line."""
    params: int = 200
    """Parameters of one line; real ATTENDEE lines have fewer than 20."""
    properties: int = 20_000
    """Properties of one component: a room's EXDATEs of ten years, one per line, are 3,650."""
    components: int = 5_000
    """BEGIN lines of one body: a daily series with every occurrence of ten years overridden."""
    depth: int = 8
    """Components inside components; iCalendar itself needs 4 (VCALENDAR, VEVENT, VALARM, VLOCATION)."""
    attendees: int = 1_000
    """ATTENDEE lines of one component (CALDAV:max-attendees-per-instance)."""
    min_date_time: str = "00020101T000000Z"
    """CALDAV:min-date-time: a year above the minimum of ``datetime``, so that no zone offset passes it."""
    max_date_time: str = "99990101T000000Z"
    """CALDAV:max-date-time: the same at the other end."""


DEFAULT = Limits()

_ANY = 1 << 40
STORED = Limits(_ANY, line=_ANY, params=_ANY, properties=_ANY, components=_ANY, depth=100, attendees=_ANY)
"""For texts that were accepted before: limits that are lower now must not refuse them."""


@dataclass(frozen=True, slots=True)
class Scan:
    """The top-level components of a body, and the repairs made while reading it."""

    roots: list[Component]
    repairs: tuple[str, ...]
    text: str
    """The unfolded text, with LF line ends."""


# Names that nearly every file has: one dictionary look-up shows that a name is well formed and in upper case.
_COMMON = """
ACKNOWLEDGED ACTION ATTACH ATTENDEE BUSYTYPE CALSCALE CATEGORIES CLASS COLOR COMMENT COMPLETED CONFERENCE CONTACT
CREATED DESCRIPTION DTEND DTSTAMP DTSTART DUE DURATION EXDATE EXRULE FREEBUSY GEO IMAGE LAST-MODIFIED LOCATION METHOD
NAME ORGANIZER PERCENT-COMPLETE PRIORITY PRODID RDATE RECURRENCE-ID REFRESH-INTERVAL RELATED-TO REPEAT REQUEST-STATUS
RESOURCES RRULE SEQUENCE SOURCE STATUS STRUCTURED-DATA STYLED-DESCRIPTION SUMMARY TRANSP TRIGGER TZID TZNAME
TZOFFSETFROM TZOFFSETTO TZURL UID URL VERSION X-ALT-DESC X-APPLE-STRUCTURED-LOCATION X-APPLE-TRAVEL-ADVISORY-BEHAVIOR
X-LIC-LOCATION X-MOZ-GENERATION X-MOZ-LASTACK X-WR-ALARMUID X-WR-CALNAME X-WR-TIMEZONE
"""
_NAMES: dict[str, str] = {name: name for name in _COMMON.split()}
_NAME = re.compile(r"[A-Za-z0-9_.-]+\Z")
_OPAQUE_NAME = re.compile(r"SET X-[A-Za-z0-9_.-]+\Z")
_CONTENT_LINE = re.compile(r"\s*(?:SET X-)?[A-Za-z0-9_.-]+\s*[:;]", re.IGNORECASE)
_MOST_STRAY_LINES = 10_000
CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r") + b"\x7f"
"""Characters that no iCalendar value may hold (RFC 5545 §3.1); tab is white space, CR and LF end lines."""
_BOM = b"\xef\xbb\xbf"


def scan(data: bytes, limits: Limits = DEFAULT) -> Scan:
    """The component trees of ``data``; refuses what exceeds a limit, is not UTF-8, or is not iCalendar syntax."""
    if len(data) > limits.size:
        raise Refusal(
            Condition.MAX_RESOURCE_SIZE, f"The body has {len(data)} octets; at most {limits.size} are accepted."
        )
    text, repairs = unfold(data)
    lines = text.split("\n")
    if len(data) > limits.line:
        _check_line_lengths(lines, limits)
    roots, stray = _build(lines, limits)
    if stray:
        lines = join_stray_lines(lines)
        roots, stray = _build(lines, limits)
        repairs = (*repairs, "stray-lines")
        if stray:
            raise _syntax(f"A line is not a property: {stray[:80]!r}.")
    return Scan(roots, repairs, text)


def unfold(data: bytes) -> tuple[str, tuple[str, ...]]:
    """The text of ``data``, unfolded, with LF line ends and without control characters; and the repairs made."""
    repairs: tuple[str, ...] = ()
    if data.startswith(_BOM):
        data = data[3:]
    clean = data.translate(None, CONTROLS)
    if len(clean) != len(data):
        repairs = ("control-characters",)
        data = clean
    data = data.replace(b"\r\n", b"\n")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    data = data.replace(b"\n ", b"").replace(b"\n\t", b"")
    try:
        return data.decode(), repairs
    except UnicodeDecodeError:
        return _decode_surrogates(data), (*repairs, "surrogate-pairs")


def decode_text(data: bytes) -> str:
    """A stored body as text, for answers that carry text; octets that are not UTF-8 by themselves are folded again.

    A fold may stand inside a character (RFC 5545 §3.1), and XML cannot carry half a character.
    """
    try:
        return data.decode()
    except UnicodeDecodeError:
        text, _ = unfold(data)
        return "\r\n".join(map(fold, text.split("\n")))


def _decode_surrogates(data: bytes) -> str:
    """Text whose characters beyond 16 bits were sent as two surrogates (CESU-8), whole or split by a fold."""
    try:
        return data.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeError:
        raise Refusal(Condition.VALID_CALENDAR_DATA, "The body is not UTF-8 text.") from None


def _check_line_lengths(lines: list[str], limits: Limits) -> None:
    longest = max(map(len, lines))
    if longest > limits.line:
        raise Refusal(
            Condition.MAX_RESOURCE_SIZE, f"A line has {longest} characters; at most {limits.line} are accepted."
        )


def _build(lines: list[str], limits: Limits) -> tuple[list[Component], str | None]:
    """The trees of ``lines``, and the first line that is not a content line, if there is one."""
    root = Component("")
    stack = [root]
    add = root.properties.append
    count = 0
    for line in lines:
        head, colon, value = line.partition(":")
        name = _NAMES.get(head)
        if name is not None and colon:
            add(Property(name, value, (), line))
            continue
        if ";" in head:
            property_ = _with_params(line, head, limits)
            if property_ is None:
                return [], line
            add(property_)
            continue
        if not line or line.isspace():
            continue
        name = head.strip().upper()
        if not colon:
            return [], line
        if name == "BEGIN":
            count += 1
            _check_shape(count, len(stack), limits)
            component = Component(value.strip().upper())
            stack[-1].components.append(component)
            stack.append(component)
            add = component.properties.append
        elif name == "END":
            _close(stack, value.strip().upper(), limits)
            add = stack[-1].properties.append
        elif _NAME.match(name) or _OPAQUE_NAME.match(name):
            add(Property(name, value, (), line))
        else:
            return [], line
    if len(stack) > 1:
        raise _syntax(f"{stack[-1].name} is not closed by an END line.")
    outside = [line for line in root.properties if not (root.components and line.name.startswith("X-"))]
    if outside:
        raise _syntax(f"A line is outside of any component: {outside[0].raw[:80]!r}.")
    return root.components, None


def _check_shape(count: int, depth: int, limits: Limits) -> None:
    if depth > limits.depth:
        raise _syntax(f"Components are nested more than {limits.depth} deep.")
    if count > limits.components:
        raise _syntax(f"There are more than {limits.components} components.")


def _close(stack: list[Component], name: str, limits: Limits) -> None:
    component = stack[-1]
    if len(stack) == 1 or component.name != name:
        raise _syntax(f"END:{name[:40]} closes no open component.")
    if len(component.properties) > limits.properties:
        raise _syntax(f"{name} has more than {limits.properties} properties.")
    stack.pop()


def _with_params(line: str, head: str, limits: Limits) -> Property | None:
    """The property of a line with parameters; ``None`` when it is not a content line."""
    if head.count('"') & 1:
        head = _head_with_quoted_colon(line, head)
    elif len(head) == len(line):
        return None
    if head.count(";") > limits.params:
        raise _syntax(f"A line has more than {limits.params} parameters.")
    first = head[: head.index(";")]
    name = _NAMES.get(first)
    if name is None:
        name = first.strip().upper()
        if not (_NAME.match(name) or _OPAQUE_NAME.match(name)):
            return None
        if name in ("BEGIN", "END"):
            raise _syntax(f"{name} takes no parameters.")
    return Property(name, line[len(head) + 1 :], None, line)


def _head_with_quoted_colon(line: str, head: str) -> str:
    """Everything before the first colon outside double quotes; with an unclosed quote, before the first colon."""
    position = len(head)
    quotes = head.count('"')
    while quotes & 1:
        following = line.find(":", position + 1)
        if following < 0:
            return head
        quotes += line.count('"', position, following)
        position = following
    return line[:position]


def is_content_line(line: str) -> bool:
    """Whether a line begins like ``NAME:``, or like ``NAME;`` with a colon after it."""
    return _CONTENT_LINE.match(line) is not None and ":" in line


def join_stray_lines(lines: list[str]) -> list[str]:
    """Lines that are not content lines, joined to the line before with the ``\\n`` that their sender did not escape."""
    joined: list[list[str]] = []
    stray = 0
    for line in lines:
        if not line or line.isspace():
            continue
        if is_content_line(line) or not joined or joined[-1][0].upper().startswith(("BEGIN:", "END:")):
            joined.append([line])
        else:
            joined[-1].append(line)
            stray += 1
            if stray > _MOST_STRAY_LINES:
                raise _syntax(f"More than {_MOST_STRAY_LINES} lines are not properties.")
    return ["\\n".join(pieces) for pieces in joined]


def _syntax(message: str) -> Refusal:
    return Refusal(Condition.VALID_CALENDAR_DATA, message)
