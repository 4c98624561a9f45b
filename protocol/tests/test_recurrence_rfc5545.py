"""The examples of RFC 5545 §3.8.5.3 and §3.3.10, each as the RFC gives it (New York, wall time)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from protocol.ical.document import parse_document
from protocol.ical.recurrence import occurrences
from protocol.model import TimeRange
from testing.builders import calendar, component


def _days(text: str) -> Iterator[str]:
    """``1997-09 2-5 8; 1997-10 1`` as single days."""
    for group in text.split(";"):
        month, *items = group.split()
        for item in items:
            first, _, last = item.partition("-")
            yield from (f"{month}-{day:02}" for day in range(int(first), int(last or first) + 1))


# (title, DTSTART, rule, days, whether that is all there is)
EXAMPLES = [
    ("daily for 10 occurrences", "19970902", "FREQ=DAILY;COUNT=10", "1997-09 2-11", True),
    (
        "daily until December 24",
        "19970902",
        "FREQ=DAILY;UNTIL=19971224T000000Z",
        "1997-09 2-30; 1997-10 1-31; 1997-11 1-30; 1997-12 1-23",
        True,
    ),
    (
        "every other day",
        "19970902",
        "FREQ=DAILY;INTERVAL=2",
        "1997-09 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30; 1997-10 2 4 6",
        False,
    ),
    (
        "every 10 days, 5 occurrences",
        "19970902",
        "FREQ=DAILY;INTERVAL=10;COUNT=5",
        "1997-09 2 12 22; 1997-10 2 12",
        True,
    ),
    (
        "every day in January, yearly",
        "19980101",
        "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
        "1998-01 1-31; 1999-01 1-31; 2000-01 1-31",
        True,
    ),
    (
        "every day in January, daily",
        "19980101",
        "FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1",
        "1998-01 1-31; 1999-01 1-31; 2000-01 1-31",
        True,
    ),
    (
        "weekly for 10 occurrences",
        "19970902",
        "FREQ=WEEKLY;COUNT=10",
        "1997-09 2 9 16 23 30; 1997-10 7 14 21 28; 1997-11 4",
        True,
    ),
    (
        "weekly until December 24",
        "19970902",
        "FREQ=WEEKLY;UNTIL=19971224T000000Z",
        "1997-09 2 9 16 23 30; 1997-10 7 14 21 28; 1997-11 4 11 18 25; 1997-12 2 9 16 23",
        True,
    ),
    (
        "every other week",
        "19970902",
        "FREQ=WEEKLY;INTERVAL=2;WKST=SU",
        "1997-09 2 16 30; 1997-10 14 28; 1997-11 11 25; 1997-12 9 23; 1998-01 6 20; 1998-02 3 17",
        False,
    ),
    (
        "Tuesday and Thursday for five weeks, until",
        "19970902",
        "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH",
        "1997-09 2 4 9 11 16 18 23 25 30; 1997-10 2",
        True,
    ),
    (
        "Tuesday and Thursday for five weeks, count",
        "19970902",
        "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH",
        "1997-09 2 4 9 11 16 18 23 25 30; 1997-10 2",
        True,
    ),
    (
        "every other week on three days",
        "19970901",
        "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
        "1997-09 1 3 5 15 17 19 29; 1997-10 1 3 13 15 17 27 29 31; 1997-11 10 12 14 24 26 28; 1997-12 8 10 12 22",
        True,
    ),
    (
        "every other week on two days, 8 occurrences",
        "19970902",
        "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
        "1997-09 2 4 16 18 30; 1997-10 2 14 16",
        True,
    ),
    (
        "first Friday, 10 occurrences",
        "19970905",
        "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
        "1997-09 5; 1997-10 3; 1997-11 7; 1997-12 5; 1998-01 2; 1998-02 6; 1998-03 6; 1998-04 3; 1998-05 1; 1998-06 5",
        True,
    ),
    (
        "first Friday until December 24",
        "19970905",
        "FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR",
        "1997-09 5; 1997-10 3; 1997-11 7; 1997-12 5",
        True,
    ),
    (
        "first and last Sunday every other month",
        "19970907",
        "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
        "1997-09 7 28; 1997-11 2 30; 1998-01 4 25; 1998-03 1 29; 1998-05 3 31",
        True,
    ),
    (
        "second-to-last Monday for 6 months",
        "19970922",
        "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
        "1997-09 22; 1997-10 20; 1997-11 17; 1997-12 22; 1998-01 19; 1998-02 16",
        True,
    ),
    (
        "third-to-the-last day",
        "19970928",
        "FREQ=MONTHLY;BYMONTHDAY=-3",
        "1997-09 28; 1997-10 29; 1997-11 28; 1997-12 29; 1998-01 29; 1998-02 26",
        False,
    ),
    (
        "2nd and 15th, 10 occurrences",
        "19970902",
        "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
        "1997-09 2 15; 1997-10 2 15; 1997-11 2 15; 1997-12 2 15; 1998-01 2 15",
        True,
    ),
    (
        "first and last day, 10 occurrences",
        "19970930",
        "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
        "1997-09 30; 1997-10 1 31; 1997-11 1 30; 1997-12 1 31; 1998-01 1 31; 1998-02 1",
        True,
    ),
    (
        "every 18 months, 10th to 15th",
        "19970910",
        "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
        "1997-09 10-15; 1999-03 10-13",
        True,
    ),
    (
        "every Tuesday, every other month",
        "19970902",
        "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
        "1997-09 2 9 16 23 30; 1997-11 4 11 18 25; 1998-01 6 13 20 27; 1998-03 3 10 17 24 31",
        False,
    ),
    (
        "June and July, 10 occurrences",
        "19970610",
        "FREQ=YEARLY;COUNT=10;BYMONTH=6,7",
        ";".join(f"{year}-{month} 10" for year in range(1997, 2002) for month in ("06", "07")),
        True,
    ),
    (
        "every other year in three months",
        "19970310",
        "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",
        "1997-03 10;" + ";".join(f"{year}-{month} 10" for year in (1999, 2001, 2003) for month in ("01", "02", "03")),
        True,
    ),
    (
        "every third year on three numbered days",
        "19970101",
        "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
        "1997-01 1; 1997-04 10; 1997-07 19; 2000-01 1; 2000-04 9; 2000-07 18;"
        "2003-01 1; 2003-04 10; 2003-07 19; 2006-01 1",
        True,
    ),
    ("20th Monday of the year", "19970519", "FREQ=YEARLY;BYDAY=20MO", "1997-05 19; 1998-05 18; 1999-05 17", False),
    (
        "Monday of week 20",
        "19970512",
        "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
        "1997-05 12; 1998-05 11; 1999-05 17",
        False,
    ),
    (
        "every Thursday in March",
        "19970313",
        "FREQ=YEARLY;BYMONTH=3;BYDAY=TH",
        "1997-03 13 20 27; 1998-03 5 12 19 26; 1999-03 4 11 18 25",
        False,
    ),
    (
        "every Thursday in summer",
        "19970605",
        "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8",
        "1997-06 5 12 19 26; 1997-07 3 10 17 24 31; 1997-08 7 14 21 28; 1998-06 4 11 18 25; 1998-07 2 9 16 23 30",
        False,
    ),
    (
        "every Friday the 13th",
        "19970902",
        "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13\r\nEXDATE;TZID=America/New_York:19970902T090000",
        "1998-02 13; 1998-03 13; 1998-11 13; 1999-08 13; 2000-10 13",
        False,
    ),
    (
        "the Saturday after the first Sunday",
        "19970913",
        "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
        "1997-09 13; 1997-10 11; 1997-11 8; 1997-12 13; 1998-01 10; 1998-02 7; 1998-03 7;"
        "1998-04 11; 1998-05 9; 1998-06 13",
        False,
    ),
    (
        "presidential election day",
        "19961105",
        "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
        "1996-11 5; 2000-11 7; 2004-11 2",
        False,
    ),
    (
        "third of Tuesday, Wednesday, Thursday",
        "19970904",
        "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",
        "1997-09 4; 1997-10 7; 1997-11 6",
        True,
    ),
    (
        "second-to-last weekday",
        "19970929",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
        "1997-09 29; 1997-10 30; 1997-11 27; 1997-12 30; 1998-01 29; 1998-02 26; 1998-03 30",
        False,
    ),
    (
        "the week starts on Monday",
        "19970805",
        "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
        "1997-08 5 10 19 24",
        True,
    ),
    (
        "the week starts on Sunday",
        "19970805",
        "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
        "1997-08 5 17 19 31",
        True,
    ),
    (
        "February 30 is ignored",
        "20070115",
        "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
        "2007-01 15 30; 2007-02 15; 2007-03 15 30",
        True,
    ),
]

# (title, DTSTART, rule, times of September 2 (and 3))
SHORT = [
    ("every 3 hours until 5 PM", "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z", "09:00 12:00 15:00", True),
    (
        "every 15 minutes, 6 occurrences",
        "FREQ=MINUTELY;INTERVAL=15;COUNT=6",
        "09:00 09:15 09:30 09:45 10:00 10:15",
        True,
    ),
    ("every hour and a half", "FREQ=MINUTELY;INTERVAL=90;COUNT=4", "09:00 10:30 12:00 13:30", True),
    (
        "every 20 minutes, daily",
        "FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40",
        " ".join(f"{hour:02}:{minute:02}" for hour in range(9, 17) for minute in (0, 20, 40)),
        False,
    ),
    (
        "every 20 minutes, minutely",
        "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16",
        " ".join(f"{hour:02}:{minute:02}" for hour in range(9, 17) for minute in (0, 20, 40)),
        False,
    ),
]


def _expanded(start: str, rule: str, number: int, clock: str = "090000") -> list[datetime]:
    data = calendar(
        component("VEVENT", f"DTSTART;TZID=America/New_York:{start}T{clock}", f"RRULE:{rule}", uid="example")
    )
    found = occurrences(parse_document(data).document, TimeRange(0, None), limit=number)
    zone = ZoneInfo("America/New_York")
    local = [datetime.fromtimestamp(each.start, UTC).astimezone(zone) for each in found]
    assert [each.replace(tzinfo=None) for each in local] == [each.recurrence_id for each in found]
    return local


@pytest.mark.parametrize(("title", "start", "rule", "days", "complete"), EXAMPLES, ids=[each[0] for each in EXAMPLES])
def test_examples_of_days(title: str, start: str, rule: str, days: str, complete: bool) -> None:
    expected = list(_days(days))
    found = _expanded(start, rule, len(expected) + complete)
    assert [f"{each:%Y-%m-%d}" for each in found] == expected
    assert {f"{each:%H:%M}" for each in found} == {"09:00"}


@pytest.mark.parametrize(("title", "rule", "times", "complete"), SHORT, ids=[each[0] for each in SHORT])
def test_examples_of_times(title: str, rule: str, times: str, complete: bool) -> None:
    expected = times.split()
    found = _expanded("19970902", rule, 2 * len(expected))
    assert [f"{each:%H:%M}" for each in found if each.day == 2] == expected
    assert [f"{each:%H:%M}" for each in found if each.day == 3] == ([] if complete else expected)


def test_the_worked_example_of_the_rule_parts() -> None:
    rule = "FREQ=YEARLY;INTERVAL=2;BYMONTH=1;BYDAY=SU;BYHOUR=8,9;BYMINUTE=30"
    found = _expanded("19970105", rule, 10, "083000")
    sundays = ["1997-01-05", "1997-01-12", "1997-01-19", "1997-01-26", "1999-01-03"]
    expected = [f"{day} {clock}" for day in sundays for clock in ("08:30", "09:30")]
    assert [f"{each:%Y-%m-%d %H:%M}" for each in found] == expected
