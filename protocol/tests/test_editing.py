"""Edits of series (one, this and following, all), checked by the resulting occurrences."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from protocol.errors import Condition, Refusal
from protocol.ical.components import Component, Property
from protocol.ical.editing import (
    Edit,
    change_all,
    change_following,
    change_occurrence,
    find_occurrence,
    remove_following,
    remove_occurrence,
)
from protocol.ical.editing.moved_rules import moved_rule
from protocol.ical.editing.series_move import SeriesMove
from protocol.ical.editing.times import SeriesTime
from protocol.ical.lines import with_value
from protocol.ical.periods import utc_text
from protocol.ical.recurrence import Budget, Occurrence, occurrences
from protocol.tests.editing_cases import LONG, NOW, edit, event, nth, override, read, shown
from testing.appendix_b import ABCD2, ABCD3, US_EASTERN
from testing.builders import calendar, component
from testing.values import at, between, document

EASTERN = ZoneInfo("America/New_York")


def line(raw: str) -> Property:
    """A property from its content line."""
    return document(calendar(component("VEVENT", "UID:x", "DTSTART:20260101T000000Z", raw))).master.properties[-1]


DAILY = event(
    "DTSTART;TZID=US/Eastern:20260306T100000",
    "DTEND;TZID=US/Eastern:20260306T113000",
    "RRULE:FREQ=DAILY;COUNT=5;X-PART=1",
    "SUMMARY:standup",
    'X-KEPT;A="b;c":just as it is\\, here',
    *("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT5M", "END:VALARM"),
)


# -- one occurrence


def test_change_one() -> None:
    data = change_occurrence(document(DAILY), nth(DAILY, 2), edit("SUMMARY:retro"), now=NOW)
    before, after = shown(DAILY), shown(data)
    assert [item[:2] for item in after] == [item[:2] for item in before]
    assert [item[2] for item in after] == ["standup", "standup", "retro", "standup", "standup"]
    text = data.decode()
    assert text.count('X-KEPT;A="b;c":just as it is\\, here\r\n') == 2
    assert "RECURRENCE-ID;TZID=US/Eastern:20260308T100000\r\n" in text
    assert "DTSTART;TZID=US/Eastern:20260308T100000\r\nDTEND;TZID=US/Eastern:20260308T113000\r\n" in text
    assert text.count("BEGIN:VALARM") == 2
    assert text.count("RRULE:FREQ=DAILY;COUNT=5;X-PART=1") == 1
    (changed,) = document(data).overrides
    assert changed.value("SEQUENCE") == "3"
    assert changed.value("DTSTAMP") == changed.value("LAST-MODIFIED") == "20260301T120000Z"


def test_change_one_moves_its_end_along_and_again() -> None:
    data = change_occurrence(document(DAILY), nth(DAILY, 1), edit("DTSTART;TZID=US/Eastern:20260307T150000"), now=NOW)
    assert shown(data)[1][:2] == ("20260307T200000Z", "20260307T213000Z")
    (changed,) = document(data).overrides
    assert changed.value("SEQUENCE") == "4"
    again = change_occurrence(document(data), nth(data, 1), edit("SUMMARY:later"), now=NOW)
    assert shown(again)[1] == ("20260307T200000Z", "20260307T213000Z", "later")
    assert len(document(again).overrides) == 1


def test_change_one_of_a_single_event() -> None:
    data = change_occurrence(document(ABCD3), nth_of(ABCD3), edit("SUMMARY:x"), now=NOW)
    assert document(data).master.value("SUMMARY") == "x"
    assert document(data).overrides == ()


def nth_of(data: bytes) -> Occurrence:
    return occurrences(document(data), between("20060101T000000Z", "20070101T000000Z"))[0]


def test_change_one_alarm_and_time_zone() -> None:
    zone = document(calendar(US_EASTERN.replace("US/Eastern", "Mine"), override("DTSTART:20260101T000000Z"))).timezones[
        "Mine"
    ]
    alarm = Component("VALARM", [Property.make("TRIGGER", "PT0S"), Property.make("ACTION", "DISPLAY")])
    change = edit("DTSTART;TZID=Mine:20260308T090000", alarms=(alarm,), timezones=(zone,))
    parsed = document(change_occurrence(document(DAILY), nth(DAILY, 2), change, now=NOW))
    assert set(parsed.timezones) == {"US/Eastern", "Mine"}
    (changed,) = parsed.overrides
    assert [item.value("TRIGGER") for item in changed.components] == ["PT0S"]
    assert changed.first("DTEND").raw == "DTEND;TZID=Mine:20260308T103000"


def test_all_day_series() -> None:
    data = event("DTSTART;VALUE=DATE:20260306", "DTEND;VALUE=DATE:20260308", "RRULE:FREQ=WEEKLY;COUNT=3")
    changed = change_occurrence(document(data), nth(data, 1), edit("SUMMARY:x"), now=NOW)
    text = changed.decode()
    assert "RECURRENCE-ID;VALUE=DATE:20260313\r\n" in text
    assert "DTSTART;VALUE=DATE:20260313\r\nDTEND;VALUE=DATE:20260315\r\n" in text
    removed = remove_occurrence(document(data), nth(data, 1), now=NOW)
    assert "EXDATE;VALUE=DATE:20260313\r\n" in removed.decode()
    assert len(shown(removed)) == 2


def test_identity_cannot_be_edited() -> None:
    for name in ("UID", "RECURRENCE-ID"):
        with pytest.raises(Refusal) as refused:
            Edit(removed=frozenset({name}))
        assert refused.value.condition is Condition.VALID_CALENDAR_OBJECT_RESOURCE


def test_remove_one_until_nothing_is_left() -> None:
    data: bytes | None = change_occurrence(document(DAILY), nth(DAILY, 2), edit("SUMMARY:retro"), now=NOW)
    for left in (4, 3, 2, 1):
        data = remove_occurrence(document(data), nth(data, min(2, left)), now=NOW)
        assert len(shown(data)) == left
        assert "retro" not in data.decode()
    assert document(data).master.value("SEQUENCE") == "7"
    assert remove_occurrence(document(data), nth(data, 0), now=NOW) is None
    assert remove_occurrence(document(ABCD3), nth_of(ABCD3), now=NOW) is None


def test_overrides_without_their_series() -> None:
    one = override("RECURRENCE-ID:20260306T100000Z", "DTSTART:20260306T110000Z", "DURATION:PT1H", "SUMMARY:a")
    two = override("RECURRENCE-ID:20260307T100000Z", "DTSTART:20260307T110000Z", "DURATION:PT1H", "SUMMARY:b")
    data = calendar(one, two)
    changed = change_occurrence(document(data), nth(data, 1), edit("SUMMARY:c"), now=NOW)
    assert [item[2] for item in shown(changed)] == ["a", "c"]
    assert [item[2] for item in shown(remove_occurrence(document(data), nth(data, 0), now=NOW))] == ["b"]
    assert remove_occurrence(document(calendar(one)), nth(calendar(one), 0), now=NOW) is None
    assert [item[2] for item in shown(change_all(document(data), edit("SUMMARY:d"), now=NOW))] == ["d", "d"]
    assert [item[2] for item in shown(remove_following(document(data), nth(data, 1), now=NOW))] == ["a"]
    assert remove_following(document(data), nth(data, 0), now=NOW) is None
    with pytest.raises(Refusal):
        change_all(document(data), edit("DTSTART:20260306T110000Z"), now=NOW)


FROM_THEN_ON = event(
    "DTSTART:20260306T100000Z", "DTEND:20260306T110000Z", "RRULE:FREQ=DAILY;COUNT=5", "SUMMARY:a",
    more=(override("RECURRENCE-ID;RANGE=THISANDFUTURE:20260308T100000Z", "DTSTART:20260308T120000Z",
                   "DTEND:20260308T130000Z", "SUMMARY:b"),),
)  # fmt: skip


def test_one_occurrence_of_a_this_and_future_override() -> None:
    before = shown(FROM_THEN_ON)
    assert [item[2] for item in before] == ["a", "a", "b", "b", "b"]
    changed = change_occurrence(document(FROM_THEN_ON), nth(FROM_THEN_ON, 2), edit("SUMMARY:c"), now=NOW)
    assert shown(changed) == [*before[:2], (*before[2][:2], "c"), *before[3:]]
    removed = remove_occurrence(document(FROM_THEN_ON), nth(FROM_THEN_ON, 2), now=NOW)
    assert shown(removed) == [*before[:2], *before[3:]]
    later = change_occurrence(document(FROM_THEN_ON), nth(FROM_THEN_ON, 3), edit("SUMMARY:c"), now=NOW)
    assert shown(later) == [*before[:3], (*before[3][:2], "c"), before[4]]


# -- find


def test_find() -> None:
    parsed = document(ABCD2)
    moved = find_occurrence(parsed, "20060104T170000Z")
    assert moved is not None
    assert moved.is_override
    assert utc_text(moved.start) == "20060104T190000Z"
    assert find_occurrence(parsed, "20060104T120000") == moved
    plain = find_occurrence(parsed, "20060103T170000Z")
    assert plain is not None
    assert not plain.is_override
    for wrong in ("20060104T190000Z", "20060110T170000Z", "nonsense"):
        assert find_occurrence(parsed, wrong) is None
    shifted = find_occurrence(document(FROM_THEN_ON), "20260309T100000Z")
    assert shifted is not None
    assert utc_text(shifted.start) == "20260309T120000Z"


# -- all


def test_change_all_titles_where_they_were_the_same() -> None:
    data = event(
        "DTSTART:20260306T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3", "SUMMARY:a", "LOCATION:x",
        more=(
            override("RECURRENCE-ID:20260307T100000Z", "DTSTART:20260307T150000Z", "DURATION:PT1H", "SUMMARY:a",
                     "LOCATION:own"),
        ),
    )  # fmt: skip
    changed = document(change_all(document(data), edit("SUMMARY:b", "LOCATION:y"), now=NOW))
    assert [item[2] for item in shown(changed)] == ["b", "b", "b"]
    assert changed.overrides[0].value("LOCATION") == "own"
    assert changed.master.value("LOCATION") == "y"
    assert changed.master.value("SEQUENCE") == "3"
    removed = document(change_all(document(data), Edit(removed=frozenset({"SUMMARY"})), now=NOW))
    assert [item[2] for item in shown(removed)] == [None, None, None]


def test_change_all_moves_the_series_as_a_whole() -> None:
    data = event(
        "DTSTART;TZID=US/Eastern:20260302T100000",
        "DTEND;TZID=US/Eastern:20260302T110000",
        "RRULE:FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20260401T140000Z",
        "EXDATE;TZID=US/Eastern:20260304T100000,20260316T100000",
        "RDATE;TZID=US/Eastern:20260306T100000",
        "SUMMARY:a",
        more=(
            override("RECURRENCE-ID;TZID=US/Eastern:20260309T100000", "DTSTART;TZID=US/Eastern:20260309T100000",
                     "DTEND;TZID=US/Eastern:20260309T110000", "SUMMARY:title only"),
            override("RECURRENCE-ID;TZID=US/Eastern:20260311T100000", "DTSTART;TZID=US/Eastern:20260312T180000",
                     "DTEND;TZID=US/Eastern:20260312T190000", "SUMMARY:moved"),
        ),
    )  # fmt: skip
    before = shown(data)
    changed = change_all(document(data), edit("DTSTART;TZID=US/Eastern:20260303T123000"), now=NOW)
    after = shown(changed)
    assert "BYDAY=TU,TH" in changed.decode()
    assert len(after) == len(before)
    for (old_start, old_end, title), (start, end, same) in zip(before, after, strict=True):
        assert title == same
        away = 0 if title == "moved" else 26 * 3600 + 1800
        # The clocks go forward on 8 March: wall time is what moves.
        assert (at(start) - at(old_start) - away) in (0, -3600)
        assert at(end) - at(start) == at(old_end) - at(old_start)


def test_change_all_to_another_zone_and_length() -> None:
    data = event(
        "DTSTART;TZID=US/Eastern:20260302T100000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3", "SUMMARY:a",
        more=(override("RECURRENCE-ID;TZID=US/Eastern:20260303T100000", "DTSTART;TZID=US/Eastern:20260303T100000",
                       "DURATION:PT1H", "SUMMARY:b"),),
    )  # fmt: skip
    changed = change_all(document(data), edit("DTSTART:20260302T080000Z", "DTEND:20260302T083000Z"), now=NOW)
    assert shown(changed) == [
        ("20260302T080000Z", "20260302T083000Z", "a"),
        ("20260303T080000Z", "20260303T083000Z", "b"),
        ("20260304T080000Z", "20260304T083000Z", "a"),
    ]
    assert "DURATION" not in changed.decode()
    longer = change_all(document(data), edit("DURATION:PT2H"), now=NOW)
    assert [at(end) - at(start) for start, end, _ in shown(longer)] == [7200] * 3


def test_change_all_to_whole_days_needs_an_end() -> None:
    with pytest.raises(Refusal) as refused:
        change_all(document(DAILY), edit("DTSTART;VALUE=DATE:20260306"), now=NOW)
    assert refused.value.condition is Condition.VALID_CALENDAR_DATA
    with pytest.raises(Refusal):
        change_all(document(DAILY), edit("DTSTART:soon"), now=NOW)
    with_end = edit("DTSTART;VALUE=DATE:20260306", "DTEND;VALUE=DATE:20260307")
    changed = change_all(document(DAILY), with_end, now=NOW)
    assert [start for start, _, _ in shown(changed)] == [f"2026030{day}T000000Z" for day in (6, 7, 8, 9)] + [
        "20260310T000000Z"
    ]


@pytest.mark.parametrize(
    ("rule", "start", "new", "expected"),
    [
        ("FREQ=MONTHLY;BYMONTHDAY=6", "20260306", "20260307", "FREQ=MONTHLY;BYMONTHDAY=7"),
        ("FREQ=MONTHLY;BYDAY=1FR", "20260306", "20260314", "FREQ=MONTHLY;BYDAY=2SA"),
        ("FREQ=MONTHLY;BYDAY=-1TU", "20260331", "20260330", "FREQ=MONTHLY;BYDAY=-1MO"),
        ("FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=6", "20260306", "20260407", "FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=7"),
        ("FREQ=WEEKLY;BYDAY=FR", "20260306", "20260308", "FREQ=WEEKLY;BYDAY=SU"),
        ("FREQ=WEEKLY;UNTIL=20260320", "20260306", "20260307", "FREQ=WEEKLY;UNTIL=20260321"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,15", "20260301", "20260302", "FREQ=MONTHLY;BYMONTHDAY=2,16"),
        ("FREQ=DAILY;COUNT=3", "20260306", "20260307", "FREQ=DAILY;COUNT=3"),
    ],
)
def test_the_rule_moves_along(rule: str, start: str, new: str, expected: str) -> None:
    data = event(f"DTSTART;VALUE=DATE:{start}", f"RRULE:{rule}")
    changed = change_all(document(data), edit(f"DTSTART;VALUE=DATE:{new}"), now=NOW)
    assert document(changed).master.value("RRULE") == expected


# -- this and following


def test_split() -> None:
    split = change_following(document(DAILY), nth(DAILY, 2), edit("SUMMARY:new"), uid="v", now=NOW)
    before, first, second = shown(DAILY), shown(split.before), shown(split.after)
    assert first == before[:2]
    assert second == [(start, end, "new") for start, end, _ in before[2:]]
    parsed = document(split.after)
    assert parsed.uid == "v"
    assert parsed.master.first("RELATED-TO").raw == "RELATED-TO;RELTYPE=SIBLING:u"
    assert parsed.master.value("RRULE") == "FREQ=DAILY;COUNT=3;X-PART=1"
    assert document(split.before).master.value("RRULE") == "FREQ=DAILY;X-PART=1;UNTIL=20260308T135959Z"
    assert document(split.before).master.value("SEQUENCE") == "4"
    assert 'X-KEPT;A="b;c":just as it is\\, here\r\n' in split.after.decode()


def test_split_at_the_beginning_is_all() -> None:
    split = change_following(document(DAILY), nth(DAILY, 0), edit("SUMMARY:new"), uid="v", now=NOW)
    assert split.before is None
    assert document(split.after).uid == "u"
    assert {title for _, _, title in shown(split.after)} == {"new"}
    assert remove_following(document(DAILY), nth(DAILY, 0), now=NOW) is None


def test_split_with_a_new_time() -> None:
    split = change_following(
        document(DAILY), nth(DAILY, 2), edit("DTSTART;TZID=US/Eastern:20260308T120000"), uid="v", now=NOW
    )
    assert shown(split.after)[0][:2] == ("20260308T160000Z", "20260308T173000Z")
    assert len(shown(split.after)) == 3


FREQUENCIES = st.sampled_from(
    [
        "FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=3",
        "FREQ=WEEKLY",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH,SU",
        "FREQ=MONTHLY;BYMONTHDAY=6,31",
        "FREQ=MONTHLY;BYDAY=-1FR",
        "FREQ=YEARLY",
    ]
)
BOUNDS = st.sampled_from(["", ";COUNT=9", ";UNTIL=20260710T000000Z"])
FORMS = st.sampled_from(["zoned", "utc", "date", "floating"])


def when(name: str, day: int, form: str, hour: int = 10) -> str:
    text = utc_text(at("20260306T000000Z") + day * 86400)[:8]
    if form == "date":
        return f"{name};VALUE=DATE:{text}"
    params = ";TZID=US/Eastern" if form == "zoned" else ""
    return f"{name}{params}:{text}T{hour:02}0000{'Z' if form == 'utc' else ''}"


@st.composite
def series(draw) -> bytes:
    form = draw(FORMS)
    bound = draw(BOUNDS)
    if form in ("date", "floating") and "UNTIL" in bound:
        bound = ";UNTIL=20260710" + ("T000000" if form == "floating" else "")
    lines = [when("DTSTART", 0, form), f"RRULE:{draw(FREQUENCIES)}{bound}"]
    if form != "date":
        lines.append(draw(st.sampled_from(["DURATION:PT90M", when("DTEND", 0, form, 12)])))
    lines.extend(when("RDATE", draw(st.integers(1, 80)), form) for _ in range(draw(st.integers(0, 2))))
    lines.append("SUMMARY:a")
    plain = event(*lines)
    found = occurrences(document(plain), LONG, limit=12)
    members = []
    for number in draw(st.sets(st.integers(0, len(found) - 1), max_size=3)):
        day = found[number].wall // 86400 - at("20260306T000000Z") // 86400
        if draw(st.booleans()):
            lines.append(when("EXDATE", day, form))
        else:
            to = draw(st.integers(-3, 3))
            members.append(
                override(when("RECURRENCE-ID", day, form), when("DTSTART", day + to, form, 15), f"SUMMARY:{number}")
            )
    return event(*lines, more=tuple(members))


def key(item: Occurrence) -> tuple[int, int, int, str | None]:
    return item.wall, item.start, item.end, item.component.value("SUMMARY")


@given(data=series(), number=st.integers(0, 8))
def test_split_parts_are_the_whole(data: bytes, number: int) -> None:
    found = occurrences(document(data), LONG)
    assume(len(found) > number)
    cut = found[number]
    split = change_following(document(data), cut, Edit(), uid="v", now=NOW)
    first = occurrences(document(split.before), LONG) if split.before else []
    second = occurrences(document(split.after), LONG)
    assert sorted(map(key, first)) == sorted(key(item) for item in found if split.before and item.wall < cut.wall)
    assert sorted(map(key, first + second)) == sorted(map(key, found))


@given(data=series(), number=st.integers(0, 8))
def test_removals_take_what_they_say(data: bytes, number: int) -> None:
    found = occurrences(document(data), LONG)
    assume(len(found) > number)
    cut = found[number]
    removed = remove_occurrence(document(data), cut, now=NOW)
    rest = occurrences(document(removed), LONG) if removed else []
    assert sorted(map(key, rest)) == sorted(key(item) for item in found if item.wall != cut.wall)
    shorter = remove_following(document(data), cut, now=NOW)
    rest = occurrences(document(shorter), LONG) if shorter else []
    assert sorted(map(key, rest)) == sorted(key(item) for item in found if item.wall < cut.wall)


@given(data=series(), number=st.integers(0, 8))
def test_a_change_of_one_changes_no_other(data: bytes, number: int) -> None:
    found = occurrences(document(data), LONG)
    assume(len(found) > number)
    cut = found[number]
    changed = change_occurrence(document(data), cut, edit("SUMMARY:changed"), now=NOW)
    expected = [(*key(item)[:3], "changed" if item.wall == cut.wall else key(item)[3]) for item in found]
    assert sorted(map(key, occurrences(document(changed), LONG))) == sorted(expected)
    again = find_occurrence(document(changed), utc_text(cut.wall)[:-1])
    assert again is not None
    assert again.component.value("SUMMARY") == "changed"


# -- corners


def test_what_moves_with_a_series() -> None:
    data = event(
        "DTSTART:20260306T100000Z", "DURATION:PT1H", "SUMMARY:a",
        "RRULE:FREQ=DAILY;UNTIL=20260312",
        "EXDATE;VALUE=DATE:20260307",
        "EXDATE:20260308T100000Z",
        "RDATE;VALUE=PERIOD:20260320T100000Z/PT3H,20260321T100000Z/20260321T120000Z",
    )  # fmt: skip
    before = shown(data)
    changed = change_all(document(data), edit("DTSTART:20260307T120000Z"), now=NOW)
    after = shown(changed)
    assert [at(start) - at(old) for (start, *_), (old, *_) in zip(after, before, strict=True)] == [93600] * len(before)
    assert "EXDATE;VALUE=DATE:20260308\r\n" in changed.decode()


@pytest.mark.parametrize(
    ("start", "moved_to", "rule", "expected"),
    [
        ("DTSTART;VALUE=DATE:20260306", "20260307", "FREQ=WEEKLY;BYDAY=XX;UNTIL=soon", None),
        ("DTSTART;VALUE=DATE:20260306", "20260307", "FREQ=WEEKLY;BYDAY=FR,XX", "FREQ=WEEKLY;BYDAY=SA,XX"),
        ("DTSTART;VALUE=DATE:20260306", "20260307", "FREQ=MONTHLY;BYMONTHDAY=6,x", "FREQ=MONTHLY;BYMONTHDAY=7,x"),
        ("DTSTART:20260306T100000", "20260306T110000", "FREQ=WEEKLY;UNTIL=20260401T100000",
         "FREQ=WEEKLY;UNTIL=20260401T110000"),
        ("DTSTART:20260306T100000Z", "20260307T100000Z", "freq=weekly;x=1;UNTIL=20260401T100000Z",
         "FREQ=weekly;X=1;UNTIL=20260402T100000Z"),
        ("DTSTART:20260306T100000Z", "20260306T110000Z", "FREQ=DAILY;UNTIL=20260312",
         "FREQ=DAILY;UNTIL=20260313T005959Z"),
        ("DTSTART:20260306T100000Z", "20260306T100000Z", "freq=weekly;x=1;UNTIL=20260401T100000Z", None),
    ],
)  # fmt: skip
def test_a_rule_keeps_what_does_not_move(start: str, moved_to: str, rule: str, expected: str | None) -> None:
    line = read(start)
    old = SeriesTime.of(line, {})
    new = SeriesTime.of(with_value(line, moved_to, drop=frozenset()), {})
    changed = moved_rule(read(f"RRULE:{rule}"), old, new, Budget())
    assert changed.line.value == (rule if expected is None else expected)


def test_new_alarms_and_old_sequence() -> None:
    alarm = Component("VALARM", [Property.make("TRIGGER", "PT0S"), Property.make("ACTION", "DISPLAY")])
    own = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT5M", "END:VALARM")
    other = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT9M", "END:VALARM")
    data = calendar(
        component("VEVENT", "UID:u", "DTSTART:20260306T100000Z", "RRULE:FREQ=DAILY;COUNT=3", "SEQUENCE:x", *own),
        override("RECURRENCE-ID:20260307T100000Z", "DTSTART:20260307T100000Z", *own),
        override("RECURRENCE-ID:20260308T100000Z", "DTSTART:20260308T100000Z", *other),
    )
    changed = document(change_all(document(data), edit("STATUS:TENTATIVE", alarms=(alarm,)), now=NOW))
    assert [[item.value("TRIGGER") for item in member.components] for member in changed.members] == [
        ["PT0S"],
        ["PT0S"],
        ["-PT9M"],
    ]
    assert changed.master.value("SEQUENCE") == "1"


def test_an_all_day_series_may_get_a_time() -> None:
    data = event("DTSTART;VALUE=DATE:20260306", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE;VALUE=DATE:20260307")
    changed = change_all(document(data), edit("DTSTART;TZID=US/Eastern:20260306T090000"), now=NOW)
    assert [start for start, _, _ in shown(changed)] == ["20260306T140000Z", "20260308T130000Z"]


def test_exdates_written_in_utc_are_of_the_series_zone() -> None:
    data = event("DTSTART;TZID=US/Eastern:20260306T100000", "RRULE:FREQ=DAILY;COUNT=4", "EXDATE:20260308T140000Z")
    assert len(shown(data)) == 3
    changed = change_all(document(data), edit("DTSTART;TZID=US/Eastern:20260306T110000"), now=NOW)
    assert len(shown(changed)) == 3
    assert "EXDATE;TZID=US/Eastern:20260308T110000\r\n" in changed.decode()


def test_split_where_only_extra_dates_are_left() -> None:
    data = event("DTSTART:20260306T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=2", "EXRULE:FREQ=YEARLY;COUNT=9",
                 "RDATE:20260320T110000Z,20260321T110000Z", "SUMMARY:a")  # fmt: skip
    found = shown(data)
    split = change_following(document(data), nth(data, len(found) - 2), edit("SUMMARY:b"), uid="v", now=NOW)
    assert shown(split.before) == found[:-2]
    assert [item[:2] for item in shown(split.after)] == [item[:2] for item in found[-2:]]
    assert document(split.after).master.first("RRULE") is None


def test_split_at_an_override_that_nothing_follows() -> None:
    data = event("DTSTART:20260306T100000Z", "RRULE:FREQ=DAILY;COUNT=2",
                 more=(override("RECURRENCE-ID:20260320T100000Z", "DTSTART:20260320T110000Z"),))  # fmt: skip
    with pytest.raises(Refusal) as refused:
        change_following(document(data), nth(data, 2), edit("SUMMARY:b"), uid="v", now=NOW)
    assert refused.value.condition is Condition.VALID_CALENDAR_OBJECT_RESOURCE


def test_todos_by_due_and_without_any_time() -> None:
    by_due = calendar(component("VTODO", "UID:u", "DUE;VALUE=DATE:20260306", "RRULE:FREQ=DAILY;COUNT=3"))
    found = nth(by_due, 1)
    assert find_occurrence(document(by_due), "20260307") == found
    changed = change_occurrence(document(by_due), found, edit("STATUS:COMPLETED"), now=NOW)
    assert "RECURRENCE-ID;VALUE=DATE:20260307\r\n" in changed.decode()
    assert len(occurrences(document(changed), LONG)) == 3
    bare = document(calendar(component("VTODO", "UID:u", "SUMMARY:some day")))
    with pytest.raises(Refusal):
        find_occurrence(bare, "20260307")
    titled = change_all(bare, edit("SUMMARY:today"), now=NOW)
    assert b"SUMMARY:today\r\n" in titled
    timed = change_all(bare, edit("DTSTART:20260307T100000Z"), now=NOW)
    assert len(occurrences(document(timed), LONG)) == 1


def test_the_last_of_a_this_and_future_override() -> None:
    data = change_occurrence(document(FROM_THEN_ON), nth(FROM_THEN_ON, 3), edit("SUMMARY:c"), now=NOW)
    data = remove_following(document(data), nth(data, 3), now=NOW)
    assert [item[2] for item in shown(data)] == ["a", "a", "b"]
    last = remove_occurrence(document(data), nth(data, 2), now=NOW)
    assert [item[2] for item in shown(last)] == ["a", "a"]


def test_extra_dates_of_another_type_follow_the_series() -> None:
    old = SeriesTime.of(read("DTSTART;VALUE=DATE:20260306"), {})
    new = SeriesTime.of(read("DTSTART;VALUE=DATE:20260307"), {})
    for name, value, expected in (
        ("RDATE", "20260310T120000Z,nonsense", "RDATE;VALUE=DATE:20260311"),
        ("EXDATE", "20260313", "EXDATE;VALUE=DATE:20260314"),
    ):
        (changed,) = SeriesMove(old, new, ()).lines(read(f"{name}:{value}"))
        assert changed.raw == expected
    assert old.walls(read("RDATE:20260310T120000Z,nonsense")) == [at("20260310T000000Z")]


def test_an_override_that_cannot_be_told_stays_as_it_is() -> None:
    parsed = document(
        event("DTSTART:20260306T100000Z", "RRULE:FREQ=DAILY;COUNT=3",
              more=(override("RECURRENCE-ID:20260307T100000Z", "DTSTART:20260307T100000Z"),))
    )  # fmt: skip
    broken = parsed.overrides[0]
    broken.properties = [read("RECURRENCE-ID:soon") if line.name == "RECURRENCE-ID" else line for line in
                         broken.properties]  # fmt: skip
    assert b"RECURRENCE-ID:soon" in change_all(parsed, edit("DTSTART:20260306T110000Z"), now=NOW)
