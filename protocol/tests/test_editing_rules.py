"""Edits of series whose rules cannot simply move: splits and moves, checked by the resulting occurrences."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from protocol.errors import Condition, Refusal
from protocol.ical.editing import Edit, change_all, change_following, change_occurrence, remove_following
from protocol.ical.periods import utc_text
from protocol.ical.recurrence import occurrences
from protocol.tests.editing_cases import NOW, edit, event, nth, override, shown
from testing.builders import calendar, component
from testing.values import at, between, document

LONG = between("20250101T000000Z", "20300101T000000Z")


def starts(data: bytes | None) -> list[str]:
    """The start of every occurrence."""
    return [start for start, _, _ in shown(data, LONG)]


def split_at(data: bytes, start: str, *raw: str) -> tuple[bytes | None, bytes]:
    """Both parts, split at the occurrence that begins at ``start``."""
    (cut,) = (item for item in occurrences(document(data), LONG) if utc_text(item.start) == start)
    split = change_following(document(data), cut, edit(*raw), uid="v", now=NOW)
    return split.before, split.after


def is_whole(data: bytes, start: str) -> bool:
    """Whether the parts of a split make up the series, with each occurrence once and in the right part."""
    before, after = split_at(data, start)
    whole = shown(data, LONG)
    first, second = shown(before, LONG), shown(after, LONG)
    assert first == [item for item in whole if item[0] < start]
    assert second == [item for item in whole if item[0] >= start]
    return bool(first and second)


# -- a split after a THISANDFUTURE override


def from_then_on(*more: str, rule: str = "FREQ=WEEKLY;COUNT=10", moved_to: str = "20260316T140000Z") -> bytes:
    """A weekly series from 2 March 2026, 10:00 UTC, moved and stretched from its third occurrence on."""
    return event(
        "DTSTART:20260302T100000Z", "DURATION:PT1H", f"RRULE:{rule}", "SUMMARY:a", "LOCATION:x", *more,
        more=(override("RECURRENCE-ID;RANGE=THISANDFUTURE:20260316T100000Z", f"DTSTART:{moved_to}", "DURATION:PT2H",
                       "SUMMARY:b"),),
    )  # fmt: skip


@pytest.mark.parametrize("moved_to", ["20260316T140000Z", "20260316T100000Z", "20260318T013000Z"])
def test_a_split_keeps_an_earlier_this_and_future_change(moved_to: str) -> None:
    """RFC 5545 §3.2.13: the occurrences after the override are like it, even in an object of their own."""
    data = from_then_on("EXDATE:20260413T100000Z", moved_to=moved_to)
    found = shown(data, LONG)
    for number in (2, 5):
        before, after = split_at(data, found[number][0], "SUMMARY:c")
        assert shown(before, LONG) == found[:number]
        assert shown(after, LONG) == [(start, end, "c") for start, end, _ in found[number:]]
        assert document(after).overrides == ()
        assert document(after).master.first("LOCATION") is None


def test_a_split_keeps_later_changes_beside_an_earlier_this_and_future_change() -> None:
    data = event(
        "DTSTART:20260302T100000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=10", "SUMMARY:a",
        "RDATE:20260415T100000Z",
        more=(
            override("RECURRENCE-ID;RANGE=THISANDFUTURE:20260309T100000Z", "DTSTART:20260309T120000Z", "DURATION:PT2H",
                     "SUMMARY:b"),
            override("RECURRENCE-ID:20260406T100000Z", "DTSTART:20260407T100000Z", "DURATION:PT1H", "SUMMARY:own"),
            override("RECURRENCE-ID;RANGE=THISANDFUTURE:20260420T100000Z", "DTSTART:20260420T160000Z", "DURATION:PT3H",
                     "SUMMARY:c"),
        ),
    )  # fmt: skip
    assert is_whole(data, "20260330T120000Z")


def test_a_split_after_a_this_and_future_change_that_the_rule_cannot_say() -> None:
    """The change stays an override of the second part; a new time for the whole part turns it into dates."""
    data = from_then_on(rule="FREQ=DAILY;BYHOUR=10,22;BYDAY=MO,TU;COUNT=20")
    found = shown(data, LONG)
    before, after = split_at(data, "20260330T140000Z", "SUMMARY:c")
    assert shown(before, LONG) == [item for item in found if item[0] < "20260330T140000Z"]
    assert shown(after, LONG) == [(start, end, "c") for start, end, _ in found if start >= "20260330T140000Z"]
    assert is_whole(data, "20260331T140000Z")
    _, later = split_at(data, "20260330T140000Z", "DTSTART:20260330T150000Z")
    assert [at(start) for start in starts(later)] == [
        at(start) + 3600 for start, _, _ in found if start >= "20260330T140000Z"
    ]
    endless = from_then_on(rule="FREQ=DAILY;BYHOUR=10,22;BYDAY=MO,TU")
    with pytest.raises(Refusal) as refused:
        split_at(endless, "20260330T140000Z", "DTSTART:20260330T150000Z")
    assert refused.value.condition is Condition.VALID_CALENDAR_OBJECT_RESOURCE
    earlier_date = from_then_on("RDATE:20260328T100000Z", rule="FREQ=DAILY;BYHOUR=10,22;BYDAY=MO,TU;COUNT=20")
    assert is_whole(earlier_date, "20260328T140000Z")


def test_a_split_after_a_this_and_future_change_without_a_time() -> None:
    """RFC 5545 §3.6.2: a VTODO needs no time; an override without one leaves its occurrences in place."""
    todo = component("VTODO", "UID:u", "DTSTART:20260302T100000Z", "DUE:20260302T110000Z", "RRULE:FREQ=DAILY;COUNT=6",
                     "SUMMARY:a")  # fmt: skip
    data = calendar(todo, component("VTODO", "UID:u", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260304T100000Z",
                                    "SUMMARY:b", "DURATION:PT9H"))  # fmt: skip
    found = shown(data, LONG)
    before, after = split_at(data, found[4][0], "SUMMARY:c")
    assert shown(before, LONG) == found[:4]
    assert shown(after, LONG) == [(start, end, "c") for start, end, _ in found[4:]]


# -- a split whose new DTSTART does not imply what the old one implied


@pytest.mark.parametrize(
    ("start", "rule", "cut"),
    [
        ("20260131", "RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD;COUNT=20", "20260228T000000Z"),
        ("20260131", "RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=FORWARD;COUNT=20", "20260301T000000Z"),
        ("20240229", "RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FORWARD;COUNT=5", "20250301T000000Z"),
        ("20260131", "RSCALE=GREGORIAN;FREQ=MONTHLY;INTERVAL=2;SKIP=FORWARD;COUNT=20", "20261001T000000Z"),
    ],
)
def test_a_split_keeps_the_day_that_skip_moved(start: str, rule: str, cut: str) -> None:
    """RFC 7529 §4.1: a day that is missing this time still counts the next time."""
    assert is_whole(event(f"DTSTART;VALUE=DATE:{start}", f"RRULE:{rule}", "SUMMARY:a"), cut) or start < "2025"


@pytest.mark.parametrize(
    "lines",
    [
        ("RRULE:FREQ=WEEKLY;INTERVAL=2", "RRULE:FREQ=DAILY;INTERVAL=3;COUNT=9"),
        ("RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=6", "RRULE:FREQ=DAILY;INTERVAL=3;COUNT=30"),
        ("RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=20260501T100000Z", "RRULE:FREQ=DAILY"),
        ("RRULE:FREQ=WEEKLY;BYDAY=MO,FR;COUNT=20", "EXRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4"),
        ("RRULE:FREQ=DAILY;COUNT=60", "EXRULE:FREQ=WEEKLY;INTERVAL=2"),
        ("RRULE:FREQ=DAILY;COUNT=9", "RRULE:FREQ=DAILY;BYHOUR=17;COUNT=9", "EXRULE:FREQ=DAILY;INTERVAL=4"),
        ("RRULE:FREQ=DAILY;COUNT=5", "EXRULE:FREQ=MONTHLY", "RDATE:20260402T100000Z,20260403T100000Z"),
        ("RRULE:FREQ=MINUTELY;INTERVAL=90;BYHOUR=9,10,11;COUNT=20", "RRULE:FREQ=WEEKLY;BYMONTHDAY=2,5,9;COUNT=5"),
        ("RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=20260501T080000Z", "EXRULE:FREQ=YEARLY", "RRULE:FREQ=DAILY;COUNT=9999999"),
        ("RRULE:FREQ=DAILY;BYHOUR=10;BYMINUTE=0;BYSECOND=0;COUNT=9", "RRULE:FREQ=HOURLY;INTERVAL=5;COUNT=9"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", [";TZID=Europe/Berlin:20260302T100000", ":20260302T100000Z"])
def test_a_split_keeps_the_phase_of_every_rule(lines: tuple[str, ...], form: str) -> None:
    data = event(f"DTSTART{form}", "DURATION:PT1H", "SUMMARY:a", *lines)
    whole = starts(data)
    cuts = [is_whole(data, start) for start in whole[1 : min(len(whole), 25)] if _is_finite_or_early(lines, start)]
    assert cuts
    assert all(cuts)


def _is_finite_or_early(lines: tuple[str, ...], start: str) -> bool:
    """Endless rules of another phase are refused; another test covers that."""
    endless = [line for line in lines if "COUNT" not in line and "UNTIL" not in line and line.startswith("RRULE")]
    return "INTERVAL=2" not in "".join(endless) or start < "20260309"


def test_a_split_of_endless_rules_of_different_phase_is_refused() -> None:
    data = event("DTSTART:20260302T100000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;INTERVAL=2",
                 "RRULE:FREQ=DAILY;INTERVAL=3", "SUMMARY:a")  # fmt: skip
    with pytest.raises(Refusal) as refused:
        split_at(data, "20260311T100000Z")
    assert refused.value.condition is Condition.VALID_CALENDAR_OBJECT_RESOURCE
    assert starts(remove_following(document(data), nth(data, 4), now=NOW)) == starts(data)[:4]


def test_a_split_at_dtstart_leaves_earlier_dates_alone() -> None:
    """RFC 5545 §3.8.5.2: an RDATE before DTSTART belongs to the first part, DTSTART to the second."""
    data = event("DTSTART:20260310T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=10", "SUMMARY:a",
                 "RDATE:20260301T100000Z,20260302T100000Z", "EXDATE:20260305T100000Z,20260312T100000Z",
                 more=(override("RECURRENCE-ID:20260302T100000Z", "DTSTART:20260302T120000Z", "SUMMARY:own"),
                       override("RECURRENCE-ID:20260305T100000Z", "DTSTART:20260305T120000Z", "SUMMARY:left over")),
                 )  # fmt: skip
    assert is_whole(data, "20260310T100000Z")
    shorter = remove_following(document(data), nth(data, 2), now=NOW)
    assert starts(shorter) == ["20260301T100000Z", "20260302T120000Z"]
    only_left_over = event("DTSTART:20260310T100000Z", "RRULE:FREQ=DAILY;COUNT=3",
                           more=(override("RECURRENCE-ID:20260305T100000Z", "DTSTART:20260305T120000Z"),))  # fmt: skip
    assert remove_following(document(only_left_over), nth(only_left_over, 0), now=NOW) is None


# -- exceptions of a series that moves


def moved_by(data: bytes, start: str, seconds: int, *expected_lines: str) -> None:
    """Every occurrence moved by as many seconds as DTSTART (UTC) when it becomes ``start``."""
    changed = change_all(document(data), edit(f"DTSTART:{start}"), now=NOW)
    wanted = sorted(
        (at(old) + seconds, at(end) + seconds, title) for old, end, title in shown(data, LONG) if title != "own"
    )
    assert sorted((at(a), at(b), title) for a, b, title in shown(changed, LONG) if title != "own") == wanted
    for text in expected_lines:
        assert f"{text}\r\n" in changed.decode()


@pytest.mark.parametrize(
    ("rule", "start", "excluded", "overridden", "to", "seconds", "expected"),
    [
        ("FREQ=DAILY;BYHOUR=9,17;COUNT=10", "20260302T090000Z", "20260304T170000Z", "20260303T170000Z",
         "20260302T100000Z", 3600, "RRULE:FREQ=DAILY;BYHOUR=10,18;COUNT=10"),
        ("FREQ=DAILY;BYHOUR=9,23;COUNT=10", "20260302T090000Z", "20260304T230000Z", "20260303T230000Z",
         "20260302T100000Z", 3600, "RRULE:FREQ=DAILY;BYHOUR=0,10;COUNT=10"),
        ("FREQ=HOURLY;BYMINUTE=0,30;COUNT=10", "20260302T090000Z", "20260302T103000Z", "20260302T113000Z",
         "20260302T094000Z", 2400, "RRULE:FREQ=HOURLY;BYMINUTE=10,40;COUNT=10"),
        ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR;COUNT=10", "20260302T230000Z", "20260306T230000Z", "20260309T230000Z",
         "20260303T010000Z", 7200, "RRULE:FREQ=DAILY;BYDAY=TU,WE,TH,FR,SA;COUNT=10"),
        ("FREQ=MONTHLY;BYMONTHDAY=2,15;UNTIL=20260615T230000Z", "20260302T230000Z", "20260315T230000Z",
         "20260402T230000Z", "20260303T010000Z", 7200, "RRULE:FREQ=MONTHLY;BYMONTHDAY=3,16;UNTIL=20260616T010000Z"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=9", "20260331T230000Z", "20260430T230000Z", "20260531T230000Z",
         "20260401T010000Z", 7200, "RRULE:FREQ=MONTHLY;BYMONTHDAY=1;COUNT=9"),
        ("FREQ=MONTHLY;BYMONTHDAY=1;COUNT=9", "20260301T010000Z", "20260401T010000Z", "20260501T010000Z",
         "20260228T230000Z", -7200, "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=9"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;COUNT=6", "20260302T090000Z", "20260308T090000Z", "20260316T090000Z",
         "20260303T090000Z", 86400, "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,MO;COUNT=6;WKST=TU"),
        ("FREQ=WEEKLY;BYDAY=MO,FR;COUNT=6", "20260302T090000Z", "20260306T090000Z", "20260309T090000Z",
         "20260303T090000Z", 86400, "RRULE:FREQ=WEEKLY;BYDAY=TU,SA;COUNT=6"),
    ],
)  # fmt: skip
def test_exceptions_move_with_their_rule(
    rule: str, start: str, excluded: str, overridden: str, to: str, seconds: int, expected: str
) -> None:
    """RFC 5545 §3.8.5.1, §3.8.4.4: deleted occurrences stay deleted, changed ones are shown once."""
    data = event(f"DTSTART:{start}", "DURATION:PT1H", f"RRULE:{rule}", f"EXDATE:{excluded}", "SUMMARY:a",
                 more=(override(f"RECURRENCE-ID:{overridden}", "DTSTART:20260407T033000Z", "SUMMARY:own"),),
                 )  # fmt: skip
    assert len(shown(data, LONG)) == len(shown(event(f"DTSTART:{start}", f"RRULE:{rule}"), LONG)) - 1
    moved_by(data, to, seconds, expected)


def exceptions_after(rule: str, start: str, to: str, excluded: str, overridden: str) -> list[str]:
    """The starts of a moved series, without the one that has its own time."""
    data = event(f"DTSTART:{start}", "DURATION:PT1H", f"RRULE:{rule}", f"EXDATE:{excluded}", "SUMMARY:a",
                 more=(override(f"RECURRENCE-ID:{overridden}", "DTSTART:20260407T033000Z", "SUMMARY:own"),),
                 )  # fmt: skip
    changed = change_all(document(data), edit(f"DTSTART:{to}"), now=NOW)
    return [first for first, _, title in shown(changed, LONG) if title != "own"]


def test_a_rule_that_cannot_move_becomes_dates() -> None:
    """The 1st and the 31st, or 9:00 and 23:00 on Mondays and Tuesdays, have no rule an hour or a day later."""
    for rule, start, to, seconds, excluded, overridden in (
        ("FREQ=DAILY;BYDAY=MO,TU;BYHOUR=9,23;COUNT=7", "20260302T090000Z", "20260302T100000Z", 3600,
         "20260302T230000Z", "20260303T230000Z"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,31;COUNT=6", "20260301T230000Z", "20260302T010000Z", 7200,
         "20260331T230000Z", "20260501T230000Z"),
        ("FREQ=MONTHLY;BYMONTHDAY=2,31;UNTIL=20270731T000000Z", "20260331T100000Z", "20260330T100000Z", -86400,
         "20260531T100000Z", "20260502T100000Z"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=9", "20260331T100000Z", "20260401T100000Z", 86400,
         "20260430T100000Z", "20260529T100000Z"),
    ):  # fmt: skip
        data = event(f"DTSTART:{start}", "DURATION:PT1H", f"RRULE:{rule}", f"EXDATE:{excluded}", "SUMMARY:a",
                     "RDATE:20260312T080000Z", "EXDATE;VALUE=DATE:20260314",
                     more=(override(f"RECURRENCE-ID:{overridden}", "DTSTART:20260407T033000Z", "SUMMARY:own"),),
                     )  # fmt: skip
        moved_by(data, to, seconds)
        changed = change_all(document(data), edit(f"DTSTART:{to}"), now=NOW)
        assert document(changed).master.first("RRULE") is None
        assert [title for _, _, title in shown(changed, LONG)].count("own") == 1


@pytest.mark.parametrize(
    ("rule", "start", "to"),
    [
        ("FREQ=DAILY;BYDAY=MO,TU;BYHOUR=9,23", "20260302T090000Z", "20260302T100000Z"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,31", "20260301T100000Z", "20260302T100000Z"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "20260331T100000Z", "20260401T100000Z"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,31;COUNT=900", "20260301T100000Z", "20260302T100000Z"),
    ],
)
def test_an_endless_rule_that_cannot_move_is_refused(rule: str, start: str, to: str) -> None:
    """Programs disagree about a series whose rule does not yield its DTSTART (RFC 5545 §3.8.5.3)."""
    data = event(f"DTSTART:{start}", "DURATION:PT1H", f"RRULE:{rule}", "SUMMARY:a")
    with pytest.raises(Refusal) as refused:
        change_all(document(data), edit(f"DTSTART:{to}"), now=NOW)
    assert refused.value.condition is Condition.VALID_CALENDAR_OBJECT_RESOURCE
    with_rule = change_all(document(data), edit(f"DTSTART:{to}", "RRULE:FREQ=WEEKLY;COUNT=2"), now=NOW)
    assert starts(with_rule)[0] == to


@pytest.mark.parametrize(
    ("rule", "start", "to", "expected"),
    [
        ("FREQ=MONTHLY;BYMONTHDAY=31;COUNT=3", "20260131", "20260201", "FREQ=MONTHLY;BYMONTHDAY=1;COUNT=3"),
        ("FREQ=MONTHLY;COUNT=3", "20260131", "20260201", "FREQ=MONTHLY;COUNT=3"),
        ("FREQ=YEARLY", "20240229", "20240301", "FREQ=YEARLY"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "20240229", "20240301", "FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=1"),
    ],
)
def test_a_rule_that_names_its_first_day_names_the_new_one(rule: str, start: str, to: str, expected: str) -> None:
    """The 31st becomes the 1st of every month: the rule states what the user reads."""
    data = event(f"DTSTART;VALUE=DATE:{start}", f"RRULE:{rule}", "SUMMARY:a")
    changed = change_all(document(data), edit(f"DTSTART;VALUE=DATE:{to}"), now=NOW)
    assert document(changed).master.value("RRULE") == expected


@pytest.mark.parametrize(
    ("rule", "start", "days", "expected"),
    [
        ("FREQ=YEARLY;BYYEARDAY=60,100;COUNT=9", "20260301", 1, "FREQ=YEARLY;BYYEARDAY=61,101;COUNT=9"),
        ("FREQ=YEARLY;BYYEARDAY=-1;COUNT=3", "20261231", 1, "FREQ=YEARLY;BYYEARDAY=1;COUNT=3"),
        ("FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=1,3,5,12;COUNT=9", "20260131", 1,
         "FREQ=MONTHLY;BYMONTHDAY=1;BYMONTH=2,4,6,1;COUNT=9"),
    ],
)  # fmt: skip
def test_days_of_the_year_and_months_move_along(rule: str, start: str, days: int, expected: str) -> None:
    data = event(f"DTSTART;VALUE=DATE:{start}", f"RRULE:{rule}", "SUMMARY:a")
    to = utc_text(at(f"{start}T000000Z") + days * 86400)[:8]
    changed = change_all(document(data), edit(f"DTSTART;VALUE=DATE:{to}"), now=NOW)
    assert document(changed).master.value("RRULE") == expected
    assert [at(start) for start in starts(changed)] == [at(start) + days * 86400 for start in starts(data)]


def test_a_series_moves_whose_rule_yields_nothing_at_great_cost() -> None:
    data = event("DTSTART:20260302T090000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;BYMONTH=2;BYDAY=MO;BYSETPOS=5",
                 "RDATE;VALUE=DATE:20260320", "SUMMARY:a")  # fmt: skip
    changed = document(change_all(document(data), edit("DTSTART:20260303T100000Z"), now=NOW))
    assert changed.master.value("RRULE") == "FREQ=WEEKLY;BYMONTH=2;BYDAY=MO;BYSETPOS=5"
    assert changed.master.first("RDATE").raw == "RDATE:20260321T100000Z"


def test_a_move_that_costs_too_much_is_refused() -> None:
    """RFC 4791 §5.2.8: many exceptions of rules that cannot all move are more work than an edit may do."""
    rules = ["RRULE:FREQ=MONTHLY;BYMONTHDAY=31;BYHOUR=9"] * 20
    days = ",".join(f"20{year}{month:02}{day:02}T080000Z" for year in (27, 28, 29) for month in range(1, 13)
                    for day in range(1, 29))  # fmt: skip
    data = event("DTSTART:20260331T090000Z", *rules, f"EXDATE:{days}")
    with pytest.raises(Refusal) as refused:
        change_all(document(data), edit("DTSTART:20260401T090000Z"), now=NOW)
    assert refused.value.condition is Condition.MAX_INSTANCES


def test_exceptions_of_a_monthly_rule_stay_in_their_month() -> None:
    assert exceptions_after(
        "FREQ=MONTHLY;BYDAY=1FR;UNTIL=20260807T100000Z", "20260306T100000Z", "20260314T100000Z",
        "20260807T100000Z", "20260605T100000Z",
    ) == ["20260314T100000Z", "20260411T100000Z", "20260509T100000Z", "20260711T100000Z"]  # fmt: skip
    assert exceptions_after(
        "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=5", "20260331T100000Z", "20260330T100000Z",
        "20260531T100000Z", "20260731T100000Z",
    ) == ["20260330T100000Z", "20260430T100000Z", "20260630T100000Z"]  # fmt: skip


def test_whole_days_excluded_from_a_timed_series_move_with_their_occurrences() -> None:
    data = event("DTSTART:20260302T230000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=5", "SUMMARY:a",
                 "EXDATE;VALUE=DATE:20260304")  # fmt: skip
    moved_by(data, "20260303T010000Z", 7200, "EXDATE;VALUE=DATE:20260305")
    twice = event("DTSTART:20260302T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;BYHOUR=9,23;COUNT=8", "SUMMARY:a",
                  "EXDATE;VALUE=DATE:20260304")  # fmt: skip
    moved_by(twice, "20260302T100000Z", 3600, "EXDATE:20260304T100000Z,20260305T000000Z")


def test_an_exclusion_rule_excludes_the_same_occurrences_after_a_move() -> None:
    data = event("DTSTART:20260302T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=40", "SUMMARY:a",
                 "EXRULE:FREQ=WEEKLY;BYDAY=WE")  # fmt: skip
    moved_by(data, "20260303T100000Z", 86400, "EXRULE:FREQ=WEEKLY;BYDAY=TH")
    numbered = event("DTSTART:20260302T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=40", "SUMMARY:a",
                     "EXRULE:FREQ=MONTHLY;BYMONTHDAY=5,31")  # fmt: skip
    moved_by(numbered, "20260303T100000Z", 86400, "EXDATE:20260306T100000Z,20260401T100000Z,20260406T100000Z")
    endless = event("DTSTART:20260302T100000Z", "RRULE:FREQ=DAILY", "EXRULE:FREQ=MONTHLY;BYMONTHDAY=5,31")
    with pytest.raises(Refusal) as refused:
        change_all(document(endless), edit("DTSTART:20260303T100000Z"), now=NOW)
    assert refused.value.condition is Condition.VALID_CALENDAR_OBJECT_RESOURCE


def test_an_exclusion_rule_of_a_todo_by_due_moves() -> None:
    data = calendar(component("VTODO", "UID:u", "DUE:20260302T100000Z", "RRULE:FREQ=DAILY;COUNT=9", "SUMMARY:a",
                              "EXRULE:FREQ=MONTHLY;BYMONTHDAY=5,31"))  # fmt: skip
    changed = change_all(document(data), edit("DTSTART:20260303T100000Z", "DURATION:PT1H"), now=NOW)
    assert starts(changed) == [f"202603{day:02}T100000Z" for day in (3, 4, 5, 7, 8, 9, 10, 11)]


def test_one_occurrence_whose_end_comes_twice_is_said_in_utc() -> None:
    """RFC 5545 §3.3.5, §3.8.2.2: the override states the end of the occurrence."""
    data = event("DTSTART;TZID=Europe/Berlin:20261020T230000", "DTEND;TZID=Europe/Berlin:20261021T030000",
                 "RRULE:FREQ=DAILY;COUNT=9", "SUMMARY:a")  # fmt: skip
    changed = change_occurrence(document(data), nth(data, 4), edit("SUMMARY:b"), now=NOW)
    assert [item[:2] for item in shown(changed)] == [item[:2] for item in shown(data)]
    assert "DTEND:20261025T010000Z\r\n" in changed.decode()


def test_an_exception_written_in_utc_in_a_gap_moves_with_its_occurrence() -> None:
    """RFC 5545 §3.3.5: 02:30 on 29 March is 01:30 UTC, which the clock shows as 03:30."""
    data = event("DTSTART;TZID=Europe/Berlin:20260320T023000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=20",
                 "EXDATE:20260329T013000Z", "SUMMARY:a")  # fmt: skip
    assert len(starts(data)) == 19
    changed = change_all(document(data), edit("DTSTART;TZID=Europe/Berlin:20260320T033000"), now=NOW)
    assert "20260329T013000Z" not in starts(changed)
    assert len(starts(changed)) == 19


RULES = st.sampled_from(
    [
        "FREQ=DAILY;INTERVAL=2",
        "FREQ=DAILY;BYHOUR=9,17",
        "FREQ=DAILY;BYDAY=MO,WE,FR",
        "FREQ=DAILY;BYDAY=MO,WE,FR;BYHOUR=2,9,23",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH,SU",
        "FREQ=WEEKLY;BYDAY=MO,SU;BYHOUR=9,22;BYMINUTE=0,30",
        "FREQ=MONTHLY;BYMONTHDAY=2,28",
        "FREQ=MONTHLY;BYMONTHDAY=2,-1",
        "FREQ=MONTHLY;BYDAY=1MO",
        "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=1",
        "FREQ=HOURLY;INTERVAL=7;BYMINUTE=0,20",
        "FREQ=YEARLY;BYMONTH=3,9;BYDAY=MO",
    ]
)


@given(
    rule=RULES,
    hours=st.integers(-50, 50),
    minutes=st.sampled_from([0, 0, 15]),
    deleted=st.sets(st.integers(1, 11), min_size=1, max_size=3),
    changed=st.integers(1, 11),
)
def test_no_exception_is_lost_when_a_series_moves(
    rule: str, hours: int, minutes: int, deleted: set[int], changed: int
) -> None:
    """All move by the same time, unless the rule names DTSTART's day; deleted ones stay deleted."""
    assume(changed not in deleted)
    lines = ["DTSTART:20260302T090000Z", "DURATION:PT1H", f"RRULE:{rule};COUNT=12", "SUMMARY:a"]
    plain = starts(event(*lines))
    excluded = f"EXDATE:{','.join(plain[number] for number in sorted(deleted))}"
    one = override(f"RECURRENCE-ID:{plain[changed]}", "DTSTART:20250601T000000Z", "SUMMARY:own")
    data = event(*lines, excluded, more=(one,))
    to = at("20260302T090000Z") + hours * 3600 + minutes * 60
    moved = change_all(document(data), edit(f"DTSTART:{utc_text(to)}"), now=NOW)
    without = change_all(document(event(*lines)), edit(f"DTSTART:{utc_text(to)}"), now=NOW)
    own = [item for item in shown(moved, LONG) if item[2] == "own"]
    assert len(own) == 1
    there = set(starts(without))
    gone = there - {start for start, _, title in shown(moved, LONG) if title != "own"}
    assert set(starts(moved)) - {own[0][0]} <= there
    shift = to - at("20260302T090000Z")
    names_its_day = rule == "FREQ=MONTHLY;BYDAY=1MO" and to // 86400 != at("20260302T090000Z") // 86400
    if not names_its_day:
        assert there == {utc_text(at(start) + shift) for start in plain}
        assert len(gone) == len(deleted) + 1
        assert gone == {utc_text(at(plain[number]) + shift) for number in {*deleted, changed}}


def test_an_edit_of_nothing_moves_nothing() -> None:
    data = event("DTSTART:20260302T100000Z", "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;COUNT=6", "SUMMARY:a")
    assert starts(change_all(document(data), Edit(), now=NOW)) == starts(data)


# -- the edit of an occurrence that is not the DTSTART of its part


def weekly(*more: str, overrides: tuple[str, ...] = (), rule: str = "FREQ=WEEKLY;COUNT=4") -> bytes:
    """Mondays at 10:00 in Berlin from 5 January 2026, an hour long."""
    zoned = "DTSTART;TZID=Europe/Berlin:20260105T100000", "DTEND;TZID=Europe/Berlin:20260105T110000"
    return event(*zoned, f"RRULE:{rule}", "SUMMARY:a", *more, more=overrides)


def test_this_and_following_when_the_first_was_removed() -> None:
    """The edit changes the chosen occurrence, not a DTSTART that nobody sees."""
    data = weekly("EXDATE;TZID=Europe/Berlin:20260105T100000")
    before, after = split_at(data, "20260112T090000Z", "DTSTART;TZID=Europe/Berlin:20260112T110000")
    assert before is None
    expected = [(f"202601{day}T100000Z", f"202601{day}T110000Z", "a") for day in (12, 19, 26)]
    assert shown(after, LONG) == expected
    _, longer = split_at(data, "20260112T090000Z", "DTEND;TZID=Europe/Berlin:20260112T120000")
    assert shown(longer, LONG) == [(f"202601{day}T090000Z", f"202601{day}T110000Z", "a") for day in (12, 19, 26)]


def test_this_and_following_from_an_extra_date_on() -> None:
    data = weekly("RDATE;TZID=Europe/Berlin:20260114T100000")
    before, after = split_at(data, "20260114T090000Z", "DTSTART;TZID=Europe/Berlin:20260114T110000")
    assert starts(before) == ["20260105T090000Z", "20260112T090000Z"]
    assert shown(after, LONG) == [(f"202601{day}T100000Z", f"202601{day}T110000Z", "a") for day in (14, 19, 26)]
    _, longer = split_at(data, "20260114T090000Z", "DTEND;TZID=Europe/Berlin:20260114T120000")
    assert [end for _, end, _ in shown(longer, LONG)] == [f"202601{day}T110000Z" for day in (14, 19, 26)]
    early = weekly("RDATE;TZID=Europe/Berlin:20260102T100000")
    _, moved = split_at(early, "20260102T090000Z", "DTSTART;TZID=Europe/Berlin:20260102T113000")
    assert starts(moved) == [f"202601{day}T103000Z" for day in ("02", "05", "12", "19", "26")]


def test_this_and_following_where_a_this_and_future_change_stands_at_the_beginning() -> None:
    following = override(
        "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260105T100000",
        "DTSTART;TZID=Europe/Berlin:20260105T140000", "DTEND;TZID=Europe/Berlin:20260105T150000", "SUMMARY:b",
    )  # fmt: skip
    edits = "DTSTART;TZID=Europe/Berlin:20260105T150000", "SUMMARY:new"
    before, after = split_at(weekly(overrides=(following,)), "20260105T130000Z", *edits)
    assert before is None
    assert document(after).uid == "u"
    assert document(after).master.first("RELATED-TO") is None
    days = ("05", "12", "19", "26")
    assert shown(after, LONG) == [(f"202601{day}T140000Z", f"202601{day}T150000Z", "new") for day in days]


def test_this_and_following_changes_the_override_that_was_chosen() -> None:
    mine = override(
        "RECURRENCE-ID;TZID=Europe/Berlin:20260112T100000", "DTSTART;TZID=Europe/Berlin:20260112T140000",
        "DTEND;TZID=Europe/Berlin:20260112T150000", "SUMMARY:mine", "LOCATION:own",
    )  # fmt: skip
    for data in (weekly(overrides=(mine,)), weekly("EXDATE;TZID=Europe/Berlin:20260105T100000", overrides=(mine,))):
        _, after = split_at(data, "20260112T130000Z", "DTSTART;TZID=Europe/Berlin:20260112T160000", "SUMMARY:new")
        assert shown(after, LONG) == [(f"202601{day}T150000Z", f"202601{day}T160000Z", "new") for day in (12, 19, 26)]
        assert b"LOCATION:own" in after
        _, named = split_at(data, "20260112T130000Z", "SUMMARY:new")
        assert shown(named, LONG)[0] == ("20260112T130000Z", "20260112T140000Z", "new")


def test_a_split_keeps_a_move_before_a_later_one_that_goes_far_back() -> None:
    data = event(
        "DTSTART:20260130T100000", "DURATION:PT1H", "RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=6", "SUMMARY:a",
        more=(
            override("RECURRENCE-ID;RANGE=THISANDFUTURE:20260227T100000", "DTSTART:20260301T100000", "SUMMARY:b"),
            override("RECURRENCE-ID;RANGE=THISANDFUTURE:20260424T100000", "DTSTART:20250220T100000", "SUMMARY:c"),
        ),
    )  # fmt: skip
    (cut,) = (item for item in occurrences(document(data), LONG) if utc_text(item.start) == "20260329T100000Z")
    split = change_following(document(data), cut, edit(), uid="v", now=NOW)
    assert sorted(shown(split.before, LONG) + shown(split.after, LONG)) == sorted(shown(data, LONG))


def test_a_split_leaves_an_override_without_a_time_where_it_was() -> None:
    todo = component("VTODO", "UID:u", "DTSTART:20260401T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=5",
                     "SUMMARY:a")  # fmt: skip
    following = component("VTODO", "UID:u", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260402T100000Z",
                          "DTSTART:20260402T110000Z", "DURATION:PT1H", "SUMMARY:b")  # fmt: skip
    data = calendar(todo, following, component("VTODO", "UID:u", "RECURRENCE-ID:20260404T100000Z", "SUMMARY:o"))
    assert ("20260404T100000Z", "20260404T110000Z", "o") in shown(data, LONG)
    assert is_whole(data, "20260403T110000Z")


def test_a_split_keeps_the_time_of_extra_dates_that_are_whole_days() -> None:
    data = event("DTSTART:20260101T100000Z", "DURATION:PT1H", "RRULE:FREQ=HOURLY;INTERVAL=5;COUNT=4",
                 "RDATE;VALUE=DATE:20260105", "SUMMARY:a")  # fmt: skip
    assert is_whole(data, "20260101T200000Z")


@pytest.mark.parametrize("rule", ["FREQ=HOURLY;INTERVAL=5;COUNT=12", "FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=0,30;COUNT=20"])
def test_a_split_around_a_day_that_was_left_out(rule: str) -> None:
    """Samoa had no 30 December 2011."""
    data = event("DTSTART;TZID=Pacific/Apia:20111229T080000", "DURATION:PT1H", f"RRULE:{rule}", "SUMMARY:a")
    window = between("20111201T000000Z", "20120201T000000Z")
    whole = shown(data, window)
    for cut in occurrences(document(data), window):
        split = change_following(document(data), cut, edit(), uid="v", now=NOW)
        assert sorted(shown(split.before, window) + shown(split.after, window)) == sorted(whole), cut.recurrence_id


def test_a_split_at_the_second_pass_of_an_hour_that_comes_twice() -> None:
    """00:30 and 01:30 UTC are both 02:30 in Berlin that night: two occurrences (RFC 5545 §3.3.5)."""
    data = event("DTSTART;TZID=Europe/Berlin:20261023T023000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=4",
                 "RDATE:20261025T013000Z", "SUMMARY:a")  # fmt: skip
    assert is_whole(data, "20261025T013000Z")
    assert is_whole(data, "20261025T003000Z")


def test_a_last_weekday_moved_over_the_end_of_its_month_becomes_a_first_one() -> None:
    """Only some months have a fifth Sunday, and every month of the series must keep its occurrence."""
    data = event("DTSTART:20260227T100000Z", "DURATION:PT1H", "RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=4", "SUMMARY:a")
    moved = change_all(document(data), edit("DTSTART:20260301T100000Z"), now=NOW)
    assert starts(moved) == ["20260301T100000Z", "20260405T100000Z", "20260503T100000Z", "20260607T100000Z"]
