"""Every corpus file, read as a PUT reads it: an object or a named refusal, in less than a second."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from protocol.errors import Condition, Refusal
from protocol.ical import compat
from protocol.ical.document import parse_calendar, parse_document
from protocol.ical.index import index_document
from protocol.ical.scanner import STORED
from protocol.ical.split import Splitter
from protocol.model import FOREVER
from protocol.tests.corpus import files

HORIZON = 1_900_000_000
SYNTAX = {Condition.SUPPORTED_CALENDAR_DATA, Condition.VALID_CALENDAR_DATA}
OBJECT = {
    Condition.VALID_CALENDAR_DATA,
    Condition.VALID_CALENDAR_OBJECT_RESOURCE,
    Condition.SUPPORTED_CALENDAR_COMPONENT,
    Condition.SUPPORTED_RSCALE,
}


def put(body: bytes, counts: Counter[str]) -> None:
    begun = time.process_time()
    try:
        parsed = parse_document(body)
        index = index_document(parsed.document, horizon=HORIZON)
    except Refusal as refusal:
        assert refusal.condition in OBJECT
        counts[f"object refused: {refusal.condition.element}"] += 1
    else:
        assert index.uid == parsed.document.uid
        assert index.indexed_until <= FOREVER
        assert all(entry.start < entry.end for entry in index.entries)
        if not any(compat.BY_NAME[repair].treatment is compat.Treatment.TEXT for repair in parsed.repairs):
            assert parsed.data is body
        counts["object accepted"] += 1
        counts.update(f"repair: {repair}" for repair in parsed.repairs)
    assert time.process_time() - begun < 1


@pytest.mark.slow
def test_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    counts: Counter[str] = Counter()
    for name, data in files():
        counts["file"] += 1
        begun = time.process_time()
        try:
            parse_calendar(data, STORED)
            pieces = list(Splitter(data))
        except Refusal as refusal:
            assert refusal.condition in SYNTAX, name
            counts[f"file refused: {refusal.condition.element}"] += 1
            continue
        assert time.process_time() - begun < 1, name
        for _, body in pieces:
            put(body, counts)
        put(data, Counter())
    if counts:
        assert counts["object accepted"] > 10 * counts["file"] // 2
    with capsys.disabled():
        print("\ncorpus:", *(f"{count} {what}," for what, count in sorted(counts.items())))
