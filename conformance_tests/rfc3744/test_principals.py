"""Principals and the read side of access control: RFC 3744 §4 and §5, RFC 4791 §6."""

import pytest

from conformance_tests.client import Calendar, Client
from conformance_tests.dav import segments, tag
from testing.builders import event


def test_principal_url(client: Client) -> None:
    """RFC 3744 §4.2: principal-URL of a principal is itself; its resourcetype is principal."""
    item = client.propfind(client.principal, "D:principal-URL", "D:resourcetype", "D:displayname").only
    assert segments(item.hrefs("D:principal-URL")[0]) == segments(client.principal)
    assert item.prop("D:resourcetype").find(tag("D:principal")) is not None
    assert item.text("D:displayname")


def test_alternate_uri_set(client: Client) -> None:
    """RFC 3744 §4.1: alternate-URI-set is defined, and may be empty."""
    client.propfind(client.principal, "D:alternate-URI-set").only.prop("D:alternate-URI-set")


def test_calendar_user_address_set(ours, client: Client) -> None:
    """RFC 6638 §2.4.1: the principal names its addresses: mailto: of each e-mail address, and its own URL."""
    hrefs = client.propfind(client.principal, "C:calendar-user-address-set").only.hrefs("C:calendar-user-address-set")
    assert "mailto:user01@example.com" in [href.lower() for href in hrefs]


@pytest.mark.parametrize("path", ["home", "calendar", "object"])
def test_owner(client: Client, calendar: Calendar, path: str) -> None:
    """RFC 3744 §5.1: owner is the principal of the home, as an absolute path."""
    calendar.add("a.ics", event())
    where = {"home": client.home, "calendar": calendar.href, "object": calendar.path("a.ics")}[path]
    hrefs = client.propfind(where, "D:owner").only.hrefs("D:owner")
    assert len(hrefs) == 1 and segments(hrefs[0]) == segments(client.principal)


def privileges(element) -> set[str]:
    return {child.tag for privilege in element.iter(tag("D:privilege")) for child in privilege}


def test_current_user_privilege_set(client: Client, calendar: Calendar) -> None:
    """RFC 3744 §5.4: an owner's privileges are spelt out: read, write with its parts, read-free-busy."""
    found = privileges(calendar.prop("D:current-user-privilege-set"))
    for name in ("D:read", "D:write", "D:write-content", "D:write-properties", "D:bind", "D:unbind",
                 "D:read-acl", "D:read-current-user-privilege-set", "C:read-free-busy"):  # fmt: skip
        assert tag(name) in found, name


def test_supported_privilege_set(calendar: Calendar) -> None:
    """RFC 3744 §5.3: the tree of privileges holds all that are ever granted; read-free-busy is under read."""
    tree = calendar.prop("D:supported-privilege-set")
    known = privileges(tree)
    assert privileges(calendar.prop("D:current-user-privilege-set")) <= known
    for supported in tree.iter(tag("D:supported-privilege")):
        assert supported.find(tag("D:privilege")) is not None and supported.find(tag("D:description")) is not None
    reads = [
        s for s in tree.iter(tag("D:supported-privilege")) if s.find(tag("D:privilege")).find(tag("D:read")) is not None
    ]
    assert len(reads) == 1 and tag("C:read-free-busy") in privileges(reads[0])


def test_acl(client: Client, calendar: Calendar) -> None:
    """RFC 3744 §5.5: the owner's ACE grants; every ACE has a principal and privileges."""
    aces = calendar.prop("D:acl").findall(tag("D:ace"))
    assert aces
    for ace in aces:
        assert ace.find(tag("D:principal")) is not None or ace.find(tag("D:invert")) is not None
        assert ace.find(tag("D:grant")) is not None or ace.find(tag("D:deny")) is not None


def test_acl_restrictions_and_inheritance(calendar: Calendar) -> None:
    """RFC 3744 §5.6: acl-restrictions and inherited-acl-set are answered: defined, or 404."""
    item = calendar.propfind("D:acl-restrictions", "D:inherited-acl-set").only
    assert item.status_for("D:acl-restrictions") in {200, 404}
    assert item.status_for("D:inherited-acl-set") in {200, 404}


@pytest.mark.parametrize("where", ["calendar", "principal", "home"])
def test_principal_collection_set(client: Client, calendar: Calendar, where: str) -> None:
    """RFC 3744 §5.8: principal-collection-set names collections that answer PROPFIND."""
    path = {"calendar": calendar.href, "principal": client.principal, "home": client.home}[where]
    hrefs = client.propfind(path, "D:principal-collection-set").only.hrefs("D:principal-collection-set")
    assert hrefs
    client.propfind(hrefs[0], "D:resourcetype")


def test_group_member_set(ours, client: Client, anyone) -> None:
    """RFC 3744 §4.3: a group lists its members; §4.4: a member lists its groups."""
    member = anyone("user06")
    groups = member.propfind(member.principal, "D:group-membership").only.hrefs("D:group-membership")
    assert [group for group in groups if segments(group)[-2] == b"group02"]
    group = next(group for group in groups if segments(group)[-2] == b"group02")
    item = client.propfind(group, "D:group-member-set", "D:displayname", "D:resourcetype").only
    assert item.text("D:displayname") == "Group 02"
    members = {segments(href)[-2] for href in item.hrefs("D:group-member-set")}
    assert members == {b"user06", b"user07"}


def test_no_groups(ours, anyone) -> None:
    """RFC 3744 §4.4: a principal in no group has an empty group-membership."""
    loner = anyone("user09")
    item = loner.propfind(loner.principal, "D:group-membership").only
    assert [href for href in item.hrefs("D:group-membership") if b"group" in segments(href)[-2]] == []


def test_other_principals_can_be_seen(ours, other: Client, client: Client) -> None:
    """RFC 3744 §4: principals of the same server can look each other up by name and address, not more."""
    item = other.propfind(client.principal, "D:displayname", "D:principal-URL").only
    assert item.text("D:displayname") == "User 01"


def test_unknown_principal(ours, client: Client) -> None:
    """RFC 9110 §15.5.5: a principal that does not exist is 404."""
    path = client.principal.replace("user01", "nobody-of-that-name")
    client.propfind_raw(path, None).expect(404)


def test_unicode_display_name(ours, anyone) -> None:
    """Accounts: a display name may hold any Unicode."""
    i18n = anyone("i18nuser")
    assert i18n.propfind(i18n.principal, "D:displayname").only.text("D:displayname") == "まだ"


def test_unicode_login(ours, anyone) -> None:
    """Accounts: a login name and a password may hold any Unicode and a colon in the password."""
    iroha = anyone("いろは", "パス:ワード")
    assert segments(iroha.principal)[-2] == "いろは".encode()
    made = Calendar(iroha, f"{iroha.home}calendar/")
    made.put("x.ics", event()).expect(201, 204)


def test_rooms_are_principals(ours, client: Client) -> None:
    """RFC 6638 §2.4.2: a room is a principal of calendar-user-type ROOM."""
    path = client.principal.replace("user01", "location01")
    item = client.propfind(path, "D:displayname", "C:calendar-user-type").only
    assert item.text("D:displayname") == "Location 01"
    assert item.text("C:calendar-user-type") == "ROOM"


def test_write_delegate(ours, client: Client) -> None:
    """Accounts: a write delegate of a room stores and removes objects in the room's calendar."""
    home = client.home.replace("user01", "location01")
    room = Calendar(client, f"{home}calendar/")
    room.put("delegated.ics", event()).expect(201, 204)
    room.get("delegated.ics").expect(200)
    room.delete("delegated.ics").expect(204)


def test_read_delegate(ours, anyone) -> None:
    """Accounts: a read delegate reads and may not write."""
    reader = anyone("user03")
    home = reader.home.replace("user03", "location01")
    room = Calendar(reader, f"{home}calendar/")
    room.propfind("D:resourcetype", depth="1")
    room.put("no.ics", event()).refused(403, "D:need-privileges")
    found = privileges(room.prop("D:current-user-privilege-set"))
    assert tag("D:read") in found and tag("D:write") not in found and tag("D:bind") not in found


def test_no_delegate(ours, anyone) -> None:
    """Accounts: who is no delegate sees nothing of a room's events."""
    stranger = anyone("user05")
    room = Calendar(stranger, stranger.home.replace("user05", "location01") + "calendar/")
    answer = stranger.propfind_raw(room.href, None, "1")
    assert answer.status in {403, 404} or set(room.etags()) == set()


def test_acl_method(client: Client, calendar: Calendar) -> None:
    """RFC 3744 §8.1: ACL is answered when it is offered; while sharing is not built it is not in Allow and 405."""
    allow = client.options(calendar.href).allow
    answer = client.request("ACL", calendar.href, '<D:acl xmlns:D="DAV:"/>')
    if "ACL" not in allow:
        answer.expect(405, 403, 501)


def test_need_privileges_names_them(other: Client, client: Client, calendar: Calendar) -> None:
    """RFC 3744 §7.1.1: want of rights is 403 with need-privileges, the resource and the privilege; or 404."""
    answer = other.put(calendar.path("x.ics"), event()).expect(403, 404)
    if answer.status == 403:
        from conformance_tests.dav import parse_xml

        resource = parse_xml(answer.body).find(f"{tag('D:need-privileges')}/{tag('D:resource')}")
        assert resource is not None
        assert resource.find(tag("D:href")) is not None and resource.find(tag("D:privilege")) is not None
