"""Bodies of reports: what each contains, the condition for each mistake, and a fuzz test of all."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.dav import names
from protocol.dav.caldav_elements import parse_time_range, parse_utc
from protocol.dav.headers import Depth
from protocol.dav.reports import (
    PARSERS,
    AclPrincipalPropSet,
    CalendarMultiget,
    CalendarQuery,
    ExpandedProperty,
    ExpandProperty,
    FreeBusyQuery,
    PrincipalMatch,
    PrincipalPropertySearch,
    PrincipalSearchPropertySet,
    PropertySearch,
    SyncCollection,
    parse_report,
)
from protocol.dav.requests import NO_PROPERTIES, PropFind, PropKind
from protocol.dav.xml import parse
from protocol.errors import Condition, Refusal
from protocol.ical.collations import OCTET
from protocol.ical.filters.tree import ANY, EVERYTHING, CompFilter, ParamFilter, PropFilter, TextMatch
from protocol.ical.rendering.request import VERBATIM, CalendarDataRequest, CompRequest, PropRequest
from protocol.model import TimeRange

CALENDAR = '<comp-filter name="VCALENDAR">'
JAN_4, JAN_5 = 1136332800, 1136419200
RANGE = '<time-range start="20060104T000000Z" end="20060105T000000Z"/>'


def body(root: str, inner: str, attributes: str = "") -> bytes:
    """A report in which ``D:`` is DAV and CalDAV needs no prefix."""
    return f'<{root} xmlns:D="DAV:" xmlns="{names.CALDAV}" {attributes}>{inner}</{root}>'.encode()


def query(inner: str) -> CalendarQuery:
    found = parse_report(body("calendar-query", inner))
    assert isinstance(found, CalendarQuery)
    return found


def filtered(inner: str) -> CompFilter:
    return query(f'<filter><comp-filter name="VCALENDAR">{inner}</comp-filter></filter>').filter


def data(inner: str, attributes: str = "") -> CalendarDataRequest:
    found = query(f"<D:prop><calendar-data {attributes}>{inner}</calendar-data></D:prop>").calendar_data
    assert found is not None
    return found


def refused(report: bytes) -> Condition:
    with pytest.raises(Refusal) as caught:
        parse_report(report)
    return caught.value.condition


def test_a_calendar_query_with_everything() -> None:
    found = query(
        f"<D:prop><D:getetag/><calendar-data/></D:prop><filter><comp-filter name='VCALENDAR'>"
        f"<comp-filter name='vevent'>{RANGE}</comp-filter></comp-filter></filter>"
        "<timezone><![CDATA[BEGIN:VCALENDAR\nEND:VCALENDAR]]></timezone><timezone-id> Europe/Berlin </timezone-id>"
        "<D:limit><D:nresults>7</D:nresults></D:limit>"
    )
    assert found == CalendarQuery(
        wanted=PropFind(PropKind.PROP, (names.GETETAG, names.CALENDAR_DATA)),
        filter=CompFilter("VCALENDAR", comp_filters=(CompFilter("VEVENT", time_range=TimeRange(JAN_4, JAN_5)),)),
        calendar_data=VERBATIM,
        timezone="BEGIN:VCALENDAR\nEND:VCALENDAR",
        timezone_id="Europe/Berlin",
        limit=7,
    )


@pytest.mark.parametrize("inner", ["", "<filter/>", "<filter><comp-filter name='VCALENDAR'/></filter>"])
def test_no_filter_matches_everything(inner: str) -> None:
    assert query(inner) == CalendarQuery(NO_PROPERTIES, EVERYTHING)


def test_allprop_and_propname_in_a_report() -> None:
    assert query("<D:allprop/>").wanted.kind is PropKind.ALLPROP
    assert query("<D:propname/>").wanted.kind is PropKind.PROPNAME


def test_a_filter_with_every_kind_of_test() -> None:
    found = filtered(
        '<comp-filter name="VTODO" test="anyof">'
        '<prop-filter name="COMPLETED"><is-not-defined/></prop-filter>'
        '<prop-filter name="DTSTART"><time-range start="20060104T000000Z"/></prop-filter>'
        '<prop-filter name="attendee" test="anyof">'
        '<text-match collation="i;octet" negate-condition="yes" match-type="starts-with"> Mail </text-match>'
        '<param-filter name="PARTSTAT"><text-match>NEEDS-ACTION</text-match></param-filter>'
        '<param-filter name="X-Y"><is-not-defined/></param-filter></prop-filter>'
        f'<comp-filter name="VALARM">{RANGE}</comp-filter></comp-filter>'
    )
    assert found.comp_filters == (
        CompFilter(
            "VTODO",
            test="anyof",
            prop_filters=(
                PropFilter("COMPLETED", is_not_defined=True),
                PropFilter("DTSTART", time_range=TimeRange(JAN_4, None)),
                PropFilter(
                    "ATTENDEE",
                    text_match=TextMatch(" Mail ", OCTET, negate=True, match_type="starts-with"),
                    param_filters=(
                        ParamFilter("PARTSTAT", text_match=TextMatch("NEEDS-ACTION")),
                        ParamFilter("X-Y", is_not_defined=True),
                    ),
                    test="anyof",
                ),
            ),
            comp_filters=(CompFilter("VALARM", time_range=TimeRange(JAN_4, JAN_5)),),
        ),
    )


def test_tests_beside_vcalendar_mean_some_component() -> None:
    alarm = CompFilter("VALARM", time_range=TimeRange(JAN_4, JAN_5))
    summary = PropFilter("SUMMARY", text_match=TextMatch("x"))
    found = filtered(
        f'{RANGE}<prop-filter name="SUMMARY"><text-match>x</text-match></prop-filter><prop-filter name="VERSION"/>'
        f'<comp-filter name="VALARM">{RANGE}</comp-filter><comp-filter name="VEVENT"/>'
    )
    assert found == CompFilter(
        "VCALENDAR",
        prop_filters=(PropFilter("VERSION"),),
        comp_filters=(
            CompFilter("VEVENT"),
            CompFilter(ANY, time_range=TimeRange(JAN_4, JAN_5), prop_filters=(summary,), comp_filters=(alarm,)),
        ),
    )


def test_a_filter_for_no_calendar_at_all() -> None:
    assert filtered("<is-not-defined/>") == CompFilter("VCALENDAR", is_not_defined=True)


def test_unknown_names_are_allowed() -> None:
    found = filtered('<comp-filter name="X-FOO"><comp-filter name="X-BAR"/><prop-filter name="X-P"/></comp-filter>')
    assert found.comp_filters[0].name == "X-FOO"


VALID, SUPPORTED = Condition.VALID_FILTER, Condition.SUPPORTED_FILTER


@pytest.mark.parametrize(
    ("inner", "condition"),
    [
        ("<time-range/>", VALID),
        ('<time-range start="20060104T000000"/>', VALID),
        ('<time-range start="20060104"/>', VALID),
        ('<time-range start="2006-01-04T00:00:00Z"/>', VALID),
        ('<time-range start="20061304T000000Z"/>', VALID),
        ('<time-range start="00000104T000000Z"/>', VALID),
        ('<time-range start="20060104T000000Z" end="20060104T000000Z"/>', VALID),
        ('<time-range start="20060105T000000Z" end="20060104T000000Z"/>', VALID),
        (RANGE + RANGE, VALID),
        (f"<is-not-defined/>{RANGE}", VALID),
        ("<text-match>x</text-match>", VALID),
        ("<is-defined/>", SUPPORTED),
        ("<D:other/>", SUPPORTED),
        ("<comp-filter/>", VALID),
        ('<comp-filter name=" "/>', VALID),
        ('<comp-filter name="VALARM"/>', None),
        ('<prop-filter name="SUMMARY"/>', None),
        (f'<prop-filter name="SUMMARY">{RANGE}</prop-filter>', VALID),
        (f'<prop-filter name="DTSTART">{RANGE}{RANGE}</prop-filter>', VALID),
        (f'<prop-filter name="DTSTART">{RANGE}<text-match>x</text-match></prop-filter>', VALID),
        ('<prop-filter name="SUMMARY"><text-match/><text-match/></prop-filter>', VALID),
        ('<prop-filter name="SUMMARY"><comp-filter name="X"/></prop-filter>', VALID),
        ('<prop-filter name="SUMMARY"><unknown/></prop-filter>', SUPPORTED),
        ('<prop-filter name="SUMMARY"><is-not-defined/><text-match>x</text-match></prop-filter>', VALID),
        ("<prop-filter/>", VALID),
        ('<prop-filter name="A" test="some"/>', VALID),
        ('<prop-filter name="A"><param-filter/></prop-filter>', VALID),
        (f'<prop-filter name="A"><param-filter name="B">{RANGE}</param-filter></prop-filter>', VALID),
        ('<prop-filter name="A"><param-filter name="B"><what/></param-filter></prop-filter>', SUPPORTED),
        ('<prop-filter name="A"><text-match negate-condition="maybe">x</text-match></prop-filter>', VALID),
        ('<prop-filter name="A"><text-match match-type="regex">x</text-match></prop-filter>', VALID),
        ('<prop-filter name="A"><text-match collation="i;basic">x</text-match></prop-filter>',
         Condition.SUPPORTED_COLLATION),
    ],
)  # fmt: skip
def test_a_mistake_in_an_event_filter(inner: str, condition: Condition | None) -> None:
    report = body(
        "calendar-query",
        f'<filter>{CALENDAR}<comp-filter name="VEVENT">{inner}</comp-filter></comp-filter></filter>',
    )
    if condition is None:
        parse_report(report)
    else:
        assert refused(report) is condition


@pytest.mark.parametrize(
    "inner",
    [
        '<comp-filter name="VEVENT"/>',
        '<comp-filter name="VCALENDAR"/><comp-filter name="VCALENDAR"/>',
        '<prop-filter name="SUMMARY"/>',
        '<comp-filter name="VCALENDAR"><comp-filter name="VCALENDAR"/></comp-filter>',
        f'{CALENDAR}<comp-filter name="VTODO"><comp-filter name="VEVENT"/></comp-filter></comp-filter>',
        f'{CALENDAR}<comp-filter name="VJOURNAL"><comp-filter name="VALARM"/></comp-filter></comp-filter>',
        '<comp-filter name="VCALENDAR"><comp-filter name="STANDARD"/></comp-filter>',
    ],
)
def test_components_in_the_wrong_place(inner: str) -> None:
    assert refused(body("calendar-query", f"<filter>{inner}</filter>")) is VALID


def test_a_time_range_where_none_is_defined() -> None:
    inner = f'<comp-filter name="VCALENDAR"><comp-filter name="VTIMEZONE">{RANGE}</comp-filter></comp-filter>'
    assert refused(body("calendar-query", f"<filter>{inner}</filter>")) is SUPPORTED


def test_a_filter_of_thousands_is_refused_quickly() -> None:
    inner = '<prop-filter name="A"/>' * 10_000
    started = time.process_time()
    report = (
        f'<filter><comp-filter name="VCALENDAR"><comp-filter name="VEVENT">{inner}</comp-filter></comp-filter></filter>'
    )
    assert refused(body("calendar-query", report)) is SUPPORTED
    assert time.process_time() - started < 0.5


def test_calendar_data() -> None:
    assert data("") == VERBATIM
    assert data("", 'content-type="Text/Calendar; charset=utf-8" version="2.0"') == VERBATIM
    expand = '<expand start="20060104T000000Z" end="20060105T000000Z"/>'
    limits = expand.replace("expand", "limit-recurrence-set") + expand.replace("expand", "limit-freebusy-set")
    assert data(expand).expand == TimeRange(JAN_4, JAN_5)
    assert data(limits + "<D:ignored/>") == CalendarDataRequest(
        limit_recurrence_set=TimeRange(JAN_4, JAN_5), limit_freebusy_set=TimeRange(JAN_4, JAN_5)
    )
    assert query("<D:prop><D:getetag/></D:prop>").calendar_data is None


def test_parts_of_calendar_data() -> None:
    found = data(
        '<comp name="vcalendar"><prop name="version"/><comp name="VEVENT"><prop name="SUMMARY" novalue="yes"/>'
        '<prop name="UID" novalue="no"/></comp><comp name="VTODO"><allprop/><allcomp/><comp name="X"/><prop name="Y"/>'
        '</comp><comp name="VTIMEZONE"/></comp>'
    )
    assert found.comp == CompRequest(
        "VCALENDAR",
        (PropRequest("VERSION"),),
        (
            CompRequest("VEVENT", (PropRequest("SUMMARY", novalue=True), PropRequest("UID")), ()),
            CompRequest("VTODO"),
            CompRequest("VTIMEZONE"),
        ),
    )


@pytest.mark.parametrize(
    ("inner", "attributes", "condition"),
    [
        ("", 'content-type="application/calendar+json"', Condition.SUPPORTED_CALENDAR_DATA),
        ("", 'version="1.0"', Condition.SUPPORTED_CALENDAR_DATA),
        ("<comp/>", "", Condition.BAD_REQUEST),
        ('<comp name="A"><prop/></comp>', "", Condition.BAD_REQUEST),
        ('<comp name="A"/><comp name="B"/>', "", Condition.BAD_REQUEST),
        ("<expand/>", "", Condition.BAD_REQUEST),
        ('<expand start="20060104T000000Z"/>', "", Condition.BAD_REQUEST),
        ('<expand start="20060104T000000Z" end="20050105T000000Z"/>', "", Condition.BAD_REQUEST),
        (
            '<expand start="20060104T000000Z" end="20060105T000000Z"/>'
            '<limit-recurrence-set start="20060104T000000Z" end="20060105T000000Z"/>',
            "",
            Condition.BAD_REQUEST,
        ),
    ],
)
def test_calendar_data_that_is_refused(inner: str, attributes: str, condition: Condition) -> None:
    report = body("calendar-query", f"<D:prop><calendar-data {attributes}>{inner}</calendar-data></D:prop>")
    assert refused(report) is condition


def test_calendar_multiget() -> None:
    found = parse_report(
        body(
            "calendar-multiget",
            "<D:prop><calendar-data/></D:prop><D:href> /a%20b </D:href><D:href>/c?x&amp;y</D:href>"
            "<D:href>/a%20b</D:href><D:href/>",
        )
    )
    assert found == CalendarMultiget(PropFind(PropKind.PROP, (names.CALENDAR_DATA,)), ("/a%20b", "/c?x&y"), VERBATIM)
    assert parse_report(body("calendar-multiget", "")) == CalendarMultiget(NO_PROPERTIES, ())


def test_free_busy_query() -> None:
    assert parse_report(body("free-busy-query", RANGE)) == FreeBusyQuery(TimeRange(JAN_4, JAN_5))
    assert refused(body("free-busy-query", "")) is Condition.BAD_REQUEST
    assert refused(body("free-busy-query", RANGE + RANGE)) is Condition.BAD_REQUEST
    assert refused(body("free-busy-query", "<time-range/>")) is VALID


def test_sync_collection() -> None:
    prop = "<D:prop><D:getetag/></D:prop>"
    wanted = PropFind(PropKind.PROP, (names.GETETAG,))
    first = body("D:sync-collection", f"<D:sync-token/><D:sync-level>1</D:sync-level>{prop}")
    assert parse_report(first) == SyncCollection("", Depth.ONE, wanted)
    later = body(
        "D:sync-collection",
        f"<D:sync-token> urn:x:7\n</D:sync-token><D:sync-level>infinite</D:sync-level>"
        f"<D:limit><D:nresults> 100 </D:nresults></D:limit>{prop}",
    )
    assert parse_report(later) == SyncCollection("urn:x:7", Depth.INFINITY, wanted, 100)
    old = parse_report(body("D:sync-collection", "<D:sync-token/><D:prop><calendar-data/></D:prop>"))
    assert isinstance(old, SyncCollection)
    assert (old.level, old.calendar_data, old.limit) == (None, VERBATIM, None)
    assert parse_report(body("D:sync-collection", "<D:sync-token/><D:limit/>")) == SyncCollection(
        "", None, NO_PROPERTIES
    )


@pytest.mark.parametrize(
    "inner",
    [
        "<D:sync-level>1</D:sync-level>",
        "<D:sync-token/><D:sync-level>2</D:sync-level>",
        *(
            f"<D:sync-token/><D:limit><D:nresults>{count}</D:nresults></D:limit>"
            for count in ("0", "-1", "many", "", "9" * 20, "²")
        ),
    ],
)
def test_a_sync_collection_that_is_refused(inner: str) -> None:
    assert refused(body("D:sync-collection", inner)) is Condition.BAD_REQUEST


def test_expand_property() -> None:
    found = parse_report(
        body(
            "D:expand-property",
            f'<D:property name="calendar-home-set" namespace="{names.CALDAV}"><D:property name="displayname"/>'
            '<D:property name="group-member-set"><D:property name="x" namespace=""/></D:property></D:property>'
            "<D:other/>",
        )
    )
    assert found == ExpandProperty(
        (
            ExpandedProperty(
                names.CALENDAR_HOME_SET,
                (
                    ExpandedProperty(names.DISPLAYNAME),
                    ExpandedProperty(names.GROUP_MEMBER_SET, (ExpandedProperty("x"),)),
                ),
            ),
        )
    )


@pytest.mark.parametrize("name", ["", " ", "a b", "a<b", "1a", "a:b", "-a", 'a"'])
def test_expand_property_needs_names_of_elements(name: str) -> None:
    quoted = name.replace("<", "&lt;").replace('"', "&quot;")
    assert refused(body("D:expand-property", f'<D:property name="{quoted}"/>')) is Condition.BAD_REQUEST


def test_principal_property_search() -> None:
    search = (
        "<D:property-search><D:prop><D:displayname/><email-x/></D:prop><D:match{}>doe</D:match></D:property-search>"
    )
    found = parse_report(
        body(
            "D:principal-property-search",
            search.format("") + search.format(' match-type="starts-with"') + "<D:prop><D:owner/></D:prop>"
            "<D:apply-to-principal-collection-set/><D:limit><D:nresults>5</D:nresults></D:limit>",
            'test="anyof"',
        )
    )
    properties = (names.DISPLAYNAME, names.caldav("email-x"))
    assert found == PrincipalPropertySearch(
        (PropertySearch(properties, "doe"), PropertySearch(properties, "doe", "starts-with")),
        PropFind(PropKind.PROP, (names.OWNER,)),
        any_of=True,
        apply_to_principal_collection_set=True,
        limit=5,
    )
    plain = parse_report(body("D:principal-property-search", search.format("")))
    assert plain == PrincipalPropertySearch((PropertySearch(properties, "doe"),), NO_PROPERTIES)


def test_a_principal_property_search_as_python_caldav_writes_it() -> None:
    found = parse_report(body("D:principal-property-search", "<D:prop/><calendar-home-set/><D:displayname/>"))
    assert found == PrincipalPropertySearch((), PropFind(PropKind.PROP, (names.CALENDAR_HOME_SET, names.DISPLAYNAME)))


@pytest.mark.parametrize(
    "inner",
    [
        "<D:property-search><D:match>x</D:match></D:property-search>",
        "<D:property-search><D:prop><D:owner/></D:prop></D:property-search>",
        "<D:property-search><D:prop/><D:match>x</D:match></D:property-search>",
        '<D:property-search><D:prop><D:owner/></D:prop><D:match match-type="like">x</D:match></D:property-search>',
    ],
)
def test_a_principal_property_search_that_is_refused(inner: str) -> None:
    assert refused(body("D:principal-property-search", inner)) is Condition.BAD_REQUEST


def test_the_other_principal_reports() -> None:
    prop = "<D:prop><D:owner/></D:prop>"
    wanted = PropFind(PropKind.PROP, (names.OWNER,))
    assert parse_report(body("D:principal-search-property-set", "")) == PrincipalSearchPropertySet()
    assert parse_report(body("D:acl-principal-prop-set", prop)) == AclPrincipalPropSet(wanted)
    assert parse_report(body("D:acl-principal-prop-set", "")) == AclPrincipalPropSet(NO_PROPERTIES)
    assert parse_report(body("D:principal-match", f"<D:self/>{prop}")) == PrincipalMatch(None, wanted)
    by_owner = f"<D:principal-property><D:owner/></D:principal-property>{prop}"
    assert parse_report(body("D:principal-match", by_owner)) == PrincipalMatch(names.OWNER, wanted)
    for inner in ("", f"<D:self/>{by_owner}", "<D:principal-property/>"):
        assert refused(body("D:principal-match", inner)) is Condition.BAD_REQUEST


def test_a_report_nobody_knows() -> None:
    assert refused(body("D:version-tree", "")) is Condition.SUPPORTED_REPORT
    assert refused(b"") is Condition.BAD_REQUEST


_moments = st.datetimes().map(lambda moment: moment.replace(microsecond=0))


@given(_moments)
def test_utc_times_round_trip(moment) -> None:
    text = f"{moment.year:04d}{moment:%m%dT%H%M%SZ}"
    seconds = parse_utc(text, VALID)
    assert seconds is not None
    assert (moment - moment.min).total_seconds() == seconds + 62135596800


@given(st.integers(0, 4102444800), st.integers(1, 10**8))
def test_time_ranges_round_trip(start: int, length: int) -> None:
    def spell(seconds: int) -> str:
        return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))

    element = parse(f'<r start="{spell(start)}" end="{spell(start + length)}"/>'.encode())
    assert parse_time_range(element) == TimeRange(start, start + length)


def test_a_leap_second_is_the_last_of_its_minute() -> None:
    assert parse_utc("20161231T235960Z", VALID) == parse_utc("20161231T235959Z", VALID)


_all_names = [
    value for value in vars(names).values() if isinstance(value, str) and value.startswith("{") and "}" in value
]
_attribute_names = [
    "name",
    "namespace",
    "start",
    "end",
    "test",
    "collation",
    "negate-condition",
    "match-type",
    "version",
]
_attribute_values = [
    "",
    "VCALENDAR",
    "VEVENT",
    "VALARM",
    "DTSTART",
    "displayname",
    "20060104T000000Z",
    "anyof",
    "yes",
    "é",
]
_elements = st.recursive(
    st.tuples(st.sampled_from(_all_names), st.just(())),
    lambda inner: st.tuples(st.sampled_from(_all_names), st.lists(inner, max_size=4)),
    max_leaves=20,
)


@given(st.sampled_from(sorted(PARSERS)), st.lists(_elements, max_size=5), st.data())
def test_fuzz_any_tree_of_known_names_is_read_or_refused(root: str, children, draws) -> None:
    def spell(tree) -> str:
        name, inner = tree
        start, end = names.tags(name)
        attributes = draws.draw(
            st.dictionaries(st.sampled_from(_attribute_names), st.sampled_from(_attribute_values), max_size=3)
        )
        written = "".join(f' {key}="{value}"' for key, value in attributes.items())
        return f"{start[:-1]}{written}>{''.join(map(spell, inner))}{end}"

    start, end = names.tags(root)
    report = f"{start[:-1]}{names.DECLARATIONS}>{''.join(map(spell, children))}{end}"
    try:
        parse_report(report.encode())
    except Refusal as refusal:
        assert refusal.condition.status in (400, 403)
        assert refusal.message
