"""Principals, directory, groups, delegates and credentials."""

from __future__ import annotations

import dataclasses

import pytest
from sqlalchemy import func, select, table

from protocol.model import Credential, PrincipalId, PrincipalKind
from storage import calendars, credentials, principals, server_state
from storage.database import Database, Statement, Transaction
from storage.errors import Duplicate, ParentGone
from storage.ids import new_id
from storage.principals import Term
from testing.samples import NOW, home, principal


async def test_found_by_name_id_and_address(db: Database) -> None:
    someone = principal("まだ", "Mada@Example.com", "mailto:второй@example.com")
    await db.write(lambda tx: principals.save(tx, someone))
    assert await db.read(lambda tx: principals.find_by_name(tx, "まだ")) == someone
    assert await db.read(lambda tx: principals.get(tx, someone.principal_id)) == someone
    for address in ("mada@example.com", "MAILTO:mada@EXAMPLE.com", " Второй@example.com "):
        assert await db.read(lambda tx, a=address: principals.find_by_address(tx, a)) == someone
    assert await db.read(lambda tx: principals.find_by_name(tx, "mada")) is None
    assert await db.read(lambda tx: principals.find_by_address(tx, "nobody@example.com")) is None
    assert await db.read(lambda tx: principals.get(tx, PrincipalId(new_id()))) is None


async def test_saving_again_replaces_and_keeps_home_seq(db: Database) -> None:
    pid, _ = await home(db)
    before = await db.read(lambda tx: principals.get(tx, pid))
    assert before is not None and before.home_seq == 1
    renamed = dataclasses.replace(before, name="other", emails=("new@example.com",), is_admin=True, home_seq=0)
    await db.write(lambda tx: principals.save(tx, renamed))
    after = await db.read(lambda tx: principals.find_by_name(tx, "other"))
    assert after == dataclasses.replace(renamed, home_seq=1)
    assert await db.read(lambda tx: principals.find_by_name(tx, "user01")) is None
    assert await db.read(lambda tx: principals.find_by_address(tx, "user01@example.com")) is None


async def test_names_and_addresses_are_taken_once(db: Database) -> None:
    await db.write(lambda tx: principals.save(tx, principal("a", "a@example.com")))
    with pytest.raises(Duplicate) as error:
        await db.write(lambda tx: principals.save(tx, principal("a", "b@example.com")))
    assert error.value.key == "directory_names.name"
    with pytest.raises(Duplicate) as error:
        await db.write(lambda tx: principals.save(tx, principal("b", "A@example.com")))
    assert error.value.key == "directory_addresses.address"
    assert [p.name for p in await db.read(principals.list_all)] == ["a"]


async def test_groups_and_members(db: Database) -> None:
    group = principal("group", kind=PrincipalKind.GROUP)
    users = [principal(f"user{n}") for n in range(3)]

    def work(tx):
        for one in (group, *users):
            principals.save(tx, one)
        principals.set_members(tx, group.principal_id, [u.principal_id for u in users[:2]])

    await db.write(work)
    assert await db.read(lambda tx: principals.members_of(tx, group.principal_id)) == users[:2]
    assert await db.read(lambda tx: principals.groups_of(tx, users[0].principal_id)) == [group]
    assert await db.read(lambda tx: principals.groups_of(tx, users[2].principal_id)) == []
    await db.write(lambda tx: principals.set_members(tx, group.principal_id, [users[2].principal_id]))
    assert await db.read(lambda tx: principals.members_of(tx, group.principal_id)) == users[2:]


async def test_delegates_both_ways(db: Database) -> None:
    room, boss, clerk = principal("room", kind=PrincipalKind.ROOM), principal("boss"), principal("clerk")

    def work(tx):
        for one in (room, boss, clerk):
            principals.save(tx, one)
        principals.set_delegates(tx, room.principal_id, [(boss.principal_id, True), (clerk.principal_id, False)])

    await db.write(work)
    assert await db.read(lambda tx: principals.delegates_of(tx, room.principal_id)) == [(boss, True), (clerk, False)]
    assert await db.read(lambda tx: principals.delegators_of(tx, clerk.principal_id)) == [(room, False)]


@pytest.mark.parametrize(
    ("terms", "any_of", "names"),
    [
        ([Term("display_name", "user")], False, ["user01", "user02"]),
        ([Term("display_name", "USER02", "equals")], False, ["user02"]),
        ([Term("display_name", "01", "ends-with")], False, ["user01"]),
        ([Term("display_name", "ser", "starts-with")], False, []),
        ([Term("email", "user01@example.com", "equals")], False, ["user01"]),
        ([Term("email", "second@", "starts-with")], False, ["user02"]),
        ([Term("email", ".org", "ends-with")], False, ["user02"]),
        ([Term("email", "user0", "equals")], False, []),
        ([Term("display_name", "user"), Term("email", ".org")], False, ["user02"]),
        ([Term("display_name", "room"), Term("email", ".org")], True, ["room_1", "user02"]),
        ([Term("display_name", "m_1")], False, ["room_1"]),
        ([Term("display_name", "m%1")], False, []),
        ([Term("kind", "room", "equals")], False, ["room_1"]),
        ([], False, ["room_1", "user01", "user02"]),
    ],
)
async def test_search(db: Database, terms: list[Term], any_of: bool, names: list[str]) -> None:
    def work(tx):
        principals.save(tx, principal("user01", "user01@example.com"))
        principals.save(tx, principal("user02", "user02@example.com", "second@example.org"))
        principals.save(tx, principal("room_1", kind=PrincipalKind.ROOM))

    await db.write(work)
    found = await db.read(lambda tx: principals.search(tx, [[term] for term in terms], any_of=any_of))
    assert [p.name for p in found] == names


async def test_removing_forgets_everything(db: Database) -> None:
    pid, cid = await home(db)
    other, _ = await home(db, "user02")
    assert await db.write(lambda tx: principals.remove(tx, pid))
    assert not await db.write(lambda tx: principals.remove(tx, pid))
    assert await db.read(lambda tx: calendars.get(tx, pid, cid)) is None
    assert [p.principal_id for p in await db.read(principals.list_all)] == [other]
    with pytest.raises(ParentGone):
        await db.write(lambda tx: principals.next_home_seq(tx, pid))


async def test_credentials(db: Database) -> None:
    pid, _ = await home(db)
    first = Credential(pid, new_id(), "password", "", "$argon2id$x", NOW, {"a": "ü"})
    second = Credential(pid, new_id(), "app", "Phone", "$argon2id$y", NOW + 1)
    version = await db.read(server_state.accounts_version)

    def work(tx):
        credentials.save(tx, second)
        credentials.save(tx, first)

    await db.write(work)
    assert await db.read(lambda tx: credentials.for_principal(tx, pid)) == [first, second]
    changed = dataclasses.replace(first, hash="$argon2id$z")
    await db.write(lambda tx: credentials.save(tx, changed))
    assert await db.read(lambda tx: credentials.for_principal(tx, pid)) == [changed, second]
    assert await db.write(lambda tx: credentials.remove(tx, pid, second.credential_id))
    assert not await db.write(lambda tx: credentials.remove(tx, pid, second.credential_id))
    assert await db.write(lambda tx: credentials.remove_kind(tx, pid, "password")) == 1
    assert await db.read(lambda tx: credentials.for_principal(tx, pid)) == []
    assert await db.read(server_state.accounts_version) > version


async def test_epoch_is_one_text_until_it_is_set(db: Database) -> None:
    epoch = await db.read(server_state.epoch)
    assert epoch and epoch == await db.read(server_state.epoch)
    await db.write(lambda tx: server_state.set_epoch(tx, "restored"))
    assert await db.read(server_state.epoch) == "restored"


async def test_no_connection_keeps_the_many_shapes_of_searches(postgres_url: str) -> None:
    """Whoever searches chooses the fields; statements prepared for each choice would fill the database's memory."""
    db = Database.open(postgres_url, allow_unsafe=True)
    kept = Statement(select(func.count()).select_from(table("pg_prepared_statements")), across="a test")
    fields: tuple[principals.SearchField, ...] = ("display_name", "email", "name", "kind")

    def work(tx: Transaction) -> tuple[int, int]:
        counts = []
        for shapes in (1, 20):
            for number in range(1, shapes + 1):
                principals.search(tx, [[Term(fields[(number >> n) % 4], "x") for n in range(5)]], any_of=True)
            row = tx.fetch_one(kept)
            counts.append(0 if row is None else int(row[0]))
        return counts[0], counts[1]

    before, after = await db.read(work)
    assert after == before
    db.close()
