"""Apple's properties: getctag (caldav-ctag), calendar-color, calendar-order, and what else clients keep there."""

import pytest

from conformance_tests.client import Calendar, Client
from testing.builders import event, new_uid


def ctag(calendar: Calendar) -> str:
    return calendar.prop("CS:getctag").text


def test_ctag_changes(calendar: Calendar, client: Client) -> None:
    """caldav-ctag §4.1: the tag changes with every creation, change and removal of a member."""
    uid = new_uid()
    tags = [ctag(calendar)]
    calendar.add("a.ics", event(uid))
    tags.append(ctag(calendar))
    calendar.put("a.ics", event(uid, summary="B")).expect(204)
    tags.append(ctag(calendar))
    client.move(calendar.path("a.ics"), calendar.path("b.ics")).expect(201)
    tags.append(ctag(calendar))
    calendar.delete("b.ics").expect(204)
    tags.append(ctag(calendar))
    assert len(set(tags)) == len(tags)


def test_ctag_stays(calendar: Calendar) -> None:
    """caldav-ctag §4.1: reading, and what is refused, does not change the tag."""
    calendar.add("a.ics", event())
    before = ctag(calendar)
    calendar.get("a.ics")
    calendar.put("b.ics", "garbage").expect(403)
    calendar.etags()
    assert ctag(calendar) == before


def test_ctag_in_a_listing(calendar: Calendar, client: Client) -> None:
    """caldav-ctag §4.1: one PROPFIND on the home answers the tags of all calendars."""
    listing = client.propfind(client.home, "CS:getctag", "D:resourcetype", depth="1")
    assert listing[calendar.href].text("CS:getctag") == ctag(calendar)


@pytest.mark.parametrize("value", ["#FF2968", "#FF2968FF", "#1badf880", "red"])
def test_color(client: Client, calendar: Calendar, value: str) -> None:
    """Apple: calendar-color comes back as it was set, alpha included."""
    item = client.set_properties(calendar.href, f"<A:calendar-color>{value}</A:calendar-color>").multistatus.only
    assert item.status_for("A:calendar-color") == 200
    assert calendar.prop("A:calendar-color").text == value


def test_symbolic_color(client: Client, calendar: Calendar) -> None:
    """Apple: the symbolic-color attribute of calendar-color is kept."""
    inner = '<A:calendar-color symbolic-color="orange">#FF9500FF</A:calendar-color>'
    client.set_properties(calendar.href, inner).expect(207)
    element = calendar.prop("A:calendar-color")
    assert element.text == "#FF9500FF" and element.get("symbolic-color") == "orange"


def test_color_can_be_removed(client: Client, calendar: Calendar) -> None:
    """Apple: calendar-color can be removed."""
    client.set_properties(calendar.href, "<A:calendar-color>#FF0000</A:calendar-color>").expect(207)
    client.proppatch(calendar.href, "<D:remove><D:prop><A:calendar-color/></D:prop></D:remove>").expect(207)
    item = calendar.propfind("A:calendar-color").only
    assert item.status_for("A:calendar-color") == 404 or item.text("A:calendar-color") != "#FF0000"


@pytest.mark.parametrize("value", ["0", "17", "-3"])
def test_order(client: Client, calendar: Calendar, value: str) -> None:
    """Apple: calendar-order is kept."""
    client.set_properties(calendar.href, f"<A:calendar-order>{value}</A:calendar-order>").expect(207)
    assert calendar.prop("A:calendar-order").text == value


def test_default_alarms(client: Client, calendar: Calendar) -> None:
    """caldav-extensions: default alarms with CDATA and carriage returns are kept on calendars and on the home."""
    text = "BEGIN:VALARM&#13;\nACTION:NONE&#13;\nTRIGGER;VALUE=DATE-TIME:19760401T005545Z&#13;\nEND:VALARM&#13;\n"
    for path in (calendar.href, client.home):
        inner = f"<C:default-alarm-vevent-date>{text}</C:default-alarm-vevent-date>"
        item = client.set_properties(path, inner).multistatus.only
        assert item.status_for("C:default-alarm-vevent-date") == 200
        back = client.propfind(path, "C:default-alarm-vevent-date").only.text("C:default-alarm-vevent-date")
        assert back == text.replace("&#13;", "\r")


def test_mkcalendar_as_apple_sends_it(client: Client, new_calendar) -> None:
    """Apple: MKCALENDAR with colour, order, transparency and component set in one go."""
    made = new_calendar(
        '<A:calendar-color symbolic-color="custom">#882F00FF</A:calendar-color><A:calendar-order>3</A:calendar-order>'
        "<C:schedule-calendar-transp><C:opaque/></C:schedule-calendar-transp><D:displayname>Home</D:displayname>"
        '<C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>'
    )
    item = made.propfind("A:calendar-color", "A:calendar-order", "D:displayname").only
    assert item.text("A:calendar-color") == "#882F00FF" and item.text("A:calendar-order") == "3"
