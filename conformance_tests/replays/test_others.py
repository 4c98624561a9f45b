"""What Thunderbird, DAVx5, Outlook CalDav Synchronizer, Evolution and vdirsyncer send, and what they need."""

import re

from conformance_tests.client import (
    Calendar,
    Client,
    basic,
    prop_body,
    raw_exchange,
    statuses,
    time_range,
    vcalendar_filter,
)
from conformance_tests.dav import NAMESPACES, parse_xml, segments, tag
from testing.builders import BERLIN, event, new_uid, timezone_text


class TestThunderbird:
    """Thunderbird 115 and later."""

    FIRST = ("D:resourcetype", "D:owner", "D:current-user-principal", "D:current-user-privilege-set",
             "D:supported-report-set", "C:supported-calendar-component-set", "CS:getctag", "D:displayname",
             "A:calendar-color")  # fmt: skip

    def test_first_propfind(self, client: Client, calendar: Calendar) -> None:
        """Thunderbird: the first PROPFIND on the calendar must be 207 without a redirect, also without a slash."""
        for path in (calendar.href, calendar.href.rstrip("/")):
            item = client.propfind(path, *self.FIRST).only
            for name in self.FIRST[:7]:
                assert item.has(name), name

    def test_options_on_the_parent(self, client: Client, calendar: Calendar) -> None:
        """Thunderbird: OPTIONS on the parent of the calendar carries the DAV header."""
        parent = calendar.href.rstrip("/").rsplit("/", 1)[0] + "/"
        assert "calendar-access" in client.options(parent).expect(200, 204).tokens

    def test_sync(self, client: Client, calendar: Calendar) -> None:
        """Thunderbird: sync-collection with Depth: 1 and getcontenttype; deletions as status 404 of the response."""
        calendar.add("a.ics", event())
        props = "<D:getcontenttype/><D:getetag/>"
        first = calendar.sync_raw(props=props, depth="1").multistatus
        assert first.only.text("D:getcontenttype").startswith("text/calendar")
        calendar.delete("a.ics").expect(204)
        second = calendar.sync_raw(first.sync_token or "", props=props, depth="1").multistatus
        assert second.only.status == 404

    def test_invalid_token_is_not_taken_for_rate_limiting(self, calendar: Calendar) -> None:
        """Thunderbird: a bad token is 403 with a non-empty error element (an empty one means rate limiting to it)."""
        answer = calendar.sync_raw("http://old.example.com/1", depth="1").refused(403, "D:valid-sync-token")
        assert len(parse_xml(answer.body)) >= 1

    def test_multiget_of_a_hundred(self, calendar: Calendar) -> None:
        """Thunderbird: multiget in batches of a hundred."""
        for number in range(20):
            calendar.add(f"{number}.ics", event())
        hrefs = [calendar.path(f"{number % 20}{'' if number < 20 else '-none'}.ics") for number in range(40)]
        found = calendar.multiget(*dict.fromkeys(hrefs)).multistatus
        assert sum(item.has("C:calendar-data") for item in found.items) == 20

    def test_head_after_412(self, client: Client, calendar: Calendar) -> None:
        """Thunderbird: HEAD after a 412 on DELETE tells whether the object is still there."""
        calendar.add("a.ics", event())
        calendar.delete("a.ics", {"If-Match": '"old"'}).expect(412)
        client.request("HEAD", calendar.path("a.ics")).expect(200)
        calendar.delete("a.ics").expect(204)
        client.request("HEAD", calendar.path("a.ics")).expect(404)

    def test_principal_has_an_address(self, ours, client: Client) -> None:
        """Thunderbird: a mailto: address in calendar-user-address-set."""
        hrefs = client.propfind(client.principal, "C:calendar-user-address-set").only.hrefs(
            "C:calendar-user-address-set"
        )
        assert any(href.lower().startswith("mailto:") for href in hrefs)


class TestDavx5:
    """DAVx5 4."""

    def test_discovery(self, client: Client) -> None:
        """DAVx5: OPTIONS on the principal lists calendar-access; PROPFIND of principal and home as it sends them."""
        assert "calendar-access" in client.options(client.principal).tokens
        item = client.propfind(
            client.principal, "D:resourcetype", "D:displayname", "C:calendar-home-set", "CS:calendar-proxy-read-for",
            "CS:calendar-proxy-write-for", "D:group-membership",
        ).only  # fmt: skip
        assert item.hrefs("C:calendar-home-set")

    def test_home_listing(self, client: Client, calendar: Calendar) -> None:
        """DAVx5: the properties of the home listing that decide whether a calendar is shown and writable."""
        names = ("D:resourcetype", "D:displayname", "D:owner", "D:current-user-privilege-set", "A:calendar-color",
                 "C:calendar-description", "C:calendar-timezone", "C:calendar-timezone-id",
                 "C:supported-calendar-component-set", "CS:source")  # fmt: skip
        item = client.propfind(client.home, *names, depth="1")[calendar.href]
        privileges = {child.tag for child in item.prop("D:current-user-privilege-set").iter()}
        assert tag("D:write-content") in privileges and tag("D:bind") in privileges and tag("D:unbind") in privileges

    def test_mkcalendar_with_zone_id(self, client: Client, new_calendar) -> None:
        """DAVx5: MKCALENDAR with calendar-timezone-id and calendar-timezone."""
        made = new_calendar(
            "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype><D:displayname>DAVx5</D:displayname>"
            "<A:calendar-color>#FF8800FF</A:calendar-color><C:calendar-timezone-id>Europe/Berlin</C:calendar-timezone-id>"
            f"<C:calendar-timezone>{timezone_text()}</C:calendar-timezone>"
        )
        assert made.prop("C:calendar-timezone-id").text == "Europe/Berlin"

    def test_sync_with_depth_0_and_limit(self, calendar: Calendar) -> None:
        """DAVx5: sync-collection with Depth: 0 and a limit; the answer to a bad token names DAV:valid-sync-token."""
        calendar.add("a.ics", event())
        answer = calendar.sync_raw(limit=100, depth="0").multistatus
        assert answer.names == {"a.ics"}
        calendar.sync_raw("garbage", depth="0").refused(403, "D:valid-sync-token")

    def test_multiget_without_depth(self, calendar: Calendar) -> None:
        """DAVx5: multiget without Depth, asking for schedule-tag and a versioned calendar-data."""
        calendar.add("a.ics", event())
        props = '<D:getetag/><C:schedule-tag/><C:calendar-data content-type="text/calendar" version="2.0"/>'
        assert "VEVENT" in calendar.multiget(calendar.path("a.ics"), props=props, depth=None).multistatus.only.data

    def test_past_limit_query(self, calendar: Calendar) -> None:
        """DAVx5: calendar-query with an open-ended time-range for the last days on."""
        calendar.add("old.ics", event(start="DTSTART:20100101T100000Z", end="DTEND:20100101T110000Z"))
        calendar.add("new.ics", event(start="DTSTART:20300101T100000Z", end="DTEND:20300101T110000Z"))
        assert calendar.events(time_range("20250101T000000Z")) == {"new.ics"}

    def test_upload(self, calendar: Calendar) -> None:
        """DAVx5: creation with If-None-Match, change with If-Match; 412 means somebody else was first."""
        uid = new_uid()
        etag = calendar.put("a.ics", event(uid), {"If-None-Match": "*"}).expect(201).etag
        etag = calendar.put("a.ics", event(uid, summary="B"), {"If-Match": etag}).expect(204).etag
        calendar.delete("a.ics", {"If-Match": etag}).expect(204)


class TestOutlookCalDavSynchronizer:
    """Outlook CalDav Synchronizer 4."""

    def test_absolute_paths(self, client: Client, calendar: Calendar) -> None:
        """OCS: it glues the host in front of current-user-principal and owner: they must be absolute paths."""
        item = client.propfind(calendar.href, "D:current-user-principal", "D:owner").only
        for name in ("D:current-user-principal", "D:owner"):
            assert all(href.startswith("/") for href in item.hrefs(name))

    def test_privilege_write_is_spelt_out(self, calendar: Calendar) -> None:
        """OCS: it looks for the privilege write by name."""
        names = {child.tag for child in calendar.prop("D:current-user-privilege-set").iter()}
        assert tag("D:write") in names

    def test_bad_token_is_exactly_403(self, calendar: Calendar) -> None:
        """OCS: exactly 403 makes it start over."""
        calendar.sync_raw("x", depth="0").expect(403)

    def test_dav_header_on_the_calendar(self, client: Client, calendar: Calendar) -> None:
        """OCS: the DAV header of the calendar names calendar-access."""
        assert "calendar-access" in client.options(calendar.href).tokens

    def test_expect_continue(self, client: Client, calendar: Calendar) -> None:
        """OCS: every PUT comes with Expect: 100-continue; the body follows the interim answer or comes at once."""
        data = event()
        head = (
            f"PUT {calendar.path('o.ics')} HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: {basic(client.user or '', client.password)}\r\n"
            f"Content-Type: text/calendar; charset=utf-8\r\nIf-None-Match: *\r\nContent-Length: {len(data)}\r\n"
            "Expect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        codes = statuses(raw_exchange(client.host, client.port, head.encode() + data))
        assert codes[-1] == 201

    def test_time_range_query_with_etags(self, calendar: Calendar) -> None:
        """OCS: getetag of a range, then multiget."""
        calendar.add("a.ics", event())
        found = calendar.query(vcalendar_filter(time_range("20260101T000000Z", "20260201T000000Z")))
        assert found.names == {"a.ics"} and found.only.text("D:getetag")


class TestEvolution:
    """Evolution Data Server 3.46 and later."""

    def test_options_and_discovery(self, client: Client) -> None:
        """EDS: the user's address is in calendar-user-address-set; the well-known URL leads to the principal."""
        answer = client.request(
            "PROPFIND", "/.well-known/caldav", prop_body("D:current-user-principal"), {"Depth": "0"}
        )
        assert answer.status in {301, 302, 307, 308} and answer.header("Location")

    def test_request_without_credentials_and_close(self, client: Client, calendar: Calendar) -> None:
        """EDS: it sends first without credentials and with Connection: close; the 401 must come back whole."""
        body = b"x" * 3000
        head = (
            f"POST {client.home}outbox/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        received = raw_exchange(client.host, client.port, head.encode() + body)
        assert statuses(received) == [401]
        assert re.search(rb"(?i)www-authenticate: basic realm=", received)

    def test_getctag_then_etags(self, client: Client, calendar: Calendar) -> None:
        """EDS: getctag, then a query for all ETags of a component, then multiget."""
        calendar.add("a.ics", event())
        assert calendar.prop("CS:getctag").text
        assert calendar.events("") == {"a.ics"}

    def test_weak_etag_in_if_match(self, calendar: Calendar) -> None:
        """EDS: strong comparison: a weakened ETag in If-Match is 412, not an overwrite."""
        uid = new_uid()
        etag = calendar.add("a.ics", event(uid))
        calendar.put("a.ics", event(uid, summary="B"), {"If-Match": f"W/{etag}"}).expect(412)

    def test_move_as_copy_and_delete(self, calendar: Calendar, new_calendar) -> None:
        """EDS: it moves by PUT into the other calendar and DELETE in the first, both ways round."""
        other = new_calendar()
        data = event(zone=BERLIN)
        calendar.add("a.ics", data)
        other.put("b.ics", data).expect(201)
        calendar.delete("a.ics").expect(204)
        calendar.put("a.ics", data).expect(201)
        other.delete("b.ics").expect(204)


class TestVdirsyncer:
    """vdirsyncer 0.19 and later."""

    def test_makes_collections_by_mkcol(self, client: Client) -> None:
        """vdirsyncer: extended MKCOL in the home, then PROPPATCH of displayname and calendar-color."""
        href = f"{client.home}vdir-test/"
        client.delete(href)
        kind = "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>"
        client.mkcol(href, kind).expect(201)
        client.set_properties(href, "<D:displayname>V</D:displayname>").expect(207)
        client.set_properties(href, "<A:calendar-color>#112233</A:calendar-color>").expect(207)
        item = client.propfind(href, "D:displayname", "A:calendar-color").only
        assert item.text("D:displayname") == "V" and item.text("A:calendar-color") == "#112233"
        client.delete(href).expect(204)

    def test_lists_with_a_query(self, calendar: Calendar) -> None:
        """vdirsyncer: PROPFIND Depth: 1 with resourcetype, getcontenttype and getetag."""
        calendar.add("a b.ics", event())
        listing = calendar.propfind("D:resourcetype", "D:getcontenttype", "D:getetag", depth="1")
        item = listing[calendar.path("a b.ics")]
        assert item.text("D:getetag").startswith('"') and "text/calendar" in item.text("D:getcontenttype")


class TestTsdav:
    """tsdav 2."""

    def test_calendar_listing(self, client: Client, calendar: Calendar) -> None:
        """tsdav: supported-report-set of each calendar, asked on the calendar itself, has sync-collection."""
        item = client.propfind(calendar.href, "D:supported-report-set").only
        assert item.prop("D:supported-report-set").find(f".//{tag('D:sync-collection')}") is not None

    def test_query_with_expand(self, calendar: Calendar) -> None:
        """tsdav: expand in calendar-query with getetag."""
        calendar.add("a.ics", event(more="RRULE:FREQ=DAILY;COUNT=3"))
        data = (
            '<D:getetag/><C:calendar-data><C:expand start="20260105T000000Z" end="20260107T000000Z"/></C:calendar-data>'
        )
        found = calendar.query(vcalendar_filter(time_range("20260105T000000Z", "20260107T000000Z")), data)
        assert found.only.data.count("BEGIN:VEVENT") == 2
        assert segments(found.only.href) == segments(calendar.path("a.ics"))


def test_namespace_prefixes_of_every_client(client: Client, calendar: Calendar) -> None:
    """RFC 4918 §8.2: the same request in the prefixes of different clients."""
    calendar.add("a.ics", event())
    for body in (
        '<A:propfind xmlns:A="DAV:"><A:prop><A:getetag/></A:prop></A:propfind>',
        '<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>',
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<D:propfind xmlns:D="DAV:" xmlns:CR="urn:x"><D:prop><D:getetag/></D:prop></D:propfind>',
        f'<x:propfind xmlns:x="DAV:" {NAMESPACES}><x:prop>\n<x:getetag/>\n</x:prop></x:propfind>',
    ):
        assert client.propfind_raw(calendar.path("a.ics"), body).multistatus.only.has("D:getetag")
