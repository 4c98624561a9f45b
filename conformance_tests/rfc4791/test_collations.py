"""Collations: RFC 4791 §7.5, RFC 4790, RFC 5051."""

import pytest

from conformance_tests.client import Calendar, vcalendar_filter
from testing.builders import event


def match(text: str, collation: str | None, kind: str = "") -> str:
    chosen = f' collation="{collation}"' if collation else ""
    return f'<C:prop-filter name="SUMMARY"><C:text-match{chosen}{kind}>{text}</C:text-match></C:prop-filter>'


@pytest.fixture
def filled(calendar: Calendar) -> Calendar:
    calendar.add("a.ics", event(summary="Büro Meeting"))
    calendar.add("b.ics", event(summary="BÜRO MEETING"))
    calendar.add("c.ics", event(summary="Straße"))
    return calendar


CASES = [
    (None, "meeting", {"a.ics", "b.ics"}),
    ("i;ascii-casemap", "meeting", {"a.ics", "b.ics"}),
    ("i;ascii-casemap", "büro", {"a.ics"}),
    ("i;ascii-casemap", "bÜro", {"b.ics"}),
    ("i;octet", "Meeting", {"a.ics"}),
    ("i;octet", "meeting", set()),
    ("i;unicode-casemap", "büro", {"a.ics", "b.ics"}),
    ("i;unicode-casemap", "BÜRO", {"a.ics", "b.ics"}),
    ("default", "MEETING", {"a.ics", "b.ics"}),
]


@pytest.mark.parametrize(("collation", "text", "names"), CASES)
def test_collation(filled: Calendar, collation: str | None, text: str, names: set[str]) -> None:
    """RFC 4791 §7.5: i;ascii-casemap (the default) folds ASCII only, i;octet nothing, i;unicode-casemap all letters."""
    assert filled.events(match(text, collation)) == names


@pytest.mark.parametrize("collation", ["i;nonsense", "en;primary", ""])
def test_unsupported(filled: Calendar, collation: str) -> None:
    """RFC 4791 §7.5: another collation is refused with CALDAV:supported-collation."""
    text = f'<C:prop-filter name="SUMMARY"><C:text-match collation="{collation}">x</C:text-match></C:prop-filter>'
    filled.query_raw(vcalendar_filter(text)).refused(403, "C:supported-collation")


MATCH_TYPES = [
    ("contains", "uro M", {"a.ics"}, "i;octet"),
    ("equals", "büro meeting", {"a.ics", "b.ics"}, "i;unicode-casemap"),
    ("equals", "büro", set(), "i;unicode-casemap"),
    ("starts-with", "STRA", {"c.ics"}, "i;ascii-casemap"),
    ("ends-with", "meeting", {"a.ics", "b.ics"}, "i;ascii-casemap"),
]


@pytest.mark.parametrize(("kind", "text", "names", "collation"), MATCH_TYPES[1:])
def test_match_types(filled: Calendar, kind: str, text: str, names: set[str], collation: str) -> None:
    """draft-daboo-caldav-extensions §4: match-type equals, starts-with and ends-with."""
    assert filled.events(match(text, collation, f' match-type="{kind}"')) == names
