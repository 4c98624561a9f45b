"""The properties of calendars, homes and principals: RFC 4791 §5.2 and §6.2."""

import pytest

from conformance_tests.client import Calendar, Client
from conformance_tests.dav import tag
from testing.builders import event, timezone_text


def test_supported_calendar_component_set_default(calendar: Calendar) -> None:
    """RFC 4791 §5.2.3: a calendar made without a choice takes every component type."""
    names = {comp.get("name") for comp in calendar.prop("C:supported-calendar-component-set")}
    assert {"VEVENT", "VTODO", "VJOURNAL"} <= names


def test_component_set_is_protected(client: Client, calendar: Calendar) -> None:
    """RFC 4791 §5.2.3: the component set is fixed when the calendar is made."""
    inner = '<C:supported-calendar-component-set><C:comp name="VTODO"/></C:supported-calendar-component-set>'
    item = client.set_properties(calendar.href, inner).multistatus.only
    assert item.status_for("C:supported-calendar-component-set") == 403


def test_supported_calendar_data(calendar: Calendar) -> None:
    """RFC 4791 §5.2.4: text/calendar version 2.0 is supported."""
    kinds = calendar.prop("C:supported-calendar-data").findall(tag("C:calendar-data"))
    assert ("text/calendar", "2.0") in {(kind.get("content-type"), kind.get("version")) for kind in kinds}


@pytest.mark.parametrize("name", ["C:max-resource-size", "C:max-attendees-per-instance"])
def test_limits_are_numbers(calendar: Calendar, name: str) -> None:
    """RFC 4791 §5.2.5: limits that are kept are told."""
    assert int(calendar.prop(name).text) > 0


@pytest.mark.parametrize("name", ["C:min-date-time", "C:max-date-time"])
def test_date_limits(calendar: Calendar, name: str) -> None:
    """RFC 4791 §5.2.6: the earliest and latest date are told as UTC date-times, when there are any."""
    item = calendar.propfind(name).only
    if item.has(name):
        assert len(item.text(name)) == 16 and item.text(name).endswith("Z")


def test_supported_collation_set(calendar: Calendar) -> None:
    """RFC 4791 §7.5.1: i;ascii-casemap and i;octet are required, i;unicode-casemap is offered."""
    names = {element.text for element in calendar.prop("C:supported-collation-set")}
    assert {"i;ascii-casemap", "i;octet", "i;unicode-casemap"} <= names


def test_supported_report_set(calendar: Calendar) -> None:
    """RFC 3253 §3.1.5: every report of a calendar is listed."""
    reports = {element[0].tag for element in calendar.prop("D:supported-report-set").iter(tag("D:report"))}
    for name in ("C:calendar-query", "C:calendar-multiget", "C:free-busy-query", "D:sync-collection"):
        assert tag(name) in reports, name


def test_description(client: Client, calendar: Calendar) -> None:
    """RFC 4791 §5.2.1: calendar-description is kept, language included, and can be removed."""
    inner = '<C:calendar-description xml:lang="ja">説明 &amp; mehr</C:calendar-description>'
    assert client.set_properties(calendar.href, inner).multistatus.only.status_for("C:calendar-description") == 200
    assert calendar.prop("C:calendar-description").text == "説明 & mehr"
    client.proppatch(calendar.href, "<D:remove><D:prop><C:calendar-description/></D:prop></D:remove>").expect(207)
    assert (
        not calendar.propfind("C:calendar-description").only.text("C:calendar-description")
        if calendar.propfind("C:calendar-description").only.has("C:calendar-description")
        else True
    )


def test_timezone_is_kept(client: Client, calendar: Calendar) -> None:
    """RFC 4791 §5.2.2: calendar-timezone can be set, read back and removed."""
    zone = timezone_text()
    answer = client.set_properties(calendar.href, f"<C:calendar-timezone><![CDATA[{zone}]]></C:calendar-timezone>")
    assert answer.multistatus.only.status_for("C:calendar-timezone") == 200
    assert calendar.prop("C:calendar-timezone").text.replace("\r\n", "\n") == zone.replace("\r\n", "\n")
    client.proppatch(calendar.href, "<D:remove><D:prop><C:calendar-timezone/></D:prop></D:remove>").expect(207)


@pytest.mark.parametrize("zone", ["", "garbage", "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nEND:VCALENDAR\n"])
def test_timezone_must_be_one(client: Client, calendar: Calendar, zone: str) -> None:
    """RFC 4791 §5.2.10: a value that is not one VTIMEZONE is refused with CALDAV:valid-calendar-data."""
    item = client.set_properties(calendar.href, f"<C:calendar-timezone>{zone}</C:calendar-timezone>").multistatus.only
    assert item.status_for("C:calendar-timezone") == 403
    assert item.error is not None
    names = {child.tag for child in item.error}
    assert names & {tag("C:valid-calendar-data"), tag("C:valid-calendar-timezone")}, names


def test_timezone_id(client: Client, calendar: Calendar) -> None:
    """RFC 7809 §5.2: calendar-timezone-id names a known zone; an unknown one is refused."""
    inner = "<C:calendar-timezone-id>Europe/Vienna</C:calendar-timezone-id>"
    item = client.set_properties(calendar.href, inner).multistatus.only
    assert item.status_for("C:calendar-timezone-id") == 200
    assert calendar.prop("C:calendar-timezone-id").text == "Europe/Vienna"
    inner = "<C:calendar-timezone-id>Nowhere/Land</C:calendar-timezone-id>"
    assert client.set_properties(calendar.href, inner).multistatus.only.status_for("C:calendar-timezone-id") == 403


def test_transparency(client: Client, calendar: Calendar) -> None:
    """RFC 6638 §9.1: schedule-calendar-transp is opaque until it is set, and keeps what is set."""
    inner = "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>"
    assert client.set_properties(calendar.href, inner).multistatus.only.status_for("C:schedule-calendar-transp") == 200
    assert calendar.prop("C:schedule-calendar-transp")[0].tag == tag("C:transparent")


def test_calendar_home_set(client: Client) -> None:
    """RFC 4791 §6.2.1: the principal names its home, which is a collection and lists calendars."""
    item = client.propfind(client.principal, "C:calendar-home-set").only
    assert len(item.hrefs("C:calendar-home-set")) == 1
    listing = client.propfind(client.home, "D:resourcetype", depth="1")
    calendars = [i for i in listing.items if i.prop("D:resourcetype").find(tag("C:calendar")) is not None]
    assert calendars


def test_calendar_properties_are_not_on_homes(client: Client) -> None:
    """RFC 4791 §5.2: properties of calendars are not defined on other collections."""
    item = client.propfind(client.home, "C:supported-calendar-component-set", "C:calendar-timezone").only
    assert item.status_for("C:calendar-timezone") == 404


def test_calendar_data_is_not_a_property(client: Client, calendar: Calendar) -> None:
    """RFC 4791 §9.6: calendar-data is for reports; PROPFIND does not answer it."""
    calendar.add("a.ics", event())
    item = client.propfind(calendar.path("a.ics"), "C:calendar-data").only
    assert item.status_for("C:calendar-data") == 404


def test_default_calendar(ours, client: Client) -> None:
    """Accounts: every home has a default calendar that takes all component types; deleted, it comes back empty."""
    default = Calendar(client, f"{client.home}calendar/")
    names = {comp.get("name") for comp in default.prop("C:supported-calendar-component-set")}
    assert {"VEVENT", "VTODO", "VJOURNAL"} <= names
    default.add("keep-not.ics", event())
    client.delete(default.href).expect(204)
    assert default.etags() == {}
    default.put("again.ics", event()).expect(201)
    default.delete("again.ics").expect(204)


@pytest.mark.parametrize("kind", ["inbox", "outbox", "notification"])
def test_special_collections(ours, client: Client, kind: str) -> None:
    """Accounts: every home has inbox, outbox and notification; they are collections, not calendars."""
    item = client.propfind(f"{client.home}{kind}/", "D:resourcetype").only
    assert item.prop("D:resourcetype").find(tag("D:collection")) is not None
    assert item.prop("D:resourcetype").find(tag("C:calendar")) is None
