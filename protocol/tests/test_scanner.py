"""The scanner: what it joins, what it keeps, what it refuses, and how fast (RFC 5545 §3.1, RFC 6868)."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Condition, Refusal
from protocol.ical.components import Component, Property, escape, fold, render_component, unescape
from protocol.ical.scanner import DEFAULT, Limits, decode_text, scan
from testing.cost import within


def scan_event(*lines: str, newline: str = "\r\n") -> Component:
    text = newline.join(["BEGIN:VEVENT", *lines, "END:VEVENT", ""])
    return scan(text.encode()).roots[0]


def refusal_of(data: bytes, limits: Limits = DEFAULT) -> Refusal:
    with pytest.raises(Refusal) as caught:
        scan(data, limits)
    return caught.value


@pytest.mark.parametrize("newline", ["\r\n", "\n", "\r", "\r\r\n", "\r\n\r\n", " \r\n"])
def test_line_ends(newline: str) -> None:
    event = scan_event("SUMMARY:Tea", "UID:1", newline=newline)
    assert [line.name for line in event.properties] == ["SUMMARY", "UID"]
    assert event.value("SUMMARY").rstrip() == "Tea"


@pytest.mark.parametrize("newline", ["\r\n", "\n", "\r", "\r\r\n"])
@pytest.mark.parametrize("mark", [" ", "\t"])
def test_folds(newline: str, mark: str) -> None:
    event = scan_event(f"SUMMARY:Tea{newline}{mark} and{newline}{mark}cake", newline=newline)
    assert event.value("SUMMARY") == "Tea andcake"


def test_fold_inside_a_character() -> None:
    encoded = "ü".encode()
    data = b"BEGIN:VEVENT\r\nSUMMARY:T" + encoded[:1] + b"\r\n " + encoded[1:] + b"r\r\nEND:VEVENT"
    assert scan(data).roots[0].value("SUMMARY") == "Tür"


def test_text_of_a_body_whose_folds_cut_characters() -> None:
    whole = "BEGIN:VEVENT\r\nSUMMARY:" + "ü" * 60 + "\r\nEND:VEVENT\r\n"
    data = whole.encode()
    assert decode_text(data) == whole
    cut = data[:41] + b"\r\n " + data[41:]
    with pytest.raises(UnicodeDecodeError):
        cut.decode()
    assert scan(decode_text(cut).encode()).roots == scan(data).roots == scan(cut).roots
    assert max(len(line.encode()) for line in decode_text(cut).split("\r\n")) <= 75


def test_surrogates_folded_apart() -> None:
    high, low = "\ud83d".encode("utf-8", "surrogatepass"), "\ude00".encode("utf-8", "surrogatepass")
    scanned = scan(b"BEGIN:VEVENT\r\nSUMMARY:" + high + b"\r\n " + low + b"\r\nEND:VEVENT\r\n")
    assert scanned.roots[0].value("SUMMARY") == "\N{GRINNING FACE}"
    assert scanned.repairs == ("surrogate-pairs",)


def test_byte_order_mark_and_missing_last_line_end() -> None:
    assert scan(b"\xef\xbb\xbfBEGIN:VEVENT\nEND:VEVENT").roots == [Component("VEVENT")]


def test_only_cr_and_lf_cut_lines() -> None:
    text = "a\x85b\u2028c\u2029d"
    assert scan_event(f"SUMMARY:{text}").value("SUMMARY") == text


def test_control_characters_are_not_read() -> None:
    scanned = scan(b"BEGIN:VEVENT\r\nSUMMARY:a\x00\x0b\x0cb\x1b\x7f\tc\r\nEND:VEVENT\r\n")
    assert scanned.roots[0].value("SUMMARY") == "ab\tc"
    assert scanned.repairs == ("control-characters",)


def test_remarks_of_feeds_outside_the_calendar() -> None:
    scanned = scan(b"X-A:1\nBEGIN:VCALENDAR\nEND:VCALENDAR\nX-COMMENT:cached\n")
    assert scanned.roots == [Component("VCALENDAR")]
    assert refusal_of(b"BEGIN:VCALENDAR\nEND:VCALENDAR\nSUMMARY:1\n").condition is Condition.VALID_CALENDAR_DATA


def test_stray_lines_join_the_line_before() -> None:
    scanned = scan(b"BEGIN:VEVENT\nDESCRIPTION;X=1:one\ntwo words: 2\n\nthree; four\nUID:1\nEND:VEVENT\n")
    event = scanned.roots[0]
    assert event.first("DESCRIPTION").text() == "one\ntwo words: 2\nthree; four"
    assert event.value("UID") == "1"
    assert scanned.repairs == ("stray-lines",)


@pytest.mark.parametrize(
    ("line", "name", "params", "value"),
    [
        ("dtstart;tzid=Europe/Berlin:20240101T000000", "DTSTART", {"TZID": ("Europe/Berlin",)}, "20240101T000000"),
        ('ATTENDEE;CN="A: b; c, d":mailto:a@b', "ATTENDEE", {"CN": ("A: b; c, d",)}, "mailto:a@b"),
        ('X;A="1",2,"3,4":v', "X", {"A": ("1", "2", "3,4")}, "v"),
        ("X;A=a^nb^^c^'d^x:v", "X", {"A": ('a\nb^c"d^x',)}, "v"),
        ("X;A:v", "X", {"A": ("",)}, "v"),
        ("X;A=:v", "X", {"A": ("",)}, "v"),
        ('X;A="unclosed:v', "X", {"A": ("unclosed",)}, "v"),
        ("X-UNKNOWN_1.b:", "X-UNKNOWN_1.B", {}, ""),
        ("SET X-MICROSOFT-CDO-BUSYSTATUS:FREE", "SET X-MICROSOFT-CDO-BUSYSTATUS", {}, "FREE"),
        ("URL:http://a;b=c:1", "URL", {}, "http://a;b=c:1"),
    ],
)
def test_content_lines(line: str, name: str, params: dict[str, tuple[str, ...]], value: str) -> None:
    read = scan_event(line).properties[0]
    assert (read.name, read.value, read.raw) == (name, value, line)
    assert {key: read.param_values(key) for key, _ in read.params} == params
    assert all(read.param(key) == values[0] for key, values in params.items())
    assert read.param("NONE") is None
    assert read.param_values("NONE") == ()


def test_properties_are_compared_by_what_they_say() -> None:
    line = Property.make("X-A", "1", (("P", ("a",)),))
    assert line == Property("X-A", "1", (("P", ("a",)),), 'X-A;P="a":1')
    assert line != Property.make("X-A", "1")
    assert line != "X-A;P=a:1"
    assert "X-A;P=a:1" in repr(line)


def test_text() -> None:
    assert Property.make("X", r"a\, b\; c\\ d\n e\N f\x").text() == "a, b; c\\ d\n e\n fx"


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",))))
def test_escape_round_trip(text: str) -> None:
    assert unescape(escape(text)) == text.replace("\r\n", "\n").replace("\r", "\n")


_VALUES = st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=200)


@given(_VALUES, _VALUES, _VALUES)
def test_lines_round_trip(value: str, first: str, second: str) -> None:
    made = Property.make("X-A", value, (("P", (first, second)),))
    text = render_component(Component("VEVENT", [made], [Component("VALARM")]))
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    event = scan(text.encode()).roots[0]
    assert event == Component("VEVENT", [made], [Component("VALARM")])
    assert event.properties[0].param_values("P") == (first, second)
    assert event.properties[0].value == value


def test_fold_keeps_characters_whole() -> None:
    for line in ("x" * 300, "日本語" * 100, "a" + "é" * 200):
        assert fold(line).replace("\r\n ", "") == line
        assert all(len(piece.encode()) <= 75 for piece in fold(line).split("\r\n"))


@pytest.mark.parametrize(
    ("data", "condition"),
    [
        (b"hello", Condition.VALID_CALENDAR_DATA),
        (b"SUMMARY:x\r\n", Condition.VALID_CALENDAR_DATA),
        (b"BEGIN:VEVENT\r\n", Condition.VALID_CALENDAR_DATA),
        (b"BEGIN:VEVENT\r\nEND:VTODO\r\n", Condition.VALID_CALENDAR_DATA),
        (b"END:VEVENT\r\n", Condition.VALID_CALENDAR_DATA),
        (b"BEGIN:VEVENT\r\nno property\r\nEND:VEVENT", Condition.VALID_CALENDAR_DATA),
        (b"BEGIN:VEVENT\r\nno; property\r\nEND:VEVENT", Condition.VALID_CALENDAR_DATA),
        (b"BEGIN:VEVENT\r\n\xff\xfe\xfd\r\nEND:VEVENT", Condition.VALID_CALENDAR_DATA),
        (b"BEGIN:VEVENT\r\nSUMMARY:M\xfcller\r\nEND:VEVENT", Condition.VALID_CALENDAR_DATA),
    ],
)
def test_refusals(data: bytes, condition: Condition) -> None:
    assert refusal_of(data).condition is condition


def hostile_bodies() -> dict[str, tuple[bytes, Condition]]:
    many = b"".join(b"X-%d:1\r\n" % number for number in range(DEFAULT.properties + 1))
    return {
        "2 MB line": (b"BEGIN:VEVENT\r\nX:" + b"x" * 2_000_000 + b"\r\nEND:VEVENT", Condition.MAX_RESOURCE_SIZE),
        "2 MB folded line": (
            b"BEGIN:VEVENT\r\nX:" + b"x\r\n " * 2_000_000 + b"\r\nEND:VEVENT",
            Condition.MAX_RESOURCE_SIZE,
        ),
        "100,000 parameters": (
            b"BEGIN:VEVENT\r\nX" + b";A=1" * 100_000 + b":1\r\nEND:VEVENT",
            Condition.VALID_CALENDAR_DATA,
        ),
        "3,000 nested components": (
            b"BEGIN:VEVENT\r\n" * 3_000 + b"END:VEVENT\r\n" * 3_000,
            Condition.VALID_CALENDAR_DATA,
        ),
        "too many components": (b"BEGIN:A\r\nEND:A\r\n" * 10_001, Condition.VALID_CALENDAR_DATA),
        "too many properties": (b"BEGIN:VEVENT\r\n" + many + b"END:VEVENT", Condition.VALID_CALENDAR_DATA),
        "11 MB": (b"x" * 11_000_000, Condition.MAX_RESOURCE_SIZE),
        "a quote for every colon": (b"BEGIN:VEVENT\r\nX;" + b'":"' * 300_000 + b"\r\n", Condition.VALID_CALENDAR_DATA),
        "stray lines only": (b"BEGIN:VEVENT\r\n" + b"stray\r\n" * 500_000, Condition.VALID_CALENDAR_DATA),
        "stray lines after one": (b"BEGIN:VEVENT\r\nX:1\r\n" + b"stray\r\n" * 500_000, Condition.VALID_CALENDAR_DATA),
    }


@pytest.mark.parametrize("name", hostile_bodies())
def test_hostile_bodies_are_refused_quickly(name: str) -> None:
    data, condition = hostile_bodies()[name]
    assert refusal_of(data).condition is condition
    assert within(partial(refusal_of, data), 0.5)


def test_limits_are_what_the_caller_says() -> None:
    body = b"BEGIN:VEVENT\r\nX;A=1;B=2:1\r\nBEGIN:VALARM\r\nEND:VALARM\r\nEND:VEVENT\r\n"
    scan(body, Limits(size=len(body), params=2, properties=1, components=2, depth=2))
    for tighter in (
        Limits(size=len(body) - 1),
        Limits(params=1),
        Limits(properties=0),
        Limits(components=1),
        Limits(depth=1),
        Limits(line=9),
    ):
        refusal_of(body, tighter)
