"""The examples of RFC 4791 §7.8 to §7.10 on the data of Appendix B."""

from conformance_tests.client import Calendar, time_range, vcalendar_filter
from conformance_tests.ical_read import busy, component_names, lines, unfold
from testing.appendix_b import OBJECTS


def test_everything(appendix_b: Calendar) -> None:
    """RFC 4791 Appendix B: a filter on VCALENDAR alone returns every object, its data as stored."""
    found = appendix_b.query('<C:comp-filter name="VCALENDAR"/>', "<D:getetag/><C:calendar-data/>")
    assert found.names == set(OBJECTS)
    for name, data in OBJECTS.items():
        assert found[appendix_b.path(name)].data == data.decode().replace("\r\n", "\n")


def test_7_8_1_partial_retrieval(appendix_b: Calendar) -> None:
    """RFC 4791 §7.8.1: events of a time range, with a choice of components and properties."""
    wanted = ("SUMMARY", "UID", "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXRULE", "EXDATE", "RECURRENCE-ID")
    props = "".join(f'<C:prop name="{name}"/>' for name in wanted)
    data = (
        '<D:getetag/><C:calendar-data><C:comp name="VCALENDAR"><C:prop name="VERSION"/>'
        f'<C:comp name="VEVENT">{props}</C:comp><C:comp name="VTIMEZONE"/></C:comp></C:calendar-data>'
    )
    found = appendix_b.query(vcalendar_filter(time_range("20060104T000000Z", "20060105T000000Z")), data)
    assert found.names == {"abcd2.ics", "abcd3.ics"}
    text = unfold(found[appendix_b.path("abcd3.ics")].data)
    assert "VERSION:2.0" in text and "SUMMARY:Event #3" in text and "DURATION:PT1H" in text
    assert not any(line.startswith(("ATTENDEE", "ORGANIZER", "DTSTAMP", "STATUS", "PRODID")) for line in text)
    assert component_names(text) == ["VCALENDAR", "VTIMEZONE", "VEVENT"]
    assert component_names(unfold(found[appendix_b.path("abcd2.ics")].data)).count("VEVENT") == 3


def test_7_8_2_limit_recurrence_set(appendix_b: Calendar) -> None:
    """RFC 4791 §7.8.2: limit-recurrence-set leaves out overrides that do not touch the range, never the master."""
    filter_ = vcalendar_filter(time_range("20060103T000000Z", "20060105T000000Z"))
    for start, end, overrides in (
        ("20060103T000000Z", "20060105T000000Z", 1),
        ("20060102T000000Z", "20060103T000000Z", 0),
    ):
        data = f'<C:calendar-data><C:limit-recurrence-set start="{start}" end="{end}"/></C:calendar-data>'
        found = appendix_b.query(filter_, data)
        assert found.names == {"abcd2.ics", "abcd3.ics"}
        text = unfold(found[appendix_b.path("abcd2.ics")].data)
        assert component_names(text).count("VEVENT") == 1 + overrides
        assert "RRULE:FREQ=DAILY;COUNT=5" in text
        assert len([line for line in text if line.startswith("RECURRENCE-ID")]) == overrides


def test_7_8_3_expand(appendix_b: Calendar) -> None:
    """RFC 4791 §7.8.3: expand returns each occurrence in UTC with a RECURRENCE-ID, without rules or time zones."""
    data = '<C:calendar-data><C:expand start="20060103T000000Z" end="20060105T000000Z"/></C:calendar-data>'
    found = appendix_b.query(vcalendar_filter(time_range("20060103T000000Z", "20060105T000000Z")), data)
    assert found.names == {"abcd2.ics", "abcd3.ics"}
    text = unfold(found[appendix_b.path("abcd2.ics")].data)
    assert component_names(text) == ["VCALENDAR", "VEVENT", "VEVENT"]
    assert sorted(lines(text, "DTSTART")) == ["DTSTART:20060103T170000Z", "DTSTART:20060104T190000Z"]
    assert sorted(lines(text, "RECURRENCE-ID")) == ["RECURRENCE-ID:20060103T170000Z", "RECURRENCE-ID:20060104T170000Z"]
    assert sorted(lines(text, "SUMMARY")) == ["SUMMARY:Event #2", "SUMMARY:Event #2 bis"]
    assert not any(line.startswith("RRULE") for line in text)
    single = unfold(found[appendix_b.path("abcd3.ics")].data)
    assert lines(single, "DTSTART") == ["DTSTART:20060104T150000Z"]
    assert not any(line.startswith("RECURRENCE-ID") for line in single)


def test_7_8_4_limit_freebusy_set(appendix_b: Calendar) -> None:
    """RFC 4791 §7.8.4: limit-freebusy-set leaves only FREEBUSY values that overlap the range."""
    data = '<C:calendar-data><C:limit-freebusy-set start="20060102T000000Z" end="20060103T000000Z"/></C:calendar-data>'
    filter_ = vcalendar_filter(time_range("20060102T000000Z", "20060103T000000Z"), "VFREEBUSY")
    text = unfold(appendix_b.query(filter_, data)[appendix_b.path("abcd8.ics")].data)
    assert lines(text, "FREEBUSY") == ["FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060102T100000Z/20060102T120000Z"]


def test_7_8_5_alarm_time_range(appendix_b: Calendar) -> None:
    """RFC 4791 §7.8.5: to-dos whose alarm fires in the range; the DATE is a day in the calendar's time zone."""
    inner = f'<C:comp-filter name="VALARM">{time_range("20060106T040000Z", "20060106T050000Z")}</C:comp-filter>'
    assert appendix_b.events(inner, "VTODO") == {"abcd5.ics"}


def test_7_8_6_by_uid(appendix_b: Calendar) -> None:
    """RFC 4791 §7.8.6: a prop-filter on UID with i;octet finds the one object."""
    match = '<C:text-match collation="i;octet">DC6C50A017428C5216A2F1CD@example.com</C:text-match>'
    assert appendix_b.events(f'<C:prop-filter name="UID">{match}</C:prop-filter>') == {"abcd3.ics"}


def test_7_8_7_by_partstat(appendix_b: Calendar) -> None:
    """RFC 4791 §7.8.7: a param-filter counts for the property that the text-match found."""
    inner = (
        '<C:prop-filter name="ATTENDEE"><C:text-match collation="i;ascii-casemap">mailto:{}@example.com</C:text-match>'
        '<C:param-filter name="PARTSTAT"><C:text-match collation="i;ascii-casemap">NEEDS-ACTION</C:text-match>'
        "</C:param-filter></C:prop-filter>"
    )
    assert appendix_b.events(inner.format("lisa")) == {"abcd3.ics"}
    assert appendix_b.events(inner.format("cyrus")) == set()


def test_7_8_8_events_only(appendix_b: Calendar) -> None:
    """RFC 4791 §7.8.8: a comp-filter without tests matches by type."""
    assert appendix_b.events("") == {"abcd1.ics", "abcd2.ics", "abcd3.ics"}


def test_7_8_9_pending_todos(appendix_b: Calendar) -> None:
    """RFC 4791 §7.8.9: not completed and not cancelled: is-not-defined and a negated text-match."""
    inner = (
        '<C:prop-filter name="COMPLETED"><C:is-not-defined/></C:prop-filter><C:prop-filter name="STATUS">'
        '<C:text-match negate-condition="yes">CANCELLED</C:text-match></C:prop-filter>'
    )
    assert appendix_b.events(inner, "VTODO") == {"abcd4.ics", "abcd5.ics"}


def test_7_8_10_unknown_property(appendix_b: Calendar) -> None:
    """RFC 4791 §7.8.10: a filter on a non-standard property is answered (nothing has it) or refused by name."""
    inner = '<C:prop-filter name="X-ABC-GUID"><C:text-match>ABC</C:text-match></C:prop-filter>'
    answer = appendix_b.query_raw(vcalendar_filter(inner))
    if answer.status == 207:
        assert answer.multistatus.names == set()
    else:
        answer.refused(403, "C:supported-filter")


def test_7_9_1_multiget(appendix_b: Calendar) -> None:
    """RFC 4791 §7.9.1: multiget returns what exists, and 404 for what does not."""
    found = appendix_b.multiget(appendix_b.path("abcd1.ics"), appendix_b.path("mtg1.ics")).multistatus
    assert found[appendix_b.path("abcd1.ics")].data == OBJECTS["abcd1.ics"].decode().replace("\r\n", "\n")
    assert found[appendix_b.path("mtg1.ics")].status == 404


def test_7_10_1_free_busy(appendix_b: Calendar) -> None:
    """RFC 4791 §7.10.1: busy time of events, their overrides and stored VFREEBUSY, by type."""
    answer = appendix_b.freebusy("20060104T140000Z", "20060105T220000Z").expect(200)
    assert (answer.header("Content-Type") or "").startswith("text/calendar")
    assert busy(answer.body) == {
        ("20060104T150000Z", "20060104T160000Z", "BUSY-TENTATIVE"),
        ("20060104T190000Z", "20060104T200000Z", "BUSY"),
        ("20060105T100000Z", "20060105T120000Z", "BUSY-UNAVAILABLE"),
        ("20060105T170000Z", "20060105T180000Z", "BUSY"),
    }
