"""The upgrade of a released database with rows in every table; it loses nothing, however often it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from storage import calendars, migrations, objects, principals, pruning
from storage.database import Database
from storage.migrations import runner
from storage.tables import metadata
from testing.released import EPOCH, RELEASED, TEXT, Rows, make_released, read, released_columns, revision

_STEPS = ("create_table", "create_index", "drop_index", "add_column", "execute")
_UPGRADE_SLOWLY = f"""
import sys, time
from alembic import op
from storage.migrations import runner
def slowly(step):
    def do(*args, **kw):
        step(*args, **kw)
        print(step.__name__, flush=True)
        time.sleep(0.05)
    return do
for name in {_STEPS!r}:
    setattr(op, name, slowly(getattr(op, name)))
runner.upgrade(sys.argv[1])
print("done", flush=True)
"""


def check_upgraded(url: str, before: Rows, columns: dict[str, list[str]], since: int) -> None:
    """Every old row is there as it was, and the new columns say what they should."""
    made = runner.engine(url)
    with made.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    made.dispose()
    assert read(url, columns) == before
    ages = read(url, {"calendars": ["name", "removed_at"]})["calendars"]
    assert {at for name, at in ages if name != "gone"} == {None}
    assert all(since <= at <= int(time.time()) for name, at in ages if name == "gone")
    assert set(read(url, {"objects": ["inbox"]})["objects"]) == {(0,)}
    assert set(read(url, {"principals": ["min_valid_home_seq"]})["principals"]) == {(0,)}
    assert read(url, {"jobs": ["kind"]}) == {"jobs": []}


@pytest.mark.slow
@pytest.mark.parametrize("killed_after", [1, 5, 9])
def test_killed_half_way_nothing_is_lost_and_the_next_run_completes(empty_url: str, killed_after: int) -> None:
    Database.open(empty_url, allow_unsafe=True).close()
    before, since = make_released(empty_url), int(time.time())
    columns = released_columns(empty_url)
    assert all(before.values()) and set(before) == set(metadata.tables) - {"jobs"}
    process = subprocess.Popen([sys.executable, "-c", _UPGRADE_SLOWLY, empty_url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    steps = [process.stdout.readline() for _ in range(killed_after)]
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    process.stdout.close()
    assert all(steps) and "done\n" not in steps
    assert revision(empty_url) == RELEASED
    assert read(empty_url) == before
    db = Database.open(empty_url, allow_unsafe=True)
    db.migrate()
    db.close()
    assert revision(empty_url) == migrations.HEAD
    check_upgraded(empty_url, before, columns, since)


async def test_what_was_stored_is_served_and_pruned_after_the_upgrade(empty_url: str) -> None:
    Database.open(empty_url, allow_unsafe=True).close()
    make_released(empty_url)
    db = Database.open(empty_url, allow_unsafe=True)
    db.migrate()
    someone = await db.read(lambda tx: principals.find_by_name(tx, "user1"))
    assert someone is not None
    pid = someone.principal_id
    calendar = await db.read(lambda tx: calendars.find(tx, pid, "calendar"))
    assert calendar is not None
    found = await db.read(lambda tx: objects.find(tx, pid, calendar.calendar_id, "7.ics"))
    assert found is not None and found.data == TEXT.format(uid="uid7").encode()
    assert len(await db.read(lambda tx: objects.members_etags(tx, pid, calendar.calendar_id))) == 20
    now = int(time.time())
    assert await db.write(lambda tx: pruning.delete_versions(tx, pid, EPOCH, 99)) == 20
    assert await db.write(lambda tx: pruning.delete_tombstones(tx, pid, calendar.calendar_id, EPOCH, 99)) == 3
    assert await db.write(lambda tx: pruning.delete_home_tombstones(tx, pid, EPOCH, 9)) == 0, "its age is not known"
    assert await db.write(lambda tx: pruning.delete_home_tombstones(tx, pid, now, 9)) == 1
    (staged,) = await db.read(lambda tx: pruning.unfinished_copies(tx, pid, EPOCH))
    assert await db.write(lambda tx: pruning.purge(tx, pid, staged))
    db.close()
