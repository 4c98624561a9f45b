"""What Apple's clients send when an account is set up and synced: the requests, and what they need of the answers."""

import pytest

from conformance_tests.client import Calendar, Client, time_range, vcalendar_filter
from conformance_tests.dav import NAMESPACES, segments, tag
from testing.builders import event, timezone_text

AGENT = {"User-Agent": "macOS/14.5 (23F79) accountsd/113"}
BRIEF = {"Brief": "t", "Prefer": "return=minimal", "User-Agent": "macOS/14.5 (23F79) dataaccessd/1.0"}
FORTY = [
    "A:autoprovisioned", "A:calendar-color", "A:calendar-order", "A:language-code", "A:location-code",
    "A:refreshrate", "C:calendar-alarms", "C:calendar-description", "C:calendar-free-busy-set",
    "C:calendar-home-set", "C:calendar-timezone", "C:calendar-user-address-set", "C:calendar-user-type",
    "C:default-alarm-vevent-date", "C:default-alarm-vevent-datetime", "C:max-attendees-per-instance",
    "C:max-instances", "C:max-resource-size", "C:min-date-time", "C:schedule-calendar-transp",
    "C:schedule-default-calendar-URL", "C:schedule-inbox-URL", "C:schedule-outbox-URL",
    "C:supported-calendar-component-set", "C:supported-calendar-component-sets", "CS:allowed-sharing-modes",
    "CS:calendar-availability", "CS:checksum-versions", "CS:dropbox-home-URL", "CS:email-address-set", "CS:getctag",
    "CS:invite", "CS:notification-URL", "CS:pre-publish-url", "CS:publish-url", "CS:push-transports", "CS:pushkey",
    "CS:source", "CS:subscribed-strip-alarms", "CS:subscribed-strip-attachments", "D:add-member",
    "D:current-user-privilege-set", "D:displayname", "D:owner", "D:quota-available-bytes", "D:quota-used-bytes",
    "D:resource-id", "D:resourcetype", "D:supported-report-set", "D:sync-token", "D:principal-collection-set",
]  # fmt: skip


@pytest.mark.parametrize("path", ["/", "/principals/", "/calendar/dav/user01/user/", "/principals/users/user01/"])
def test_probes(client: Client, path: str) -> None:
    """Apple: setup probes addresses of other servers: found, refused or missing, never 5xx."""
    for auth in (False, True):
        answer = client.request("PROPFIND", path, None, {"Depth": "0", **AGENT}, auth=auth)
        assert answer.status in {207, 301, 302, 307, 308, 401, 403, 404}, (path, answer.status)


def test_setup(ours, client: Client) -> None:
    """Apple: well-known without credentials, then with; principal, home, addresses."""
    first = client.request("PROPFIND", "/.well-known/caldav", None, {"Depth": "0", **AGENT}, auth=False)
    assert first.status in {301, 302, 307, 308, 401}
    item = client.propfind("/dav/", "D:current-user-principal", "D:principal-URL", "D:resourcetype", headers=AGENT).only
    principal = item.hrefs("D:current-user-principal")[0]
    for path in (principal, principal.rstrip("/")):
        tokens = client.request("OPTIONS", path, None, AGENT).expect(200, 204).tokens
        assert {"calendar-access", "extended-mkcol"} <= tokens
        item = client.propfind(
            path, "C:calendar-home-set", "C:calendar-user-address-set", "D:displayname", "D:resource-id",
            "D:principal-collection-set", "D:supported-report-set", headers=BRIEF,
        ).only  # fmt: skip
        assert segments(item.hrefs("C:calendar-home-set")[0]) == segments(client.home)
        assert any(href.startswith("mailto:") for href in item.hrefs("C:calendar-user-address-set"))


def test_listing_with_forty_properties(client: Client, calendar: Calendar) -> None:
    """Apple: one PROPFIND of the home asks for fifty properties, most unknown; brief answers leave those out."""
    listing = client.propfind(client.home, *FORTY, depth="1", headers=BRIEF)
    item = listing[calendar.href]
    for name in ("D:resourcetype", "CS:getctag", "D:sync-token", "D:current-user-privilege-set", "D:owner",
                 "C:supported-calendar-component-set", "D:supported-report-set"):  # fmt: skip
        assert item.has(name), name
    assert set(item.properties) == {200}


def test_mkcalendar_without_a_slash(client: Client) -> None:
    """Apple: MKCALENDAR of a UUID name without a trailing slash; PROPPATCH of colour and order after it."""
    href = f"{client.home}2F9A5B0C-8A4E-4C43-9B7A-0A6B5A1C0D4E"
    client.delete(href + "/")
    client.mkcalendar(
        href,
        "<D:displayname>Neu</D:displayname><A:calendar-order>9</A:calendar-order>"
        '<A:calendar-color symbolic-color="blue">#1BADF8FF</A:calendar-color>'
        '<C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>'
        "<C:calendar-free-busy-set><YES/></C:calendar-free-busy-set>",
    ).expect(201)
    client.set_properties(href + "/", "<A:calendar-order>4</A:calendar-order>").expect(207)
    item = client.propfind(href + "/", "A:calendar-color", "A:calendar-order").only
    assert item.prop("A:calendar-color").get("symbolic-color") == "blue" and item.text("A:calendar-order") == "4"
    client.delete(href + "/").expect(204)


def test_event_kept_byte_for_byte(calendar: Calendar) -> None:
    """Apple: X-APPLE properties, an alarm of ACTION:NONE and the structured location come back as sent."""
    data = event(
        more="X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-APPLE-RADIUS=70.5;"
        'X-TITLE="Caf\u00e9\n  Central":geo:48.208,16.373\n'
        "X-APPLE-TRAVEL-ADVISORY-BEHAVIOR:AUTOMATIC\nTRANSP:OPAQUE\nSEQUENCE:0\n"
        "BEGIN:VALARM\nX-WR-ALARMUID:A0B1\nUID:A0B1\nTRIGGER;VALUE=DATE-TIME:19760401T005545Z\n"
        "X-APPLE-DEFAULT-ALARM:TRUE\n"
        "ACTION:NONE\nEND:VALARM"
    )
    headers = {"If-None-Match": "*", "User-Agent": "macOS/14.5 CalendarAgent/1.0"}
    etag = calendar.put("A-B.ics", data, headers).expect(201).etag
    stored = calendar.get("A-B.ics")
    assert stored.body == data and stored.etag == etag


def test_sync_and_multiget(client: Client, calendar: Calendar) -> None:
    """Apple: ctag, then sync-collection with Depth: 1 without the data, then multiget of what changed."""
    calendar.add("a.ics", event())
    body = (
        f"<D:sync-collection {NAMESPACES}><D:sync-token/><D:sync-level>1</D:sync-level>"
        "<D:prop><D:getcontenttype/><D:getetag/></D:prop></D:sync-collection>"
    )
    found = client.report(calendar.href, body, "1", BRIEF).multistatus
    href = found.only.href
    prop = "<CS:created-by/><C:calendar-data/><D:getetag/><C:schedule-tag/><CS:updated-by/><D:getcontenttype/>"
    body = f"<C:calendar-multiget {NAMESPACES}><D:prop>{prop}</D:prop><D:href>{href}</D:href></C:calendar-multiget>"
    item = client.report(calendar.href, body, None, BRIEF).multistatus.only
    assert "BEGIN:VEVENT" in item.data and item.text("D:getetag") == found.only.text("D:getetag")


def test_home_sync(client: Client) -> None:
    """Apple: sync-collection on the home with sync-level 1 finds calendars that changed."""
    body = (
        f"<D:sync-collection {NAMESPACES}><D:sync-token/><D:sync-level>1</D:sync-level><D:prop><D:resourcetype/>"
        "</D:prop></D:sync-collection>"
    )
    found = client.report(client.home, body, "1").multistatus
    assert any(i.prop("D:resourcetype").find(tag("C:calendar")) is not None for i in found.items if i.status is None)


def test_principal_search_as_the_invitee_field_sends_it(ours, client: Client) -> None:
    """Apple: searching people as somebody types: several properties, test=anyof, starts-with."""
    search = "".join(
        f'<D:property-search><D:prop><{name}/></D:prop><D:match match-type="starts-with">User 0</D:match>'
        "</D:property-search>"
        for name in ("C:calendar-user-address-set", "D:displayname", "CS:first-name", "CS:last-name")
    )
    body = (
        f'<D:principal-property-search {NAMESPACES} test="anyof">{search}<D:prop><D:displayname/>'
        "<C:calendar-user-address-set/><C:calendar-user-type/></D:prop></D:principal-property-search>"
    )
    where = client.propfind(client.principal, "D:principal-collection-set").only.hrefs("D:principal-collection-set")[0]
    found = client.report(where, body, "0").multistatus
    assert {"User 01", "User 02"} <= {item.text("D:displayname") for item in found.items}


def test_empty_schedule_tag_header(calendar: Calendar) -> None:
    """Apple: an empty If-Schedule-Tag-Match is as good as none."""
    calendar.put("a.ics", event("tag@x")).expect(201)
    calendar.put("a.ics", event("tag@x", summary="B"), {"If-Schedule-Tag-Match": ""}).expect(204)


def test_default_alarm_on_the_home(client: Client) -> None:
    """Apple: default alarms are set on the home, with CDATA."""
    alarm = "BEGIN:VALARM\nTRIGGER:-PT15H\nACTION:DISPLAY\nEND:VALARM\n"
    inner = f"<C:default-alarm-vevent-date><![CDATA[{alarm}]]></C:default-alarm-vevent-date>"
    assert client.set_properties(client.home, inner).multistatus.only.status_for("C:default-alarm-vevent-date") == 200
    assert client.propfind(client.home, "C:default-alarm-vevent-date").only.text("C:default-alarm-vevent-date") == alarm


def test_properties_set_after_creation_are_kept(calendar: Calendar) -> None:
    """Apple: transparency, order, colour and time zone are set by PROPPATCH and read back as they were set."""
    zone = timezone_text()
    answer = calendar.client.set_properties(
        calendar.href,
        "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp><A:calendar-order>7</A:calendar-order>"
        '<A:calendar-color symbolic-color="custom">#FF2968CC</A:calendar-color>'
        f"<C:calendar-timezone>{zone}</C:calendar-timezone>",
    ).multistatus
    assert set(answer.only.properties) == {200}
    item = calendar.propfind(
        "C:schedule-calendar-transp", "A:calendar-order", "A:calendar-color", "C:calendar-timezone"
    )
    assert item.only.prop("C:schedule-calendar-transp").find(tag("C:transparent")) is not None
    assert item.only.text("A:calendar-order") == "7" and item.only.text("A:calendar-color") == "#FF2968CC"
    assert "TZID:Europe/Berlin" in item.only.text("C:calendar-timezone")


def test_values_survive_expansion_and_selection(calendar: Calendar) -> None:
    """Apple: what the server writes anew (expand, selected properties) keeps values that others split."""
    lines = [
        'X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-TITLE="A, B":geo:48.208,16.373',
        "CATEGORIES:Work,A\\,B",
        'ATTENDEE;CN="Doe; Jane: x";X-NUM=^n:mailto:jane@example.com',
    ]
    calendar.add("a.ics", event(more="RRULE:FREQ=DAILY;COUNT=3\n" + "\n".join(lines)))
    window = time_range("20260105T000000Z", "20260107T000000Z")
    expand = '<C:calendar-data><C:expand start="20260105T000000Z" end="20260107T000000Z"/></C:calendar-data>'
    names = ("X-APPLE-STRUCTURED-LOCATION", "CATEGORIES", "ATTENDEE", "UID", "DTSTART")
    inner = "".join(f'<C:prop name="{name}"/>' for name in names)
    selected = (
        f'<C:calendar-data><C:comp name="VCALENDAR"><C:comp name="VEVENT">{inner}</C:comp></C:comp></C:calendar-data>'
    )
    for props in (expand, selected):
        text = calendar.query(vcalendar_filter(window), props).only.data.replace("\r\n ", "").replace("\n ", "")
        for line in lines:
            assert line in text, (line, text)
