"""Calendar data as reports ask for it: RFC 4791 §7.8's examples and §9.6 element by element."""

from __future__ import annotations

import re
import tracemalloc
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Condition, Refusal
from protocol.ical.components import Component, Property, render_component
from protocol.ical.document import Document, parse_calendar
from protocol.ical.recurrence import Budget
from protocol.ical.rendering import CalendarDataRequest, CompRequest, PropRequest, render
from protocol.ical.rendering.expand import MAX_REPEATED
from protocol.ical.scanner import DEFAULT
from protocol.model import TimeRange
from testing.appendix_b import ABCD1, ABCD2, ABCD3, ABCD8, US_EASTERN
from testing.builders import calendar, component
from testing.values import between, document

EASTERN = ZoneInfo("America/New_York")


def never() -> Document:
    raise AssertionError("the document is not needed for this")


def answer(data: bytes, request: CalendarDataRequest, zone=None, **more) -> str:
    """The answer's text, unfolded and with LF."""
    rendered = render(data, lambda: document(data), request, zone, **more)
    assert all(len(line) <= 75 for line in rendered.split(b"\r\n"))
    return rendered.replace(b"\r\n ", b"").replace(b"\r\n", b"\n").decode()


def expanded(data: bytes, start: str, end: str, zone=None) -> list[str]:
    """The components of an expansion as texts, without the VCALENDAR around them."""
    text = answer(data, CalendarDataRequest(expand=between(start, end)), zone)
    assert "TZID" not in text
    parts = re.split("(?=BEGIN:V[ETJF])", text.removesuffix("END:VCALENDAR\n"))
    assert parts[0].startswith("BEGIN:VCALENDAR")
    return parts[1:]


def lines_of(text: str, *names: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(names)]


def test_nothing_asked_is_verbatim() -> None:
    strange = b"begin:vcalendar\nX-ODD : kept\nEND:VCALENDAR"
    assert render(strange, never, CalendarDataRequest()) is strange


# -- RFC 4791 §7.8

RULES = ("RRULE", "RDATE", "EXRULE", "EXDATE")
WANTED = ("SUMMARY", "UID", "DTSTART", "DTEND", "DURATION", *RULES, "RECURRENCE-ID")


def test_7_8_1_partial_retrieval() -> None:
    request = CompRequest(
        "VCALENDAR",
        (PropRequest("VERSION"),),
        (CompRequest("VEVENT", tuple(map(PropRequest, WANTED)), ()), CompRequest("VTIMEZONE")),
    )
    text = answer(ABCD2, CalendarDataRequest(comp=request))
    assert text == ABCD2.decode().replace("\r\n", "\n").replace(
        "PRODID:-//Example Corp.//CalDAV Client//EN\n", ""
    ).replace("DTSTAMP:20060206T001121Z\n", "")


def test_7_8_2_limited_recurrence_set() -> None:
    window = between("20060103T000000Z", "20060105T000000Z")
    text = answer(ABCD2, CalendarDataRequest(limit_recurrence_set=window))
    assert lines_of(text, "SUMMARY") == ["SUMMARY:Event #2", "SUMMARY:Event #2 bis"]
    assert "BEGIN:VTIMEZONE" in text
    assert "RRULE:FREQ=DAILY;COUNT=5" in text
    assert answer(ABCD3, CalendarDataRequest(limit_recurrence_set=window)).encode() == ABCD3.replace(b"\r\n", b"\n")


def test_7_8_3_expanded() -> None:
    first, second = expanded(ABCD2, "20060103T000000Z", "20060105T000000Z")
    assert lines_of(first, "DTSTART", "RECURRENCE-ID", "SUMMARY", "DURATION") == [
        "DTSTART:20060103T170000Z",
        "DURATION:PT1H",
        "RECURRENCE-ID:20060103T170000Z",
        "SUMMARY:Event #2",
    ]
    assert lines_of(second, "DTSTART", "RECURRENCE-ID", "SUMMARY") == [
        "DTSTART:20060104T190000Z",
        "RECURRENCE-ID:20060104T170000Z",
        "SUMMARY:Event #2 bis",
    ]
    (single,) = expanded(ABCD3, "20060103T000000Z", "20060105T000000Z")
    assert "DTSTART:20060104T150000Z\n" in single
    assert "RECURRENCE-ID" not in single
    assert set(single.splitlines()) - {"DTSTART:20060104T150000Z"} < set(ABCD3.decode().splitlines())


def test_7_8_4_limited_free_busy_set() -> None:
    window = between("20060102T000000Z", "20060103T000000Z")
    text = answer(ABCD8, CalendarDataRequest(limit_freebusy_set=window))
    assert lines_of(text, "FREEBUSY") == ["FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060102T100000Z/20060102T120000Z"]
    assert "ORGANIZER" in text


# -- RFC 4791 §9.6.1 to §9.6.4


def test_partial_without_values() -> None:
    comp = CompRequest(
        "VCALENDAR", (), (CompRequest("VEVENT", (PropRequest("ATTENDEE", novalue=True), PropRequest("UID"))),)
    )
    text = answer(ABCD3, CalendarDataRequest(comp=comp))
    assert lines_of(text, "ATTENDEE") == [
        "ATTENDEE;PARTSTAT=ACCEPTED;ROLE=CHAIR:",
        "ATTENDEE;PARTSTAT=NEEDS-ACTION:",
    ]
    assert "VTIMEZONE" not in text


def test_partial_returns_only_what_is_named() -> None:
    comp = CompRequest("VCALENDAR", None, (CompRequest("VEVENT", (PropRequest("DTSTART"),)),))
    text = answer(ABCD3, CalendarDataRequest(comp=comp))
    assert "BEGIN:VTIMEZONE" not in text
    assert "PRODID" in text
    assert lines_of(text, "BEGIN:VEVENT", "DTSTART;", "SUMMARY") == [
        "BEGIN:VEVENT",
        "DTSTART;TZID=US/Eastern:20060104T100000",
    ]


def test_partial_of_an_object_beyond_todays_limits() -> None:
    """A text was within the limits when it was stored; lower limits must not refuse it now."""
    many = calendar(component("VEVENT", "UID:1", *["COMMENT:x"] * (DEFAULT.properties + 1)))
    request = CalendarDataRequest(comp=CompRequest("VCALENDAR", comps=(CompRequest("VEVENT", (PropRequest("UID"),)),)))
    assert "UID:1" in answer(many, request)


def test_partial_of_other_components() -> None:
    comp = CompRequest("VCALENDAR", None, (CompRequest("VTODO"),))
    assert "VEVENT" not in answer(ABCD3, CalendarDataRequest(comp=comp))
    assert answer(ABCD3, CalendarDataRequest(comp=CompRequest("VEVENT"))) == "BEGIN:VCALENDAR\nEND:VCALENDAR\n"
    whole = CalendarDataRequest(comp=CompRequest("VCALENDAR"))
    assert answer(ABCD3, whole).encode() == ABCD3.replace(b"\r\n", b"\n")


def test_partial_of_an_expansion() -> None:
    comp = CompRequest("VCALENDAR", (), (CompRequest("VEVENT", (PropRequest("DTSTART"), PropRequest("DTEND"))),))
    request = CalendarDataRequest(comp=comp, expand=between("20060103T000000Z", "20060104T000000Z"))
    assert answer(ABCD2, request).splitlines() == [
        "BEGIN:VCALENDAR",
        "BEGIN:VEVENT",
        "DTSTART:20060103T170000Z",
        "END:VEVENT",
        "END:VCALENDAR",
    ]


# -- RFC 4791 §9.6.5


def event(*lines: str) -> bytes:
    return calendar(US_EASTERN, component("VEVENT", "UID:1", *lines))


def test_expand_keeps_what_it_does_not_know() -> None:
    long = "X-LONG:" + "ü" * 60
    data = event(
        'DTSTART;TZID=US/Eastern;X-A="b;c":20260301T120000',
        "DTEND;TZID=US/Eastern:20260301T130000",
        "RRULE:FREQ=WEEKLY",
        "EXDATE;TZID=US/Eastern:20260308T120000",
        "RDATE;TZID=US/Eastern:20260310T120000",
        "X-WHEN;TZID=US/Eastern;X-B=1:20260301T120000,20260401T120000",
        "X-ODD;TZID=US/Eastern:soon",
        long,
        *("BEGIN:VALARM", "TRIGGER:-PT15M", "X-APPLE:yes", "END:VALARM"),
    )
    found = expanded(data, "20260308T000000Z", "20260316T000000Z")
    assert [lines_of(item, "DTSTART", "DTEND", "RECURRENCE-ID") for item in found] == [
        ['DTSTART;X-A="b;c":20260310T160000Z', "DTEND:20260310T170000Z", "RECURRENCE-ID:20260310T160000Z"],
        ['DTSTART;X-A="b;c":20260315T160000Z', "DTEND:20260315T170000Z", "RECURRENCE-ID:20260315T160000Z"],
    ]
    for item in found:
        assert not lines_of(item, "RRULE", "EXDATE", "RDATE")
        assert lines_of(item, "X-WHEN", "X-ODD") == ["X-WHEN;X-B=1:20260301T170000Z,20260401T160000Z", "X-ODD:soon"]
        assert long in item
        assert "BEGIN:VALARM\nTRIGGER:-PT15M\nX-APPLE:yes\nEND:VALARM\n" in item


def test_expand_of_all_day_and_floating_events() -> None:
    all_day = event("DTSTART;VALUE=DATE:20260301", "DTEND;VALUE=DATE:20260303", "RRULE:FREQ=DAILY;INTERVAL=7")
    (item,) = expanded(all_day, "20260309T000000Z", "20260315T000000Z")
    assert lines_of(item, "DTSTART", "DTEND", "REC") == [
        "DTSTART;VALUE=DATE:20260308",
        "DTEND;VALUE=DATE:20260310",
        "RECURRENCE-ID;VALUE=DATE:20260308",
    ]
    floating = event("DTSTART:20260301T230000", "DURATION:PT30M", "RRULE:FREQ=DAILY")
    (item,) = expanded(floating, "20260303T040000Z", "20260303T043000Z", EASTERN)
    assert lines_of(item, "DTSTART", "DU", "REC") == [
        "DTSTART:20260302T230000",
        "DURATION:PT30M",
        "RECURRENCE-ID:20260302T230000",
    ]


def test_expand_of_a_nominal_day_that_is_no_24_hours() -> None:
    data = event("DTSTART;TZID=US/Eastern:20260301T120000", "DURATION:P1D", "RRULE:FREQ=WEEKLY;BYDAY=SA,SU")
    found = expanded(data, "20260307T120000Z", "20260309T170000Z")
    assert [lines_of(item, "DTSTART", "DTEND", "DURATION") for item in found] == [
        ["DTSTART:20260307T170000Z", "DTEND:20260308T160000Z"],
        ["DTSTART:20260308T160000Z", "DURATION:P1D"],
    ]


def test_expand_of_a_period_has_its_end() -> None:
    data = event(
        "DTSTART:20260301T120000Z", "RDATE;VALUE=PERIOD:20260302T120000Z/PT3H,20260303T120000Z/20260303T130000Z"
    )
    found = expanded(data, "20260301T000000Z", "20260304T000000Z")
    assert [lines_of(item, "DTSTART", "DTEND") for item in found] == [
        ["DTSTART:20260301T120000Z"],
        ["DTSTART:20260302T120000Z", "DTEND:20260302T150000Z"],
        ["DTSTART:20260303T120000Z", "DTEND:20260303T130000Z"],
    ]


def test_expand_of_overrides_without_a_time_of_their_own() -> None:
    data = calendar(
        component("VTODO", "UID:1", "DTSTART:20260301T120000Z", "DUE:20260301T130000Z", "RRULE:FREQ=DAILY"),
        component("VTODO", "UID:1", "RECURRENCE-ID:20260302T120000Z", "STATUS:COMPLETED"),
    )
    (item,) = expanded(data, "20260302T000000Z", "20260303T000000Z")
    assert lines_of(item, "DTSTART", "DUE", "REC", "STATUS") == [
        "DTSTART:20260302T120000Z",
        "DUE:20260302T130000Z",
        "RECURRENCE-ID:20260302T120000Z",
        "STATUS:COMPLETED",
    ]
    by_due = calendar(component("VTODO", "UID:1", "DUE;VALUE=DATE:20260301", "RRULE:FREQ=DAILY"))
    (item,) = expanded(by_due, "20260302T120000Z", "20260303T000000Z")
    assert lines_of(item, "DTSTART", "DUE", "REC") == [
        "DUE;VALUE=DATE:20260303",
        "RECURRENCE-ID;VALUE=DATE:20260303",
    ]


def test_expand_of_a_todo_that_recurs_by_its_due_is_in_utc() -> None:
    data = calendar(US_EASTERN, component("VTODO", "UID:1", "DUE;TZID=US/Eastern:20260301T120000", "RRULE:FREQ=DAILY"))
    (item,) = expanded(data, "20260302T120000Z", "20260303T000000Z")
    assert lines_of(item, "DUE", "REC") == ["DUE:20260302T170000Z", "RECURRENCE-ID:20260302T170000Z"]


def test_expand_outside_the_range_is_empty() -> None:
    assert expanded(ABCD2, "20070101T000000Z", "20070102T000000Z") == []
    assert expanded(ABCD1, "20070101T000000Z", "20070102T000000Z") == []


def test_expand_of_todos_and_journals() -> None:
    todo = calendar(
        US_EASTERN,
        component("VTODO", "UID:1", "DTSTART;TZID=US/Eastern:20260301T120000", "DUE;TZID=US/Eastern:20260301T130000",
                  "RRULE:FREQ=DAILY"),
    )  # fmt: skip
    (item,) = expanded(todo, "20260302T170000Z", "20260302T180000Z")
    assert lines_of(item, "DTSTART", "DUE", "REC") == [
        "DTSTART:20260302T170000Z",
        "DUE:20260302T180000Z",
        "RECURRENCE-ID:20260302T170000Z",
    ]
    due = calendar(US_EASTERN, component("VTODO", "UID:1", "DUE;TZID=US/Eastern:20260301T120000"))
    (item,) = expanded(due, "20260301T000000Z", "20260302T000000Z")
    assert lines_of(item, "DUE") == ["DUE:20260301T170000Z"]
    bare = calendar(component("VTODO", "UID:1", "SUMMARY:some day"))
    assert len(expanded(bare, "20260301T000000Z", "20260302T000000Z")) == 1
    journal = calendar(component("VJOURNAL", "UID:1", "DTSTART;VALUE=DATE:20260301", "RRULE:FREQ=MONTHLY"))
    (item,) = expanded(journal, "20260401T000000Z", "20260402T000000Z")
    assert lines_of(item, "DTSTART") == ["DTSTART;VALUE=DATE:20260401"]


def test_expand_of_overrides_alone() -> None:
    data = event("RECURRENCE-ID;TZID=US/Eastern:20260301T120000", "DTSTART;TZID=US/Eastern:20260301T140000")
    (item,) = expanded(data, "20260301T000000Z", "20260302T000000Z")
    assert lines_of(item, "DTSTART", "REC") == ["RECURRENCE-ID:20260301T170000Z", "DTSTART:20260301T190000Z"]


def test_expand_of_free_busy_is_the_component() -> None:
    (item,) = expanded(ABCD8, "20060102T000000Z", "20060103T000000Z")
    assert len(lines_of(item, "FREEBUSY")) == 6
    assert expanded(ABCD8, "20070102T000000Z", "20070103T000000Z") == []


def test_expand_within_a_budget() -> None:
    data = event("DTSTART:20260301T120000Z", "RRULE:FREQ=SECONDLY")
    with pytest.raises(Refusal) as refused:
        expanded(data, "20260301T120000Z", "20270301T120000Z")
    assert refused.value.condition is Condition.MAX_INSTANCES


def test_expand_may_not_repeat_a_long_text_without_end() -> None:
    """RFC 4791 §7.8: one small rule with a large text could make an answer of any size."""
    text = "DESCRIPTION:" + "x" * 200_000
    data = event("DTSTART:20260301T120000Z", "RRULE:FREQ=DAILY", text)
    whole_year = CalendarDataRequest(expand=between("20260301T000000Z", "20270301T000000Z"))
    tracemalloc.start()
    with pytest.raises(Refusal) as refused:
        render(data, lambda: document(data), whole_year)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused.value.condition is Condition.MAX_INSTANCES
    assert peak < 8 * 1024 * 1024, "refused before it is made"
    month = expanded(data, "20260301T000000Z", "20260401T000000Z")
    assert len(month) == 31 and all(text in item for item in month)
    comp = CompRequest("VCALENDAR", None, (CompRequest("VEVENT", (PropRequest("DTSTART"),)),))
    year = CalendarDataRequest(comp=comp, expand=between("20260301T000000Z", "20270301T000000Z"))
    assert answer(data, year).count("DTSTART:") == 365, "what was not asked for is not repeated"


def test_expand_measures_in_memory_not_in_characters() -> None:
    data = event("DTSTART:20260301T120000Z", "RRULE:FREQ=DAILY", "DESCRIPTION:" + "\N{GRINNING FACE}" * 200_000)
    assert len(expanded(data, "20260301T000000Z", "20260308T000000Z")) == 7
    with pytest.raises(Refusal):
        expanded(data, "20260301T000000Z", "20260401T000000Z")


def test_expand_never_refuses_an_object_for_its_own_text() -> None:
    data = event("DTSTART:20260301T120000Z", "RRULE:FREQ=DAILY;COUNT=2", *["COMMENT:" + "x" * 1_000_000] * 9)
    assert len(data) > MAX_REPEATED
    assert len(expanded(data, "20260302T000000Z", "20260303T000000Z")) == 1


def test_expand_counts_the_occurrences_that_it_answers() -> None:
    data = event("DTSTART:20260301T120000Z", "RRULE:FREQ=DAILY")
    budget = Budget()
    render(data, lambda: document(data), CalendarDataRequest(expand=between("20260401T000000Z", "20260501T000000Z")),
           None, budget)  # fmt: skip
    assert budget.answered == 30


def test_partial_of_an_expansion_leaves_out_values_and_components() -> None:
    data = event(
        "DTSTART;TZID=US/Eastern;X-A=\"b:c\":20260301T120000", "RRULE:FREQ=DAILY", "SUMMARY:x", "LOCATION:y",
        *("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT15M", "END:VALARM"),
    )  # fmt: skip
    window = between("20260302T000000Z", "20260303T000000Z")
    props = (PropRequest("DTSTART", novalue=True), PropRequest("SUMMARY", novalue=True), PropRequest("RECURRENCE-ID"))
    alarm = CompRequest("VALARM", (PropRequest("TRIGGER"),))
    comp = CompRequest("VCALENDAR", (), (CompRequest("VEVENT", props, (alarm,)),))
    assert answer(data, CalendarDataRequest(comp=comp, expand=window)).splitlines() == [
        "BEGIN:VCALENDAR",
        "BEGIN:VEVENT",
        'DTSTART;X-A="b:c":',
        "RECURRENCE-ID:20260302T170000Z",
        "SUMMARY:",
        *("BEGIN:VALARM", "TRIGGER:-PT15M", "END:VALARM"),
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    for unasked in (CompRequest("VCALENDAR", (), (CompRequest("VTODO"),)), CompRequest("VEVENT")):
        request = CalendarDataRequest(comp=unasked, expand=window)
        assert answer(data, request) == "BEGIN:VCALENDAR\nEND:VCALENDAR\n"
    everything = CalendarDataRequest(comp=CompRequest("VCALENDAR"), expand=window)
    assert answer(data, everything) == answer(data, CalendarDataRequest(expand=window))


def test_limits_of_an_expansion_of_free_busy() -> None:
    window = between("20060102T000000Z", "20060103T000000Z")
    both = CalendarDataRequest(expand=window, limit_freebusy_set=window)
    assert len(lines_of(answer(ABCD8, both), "FREEBUSY")) == 1
    assert answer(ABCD2, both) == answer(ABCD2, CalendarDataRequest(expand=window))


# -- RFC 5545 §3.3.4: years have four digits


@pytest.mark.parametrize(
    ("lines", "start", "end", "ends"),
    [
        (("DTSTART;TZID=US/Eastern:20240101T100000", "DURATION:P3000000D", "RRULE:FREQ=YEARLY;COUNT=2"),
         "20240101T000000Z", "20240201T000000Z", ["DTEND:99991231T235959Z"]),
        (("DTSTART:20240101T100000Z", "RDATE;VALUE=PERIOD:20240102T100000Z/P3000000D"),
         "20240102T000000Z", "20240201T000000Z", ["DTEND:99991231T235959Z"]),
        (("DTSTART;TZID=US/Eastern:99981231T230000", "DURATION:P300D", "RRULE:FREQ=DAILY;COUNT=300"),
         "99991001T000000Z", "99991001T010000Z", None),
        (("DTSTART;TZID=US/Eastern:99981231T230000", "DURATION:PT1H", "RRULE:FREQ=DAILY"),
         "99991231T000000Z", "99991231T235959Z", None),
    ],
)  # fmt: skip
def test_expand_says_the_last_second_for_what_lies_after_it(lines, start, end, ends) -> None:
    found = expanded(event(*lines), start, end)
    said = [line for item in found for line in lines_of(item, "DTSTART", "DTEND", "RECURRENCE-ID")]
    assert all(re.search(r":\d{8}T\d{6}Z$", line) for line in said)
    if ends is not None:
        assert [line for line in said if line.startswith("DTEND")] == ends


@given(day=st.integers(1, 28), hours=st.integers(0, 23), length=st.integers(1, 40), span=st.integers(1, 20))
def test_every_expanded_component_meets_the_range_by_itself(day: int, hours: int, length: int, span: int) -> None:
    data = event(f"DTSTART;TZID=US/Eastern:202603{day:02}T{hours:02}3000", f"DURATION:PT{length}H", "RRULE:FREQ=DAILY")
    window = between("20260307T160000Z", None)
    window = TimeRange(window.start, (window.start or 0) + span * 86400)
    request = CalendarDataRequest(expand=window)
    whole = parse_calendar(render(data, lambda: document(data), request))
    seen = set()
    for item in whole.components:
        seen.add(item.value("RECURRENCE-ID"))
        single = render_component(Component("VCALENDAR", whole.properties, [item])).encode()
        assert render(single, lambda single=single: document(single), request).count(b"BEGIN:VEVENT") == 1
    assert len(seen) == len(whole.components)


# -- RFC 4791 §9.6.6


FOLLOWING = calendar(
    component("VEVENT", "UID:1", "DTSTART:20260301T120000Z", "DTEND:20260301T130000Z", "RRULE:FREQ=DAILY"),
    component("VEVENT", "UID:1", "RECURRENCE-ID:20260303T120000Z", "DTSTART:20260320T120000Z", "SUMMARY:moved far"),
    component("VEVENT", "UID:1", "RECURRENCE-ID:20260305T120000Z", "DTSTART:20260305T150000Z", "SUMMARY:moved near"),
    component(
        "VEVENT", "UID:1", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260310T120000Z", "DTSTART:20260310T140000Z",
        "SUMMARY:from now on",
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("start", "end", "kept"),
    [
        ("20260303T120000Z", "20260303T130000Z", ["moved far"]),
        ("20260320T120000Z", "20260320T123000Z", ["moved far", "from now on"]),
        ("20260305T120000Z", "20260305T123000Z", ["moved near"]),
        ("20260305T150000Z", "20260305T150001Z", ["moved near"]),
        ("20260304T120000Z", "20260304T123000Z", []),
        ("20270101T120000Z", "20270101T123000Z", ["from now on"]),
        ("20260301T000000Z", "20260401T000000Z", ["moved far", "moved near", "from now on"]),
    ],
)
def test_limit_recurrence_set(start: str, end: str, kept: list[str]) -> None:
    text = answer(FOLLOWING, CalendarDataRequest(limit_recurrence_set=between(start, end)))
    assert [line[8:] for line in lines_of(text, "SUMMARY")] == kept
    assert text.count("RRULE") == 1


# -- RFC 4791 §9.6.7


def test_limit_freebusy_set_cuts_lists() -> None:
    data = calendar(
        component(
            "VFREEBUSY",
            "UID:1",
            "FREEBUSY:20260101T100000Z/PT1H,20260102T100000Z/PT1H,20260103T100000Z/20260103T110000Z,nonsense",
        )
    )
    request = CalendarDataRequest(limit_freebusy_set=between("20260102T103000Z", "20260103T100001Z"))
    (line,) = lines_of(answer(data, request), "FREEBUSY")
    assert line == "FREEBUSY:20260102T100000Z/PT1H,20260103T100000Z/20260103T110000Z"
    assert answer(ABCD3, request).encode() == ABCD3.replace(b"\r\n", b"\n")


# -- RFC 7809 §3.1.2


def test_time_zones_by_reference() -> None:
    rendered = render(ABCD3, never, CalendarDataRequest(), timezones_by_reference=True)
    assert rendered == ABCD3.replace(US_EASTERN.replace("\n", "\r\n").encode(), b"")
    custom = ABCD3.replace(b"US/Eastern", b"My Zone")
    assert render(custom, never, CalendarDataRequest(), timezones_by_reference=True) == custom
    assert render(ABCD8, never, CalendarDataRequest(), timezones_by_reference=True) is ABCD8
    part = CalendarDataRequest(comp=CompRequest("VCALENDAR"))
    assert b"VTIMEZONE" not in render(ABCD3, never, part, timezones_by_reference=True)


def test_budget_is_the_callers() -> None:
    window = between("20260301T000000Z", "20270301T000000Z")
    data = event("DTSTART:20260301T120000Z", "RRULE:FREQ=DAILY")
    with pytest.raises(Refusal):
        render(data, lambda: document(data), CalendarDataRequest(expand=window), None, Budget(10))


def test_expand_of_a_duration_that_nobody_can_read() -> None:
    data = event("DTSTART:20260301T120000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=2").replace(b":PT1H", b":later")
    parsed = document(event("DTSTART:20260301T120000Z", "RRULE:FREQ=DAILY;COUNT=2"))
    parsed.master.properties.append(Property("DURATION", "later", (), "DURATION:later"))
    window = between("20260301T000000Z", "20260302T000000Z")
    assert b"DURATION" not in render(data, lambda: parsed, CalendarDataRequest(expand=window))


def test_expand_of_children_with_children() -> None:
    data = event("DTSTART:20260301T120000Z", "BEGIN:VALARM", "TRIGGER:PT0S", "BEGIN:VLOCATION", "NAME:x",
                 "END:VLOCATION", "END:VALARM")  # fmt: skip
    (item,) = expanded(data, "20260301T000000Z", "20260302T000000Z")
    assert "BEGIN:VALARM\nTRIGGER:PT0S\nBEGIN:VLOCATION\nNAME:x\nEND:VLOCATION\nEND:VALARM\n" in item


def test_limit_freebusy_set_beside_other_components() -> None:
    data = calendar(US_EASTERN, component("VFREEBUSY", "UID:1", "FREEBUSY:20260101T100000Z/PT1H"))
    request = CalendarDataRequest(limit_freebusy_set=between("20260102T103000Z", "20260103T100001Z"))
    text = answer(data, request)
    assert "BEGIN:VTIMEZONE" in text
    assert "FREEBUSY:" not in text


def test_limit_recurrence_set_when_nothing_is_near() -> None:
    data = calendar(
        component("VEVENT", "UID:1", "DTSTART:20260301T120000Z", "RRULE:FREQ=DAILY;COUNT=3"),
        component("VEVENT", "UID:1", "RECURRENCE-ID:20260302T120000Z", "DTSTART:20260302T150000Z", "SUMMARY:x"),
    )
    request = CalendarDataRequest(limit_recurrence_set=between("20270101T000000Z", "20270102T000000Z"))
    assert answer(data, request).count("BEGIN:VEVENT") == 1


def test_expand_of_an_availability_is_the_availability() -> None:
    data = calendar(
        US_EASTERN,
        component(
            "VAVAILABILITY",
            "UID:1",
            "DTSTAMP:20260101T000000Z",
            "DTEND:20270101T000000Z",
            *("BEGIN:AVAILABLE", "UID:2", "DTSTAMP:20260101T000000Z", "DTSTART;TZID=US/Eastern:20260302T090000"),
            *("DURATION:PT8H", "RRULE:FREQ=DAILY", "END:AVAILABLE"),
        ),
    )
    request = CalendarDataRequest(expand=between("20260301T000000Z", "20260302T000000Z"))
    assert render(data, lambda: document(data), request) == data
    later = CalendarDataRequest(expand=between("20270301T000000Z", "20270302T000000Z"))
    assert b"VAVAILABILITY" not in render(data, lambda: document(data), later)
