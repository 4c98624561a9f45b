"""Splitting calendar files into resources: zones come along, METHOD does not, and folds may be anywhere."""

from __future__ import annotations

from protocol.ical import split
from protocol.ical.join import Joiner
from protocol.model import Uid

FILE = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD\r\n :PUBLISH\r\n"
    b"BEGIN:VTIMEZONE\r\nTZID:Here\r\nEND:VTIMEZONE\r\n"
    b"BEGIN:VTIMEZONE\r\nTZID:There\r\nEND:VTIMEZONE\r\n"
    b"BEGIN:VEVENT\r\nUID\r\n :a@\r\n x\r\nDTSTART;TZID=\r\n Here:20260101T100000\r\nEND:VEVENT\r\n"
    b"BEGIN:VEVENT\r\nUID\r\n ;X-A=1\r\n :b\r\nDTSTART:20260101T100000Z\r\nEND:VEVENT\r\n"
    b"BEGIN:VEVENT\r\nUID:a@x\r\nRECURRENCE-ID;TZID=Here:20260102T100000\r\nEND:VEVENT\r\n"
    b"BEGIN:VTODO\r\nSUMMARY:no uid\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
)


def test_one_resource_per_uid() -> None:
    cut = list(split.Splitter(FILE))
    assert [uid for uid, _ in cut] == ["a@x", "b", None]
    assert len(split.Splitter(FILE)) == 3
    first, second, third = (data for _, data in cut)
    assert first.count(b"BEGIN:VEVENT") == 2 and b"TZID:Here" in first and b"TZID:There" not in first
    assert b"VTIMEZONE" not in second and b"UID\r\n ;X-A=1\r\n :b\r\n" in second
    assert all(b"METHOD" not in data for _, data in cut)
    assert b"BEGIN:VTODO\r\nSUMMARY:no uid\r\n" in third


def test_a_uid_is_given_by_the_text() -> None:
    data = list(split.Splitter(FILE))[2][1]
    uid, made = split.with_uid(data)
    assert split.with_uid(data) == (uid, made)
    assert made.replace(f"UID:{uid}\r\n".encode(), b"") == data
    assert [found for found, _ in split.Splitter(made)] == [uid]


def _zoned(uid: bytes, tzid: bytes, offset: bytes) -> bytes:
    zone = b"BEGIN:VTIMEZONE\r\nTZID:%s\r\nBEGIN:STANDARD\r\nTZOFFSETTO:%s\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    event = b"BEGIN:VEVENT\r\nUID:%s\r\nDTSTART;TZID=%s:20260101T100000\r\nEND:VEVENT\r\n" % (uid, tzid)
    return b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n%s%sEND:VCALENDAR\r\n" % (zone % (tzid, offset), event)


def test_zones_of_one_name_stay_with_their_events() -> None:
    """A joined calendar splits into its objects again, whatever names programs give their own zones."""
    objects = [_zoned(b"%d" % number, b"Custom", b"+0%d00" % (number % 3)) for number in range(9)]
    joiner = Joiner("All")
    stream = b"".join([joiner.begin(), *map(joiner.add, objects), joiner.end()])
    assert stream.count(b"BEGIN:VCALENDAR") == stream.count(b"BEGIN:VTIMEZONE") == 3
    again = {uid: data for uid, data in split.Splitter(stream)}
    for number, data in enumerate(objects):
        assert again[Uid(str(number))].partition(b"BEGIN:VT")[2] == data.partition(b"BEGIN:VT")[2]


def test_of_a_zone_that_everybody_knows_one_definition_is_enough() -> None:
    joiner = Joiner("All")
    objects = [_zoned(b"1", b"Europe/Berlin", b"+0100"), _zoned(b"2", b"Europe/Berlin", b"+0200")]
    stream = b"".join([joiner.begin(), *map(joiner.add, objects), joiner.end()])
    assert stream.count(b"BEGIN:VCALENDAR") == stream.count(b"BEGIN:VTIMEZONE") == 1
    assert stream.count(b"BEGIN:VEVENT") == 2


def test_colons_in_quotes_end_no_parameter() -> None:
    file = (
        b"BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:(GMT-03:00)\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\n"
        b'UID;X-A="b:c":a\r\nDTSTART;TZID="(GMT-03:00)":20260101T100000\r\nEND:VEVENT\r\n'
        b'BEGIN:VEVENT\r\nUID;X-A="open:d\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n'
    )
    first, second = split.Splitter(file)
    assert first[0] == "a" and b"TZID:(GMT-03:00)\r\n" in first[1]
    assert second[0] == "d" and b"VTIMEZONE" not in second[1]
