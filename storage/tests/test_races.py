"""What several writers at once must not break (F5, F7 and the UID rule), on two ``Database``s of one database."""

from __future__ import annotations

import asyncio
import random
import threading
from pathlib import Path

import pytest

from protocol.model import ETag, ObjectMeta
from storage import calendars, changes, objects, principals
from storage.database import Database, Transaction
from storage.errors import Duplicate
from testing.samples import add, change, home, live, new_object, principal, remove

WRITERS = 16


@pytest.fixture
def pair(url: str):
    """The same database opened twice, as two worker processes would."""
    both = [Database.open(url, allow_unsafe=True, busy_timeout=20, patience=60) for _ in range(2)]
    yield both
    for db in both:
        db.close()


async def test_no_change_is_missed(pair: list[Database]) -> None:
    pid, cid = await home(pair[0])
    replica: dict[str, ETag] = {}
    token = 0
    writing = True

    async def writer(number: int) -> None:
        rng = random.Random(number)
        db = pair[number % 2]
        mine: dict[str, ObjectMeta] = {}
        for turn in range(12):
            name = f"{number}-{rng.randrange(5)}.ics"
            sample = new_object(name, uid=f"uid-{name}", etag=f"{number}.{turn}")

            def work(tx: Transaction, name: str = name, sample=sample) -> ObjectMeta | None:
                old = objects.find_meta(tx, pid, cid, name)
                if old is None:
                    return add(tx, pid, cid, sample)
                if rng.random() < 0.3:
                    assert remove(tx, pid, cid, old)
                    return None
                assert change(tx, pid, cid, old, sample)
                return old

            mine[name] = await db.write(work)

    async def follow() -> None:
        nonlocal token

        def page(tx: Transaction) -> tuple[int, list]:
            found = changes.rows(tx, pid, cid, token, limit=7)
            calendar = calendars.get(tx, pid, cid)
            assert calendar is not None
            return calendar.seq, found

        while True:
            last_round = not writing
            seq, found = await pair[0].read(page)
            for name, _, etag, _ in found:
                if etag is None:
                    replica.pop(name, None)
                else:
                    replica[name] = etag
            token = found[-1][1] if found else seq
            if last_round and not found:
                return
            await asyncio.sleep(0)

    following = asyncio.ensure_future(follow())
    await asyncio.gather(*(writer(number) for number in range(WRITERS)))
    writing = False
    await following
    assert replica == dict(await pair[1].read(lambda tx: objects.members_etags(tx, pid, cid)))
    seqs = [row[1] for row in await pair[1].read(lambda tx: changes.rows(tx, pid, cid, 0))]
    assert seqs == sorted(set(seqs)) and max(seqs) == WRITERS * 12


async def test_exactly_one_conditional_update_wins(pair: list[Database]) -> None:
    pid, cid = await home(pair[0])
    await pair[0].write(lambda tx: add(tx, pid, cid, new_object("a.ics")))
    for turn in range(6):
        before = await pair[0].read(lambda tx: objects.find_meta(tx, pid, cid, "a.ics"))

        async def attempt(number: int, before=before, turn=turn) -> bool:
            sample = new_object("a.ics", uid="uid-a.ics", etag=f"{turn}.{number}")

            def work(tx: Transaction) -> bool:
                if not change(tx, pid, cid, before, sample):
                    raise LookupError
                return True

            try:
                return await pair[number % 2].write(work)
            except LookupError:
                return False

        assert sum(await asyncio.gather(*(attempt(number) for number in range(WRITERS)))) == 1
    calendar = await pair[0].read(lambda tx: calendars.get(tx, pid, cid))
    assert calendar is not None and calendar.seq == 7


async def test_a_uid_and_a_name_are_given_once(pair: list[Database]) -> None:
    pid, cid = await home(pair[0])

    async def attempt(number: int, name: str, uid: str) -> bool:
        try:
            return await pair[number % 2].write(lambda tx: add(tx, pid, cid, new_object(name, uid=uid))) is not None
        except Duplicate as error:
            assert error.key == "objects.uid"
            return False

    same_uid = await asyncio.gather(*(attempt(n, f"u{n}.ics", "same") for n in range(WRITERS)))
    assert sum(same_uid) == 1
    same_name = await asyncio.gather(*(attempt(n, "same.ics", f"uid{n}") for n in range(WRITERS)))
    assert sum(same_name) == 1
    assert len(await pair[0].read(lambda tx: live(tx, pid, cid))) == 2


class _Lost(Exception):
    pass


async def test_who_fails_on_what_another_wrote_is_told_when_it_can_be_read(tmp_path: Path) -> None:
    """On SQLite writers share a commit: told before it, a loser who reads again would lose on the same thing again."""
    db = Database.open(f"sqlite:///{tmp_path}/a.db")
    db.migrate()
    blocked = threading.Event()

    def take(tx: Transaction) -> None:
        if principals.find_by_name(tx, "a") is not None:
            raise _Lost
        principals.save(tx, principal("a"))

    async def lose(writing: asyncio.Task[None]) -> bool:
        with pytest.raises(_Lost):
            await writing
        return await db.point(lambda tx: principals.find_by_name(tx, "a")) is not None

    first, *others = [asyncio.create_task(db.write(take)) for _ in range(6)]
    holding = asyncio.create_task(db.write(lambda _tx: blocked.wait(10)))
    losing = [asyncio.create_task(lose(each)) for each in others]
    asyncio.get_running_loop().call_later(0.05, blocked.set)
    assert all(await asyncio.gather(*losing))
    await asyncio.gather(first, holding)
    db.close()
