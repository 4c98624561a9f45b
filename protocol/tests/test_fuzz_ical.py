"""Fuzz tests of everything that reads a client's body: only a Refusal may come out, and quickly.

Bodies are made of pieces that parsers stumble over, and mutated at random. The short form always runs, the long form
for ``FUZZ_SECONDS`` seconds (by default an hour).
"""

from __future__ import annotations

import os
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Refusal
from protocol.ical.document import parse_calendar, parse_document, render_component
from protocol.ical.index import index_document
from protocol.ical.scanner import decode_text
from protocol.ical.split import Splitter
from protocol.tests.corpus import files
from testing.lengths import examples

HORIZON = 1_900_000_000
NAMES = [b"DTSTART", b"DTEND", b"DUE", b"DURATION", b"RRULE", b"RDATE", b"EXDATE", b"RECURRENCE-ID", b"UID"]
NAMES += [b"COMPLETED", b"CREATED", b"FREEBUSY", b"TZID", b"TZOFFSETFROM", b"TZOFFSETTO", b"METHOD", b"SEQUENCE"]
NAMES += [b"SUMMARY", b"TRIGGER", b"DTSTAMP", b"X-A", b"", b"\xff", b"BEGIN", b"END"]
PARAMS = [
    b"",
    b"",
    b"",
    b";TZID=Europe/Berlin",
    b";TZID=Own",
    b";VALUE=DATE",
    b';X="a:b;c,d"',
    b';X="',
    b";;=",
    b";A=^n^'",
]
PARAMS += [b";VALUE=PERIOD", b";RANGE=THISANDFUTURE", b";TZID="]
VALUES = [
    b"20240101",
    b"20240331T023000",
    b"20240101T100000Z",
    b"00010101T000000Z",
    b"99991231T235959Z",
    b"PT1H",
    b"-P1W",
]
VALUES += [
    b"P999999999D",
    b"FREQ=DAILY",
    b"FREQ=SECONDLY",
    b"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
    b"FREQ=WEEKLY;COUNT=9",
]
VALUES += [
    b"FREQ=MONTHLY;BYDAY=-1SU,99MO;BYSETPOS=-1",
    b"FREQ=HOURLY;INTERVAL=999999999",
    b"COUNT=1",
    b"FREQ=DAILY;COUNT=0",
]
VALUES += [
    b"FREQ=DAILY;UNTIL=20230101",
    b"1",
    b"",
    b"\\",
    b"\\n\\,",
    b"20240101T100000Z/PT1H,20240102T100000Z/20240102T110000Z",
]
VALUES += [
    b"+0100",
    b"-9999",
    b"20240101,20240102,x",
    b"RSCALE=HEBREW;FREQ=DAILY",
    b"VEVENT",
    b"VTODO",
    b"VALARM",
    b"\xc3",
    b"\x00",
]
COMPONENTS = [
    b"VEVENT",
    b"VEVENT",
    b"VEVENT",
    b"VTODO",
    b"VJOURNAL",
    b"VFREEBUSY",
    b"VAVAILABILITY",
    b"VTIMEZONE",
    b"X-Y",
]
ENDS = [b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\n ", b"\r\r\n"]


def make_body(dice: random.Random) -> bytes:
    """A body that is nearly right: most lines are good, some are not."""
    parts = [b"BEGIN:VCALENDAR\r\n"]
    kind = dice.choice(COMPONENTS)
    for number in range(dice.randint(1, 3)):
        component = kind if dice.random() < 0.95 else dice.choice(COMPONENTS)
        parts.append(b"BEGIN:%s\r\nUID:1\r\n" % component)
        if dice.random() < 0.9:
            values = VALUES[:3] if dice.random() < 0.95 else VALUES[:5]
            parts.append(b"DTSTART%s:%s\r\n" % (dice.choice(PARAMS), dice.choice(values)))
        if number:
            parts.append(b"RECURRENCE-ID:%s\r\n" % dice.choice(VALUES[:3]))
        for _ in range(dice.randint(0, 6)):
            line, value = (
                (dice.choice(NAMES[:-5]), dice.choice(VALUES[:-5]))
                if dice.random() < 0.95
                else (dice.choice(NAMES), dice.choice(VALUES))
            )
            parts.append(line + dice.choice(PARAMS) + b":" + value + dice.choice(ENDS))
        parts.append(b"\r\nEND:%s\r\n" % component)
    parts.append(b"END:VCALENDAR\r\n")
    return b"".join(parts)


def mutate(dice: random.Random, data: bytes) -> bytes:
    """One random change: a piece cut, doubled, moved or overwritten."""
    at, to = sorted((dice.randrange(len(data) + 1), dice.randrange(len(data) + 1)))
    to = min(to, at + 200)
    other = dice.choice([b"", data[at:to] * 2, dice.choice(VALUES), dice.choice(NAMES), dice.randbytes(4)])
    return data[:at] + other + data[to:]


def read(data: bytes) -> None:
    """What a PUT and an import do with a body; any exception but a Refusal is a defect."""
    begun = time.process_time()
    try:
        parse_calendar(data)
        for _, piece in Splitter(data):
            parse_calendar(piece)
    except Refusal:
        pass
    try:
        parsed = parse_document(data)
        if parsed.data is not data:
            assert parse_document(parsed.data).data is parsed.data
        render_component(parsed.document.calendar)
        index = index_document(parsed.document, horizon=HORIZON, cap=50)
        assert len(index.entries) <= max(50, data.count(b"BEGIN:") + data.count(b"/"))
        assert all(entry.start < entry.end for entry in index.entries)
        assert decode_text(data).encode()
    except Refusal:
        pass
    assert time.process_time() - begun < 1


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    read(data)
    read(b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\n" + data + b"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")


@examples(300)
@given(st.randoms(use_true_random=False))
def test_bodies_that_are_nearly_right(dice: random.Random) -> None:
    data = make_body(dice)
    read(data)
    read(mutate(dice, data))


@pytest.mark.long
@pytest.mark.timeout(0)
def test_long_fuzzing() -> None:
    seeds = [data for _, data in files() if 0 < len(data) < 4000]
    ends = time.monotonic() + float(os.environ.get("FUZZ_SECONDS", "3600"))
    number = 0
    while time.monotonic() < ends:
        number += 1
        dice = random.Random(number)
        data = dice.choice(seeds) if seeds and dice.random() < 0.5 else make_body(dice)
        for _ in range(dice.randint(0, 4)):
            data = mutate(dice, data) if data else data
        try:
            read(data)
        except Exception as defect:
            raise AssertionError(f"round {number}: {data!r}") from defect
