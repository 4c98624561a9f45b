"""A database of the released schema (revision 0002) with rows in every table, to upgrade."""

from __future__ import annotations

import hashlib
from typing import Any

import sqlalchemy as sa
from alembic import command

from storage.migrations import runner

RELEASED = "0002"
EPOCH = 1_700_000_000
TEXT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART:20270105T100000Z\r\nDURATION:PT1H\r\nSUMMARY:ünïcode {uid}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
Rows = dict[str, list[tuple[Any, ...]]]


def make_released(url: str, *, people: int = 3, objects: int = 20) -> Rows:
    """Make the schema of revision 0002 and fill it; answers the rows of every table."""
    made = runner.engine(url)
    with made.begin() as connection:
        command.upgrade(runner.configuration(connection), RELEASED)
        tables = sa.MetaData()
        tables.reflect(connection)
        for number in range(people):
            for name, rows in _rows_of_person(number, objects).items():
                connection.execute(sa.insert(tables.tables[name]), rows)
        connection.execute(
            sa.insert(tables.tables["server_state"]), [{"key": "zone_data", "value": "2026a", "number": 0}]
        )
    made.dispose()
    return read(url)


def read(url: str, columns: dict[str, list[str]] | None = None) -> Rows:
    """The rows of every table in the order of all columns, or of those columns only."""
    made = runner.engine(url)
    with made.connect() as connection:
        tables = sa.MetaData()
        tables.reflect(connection)
        found = {}
        for name in columns or {name: [] for name in tables.tables if name != "alembic_version"}:
            table = tables.tables[name]
            chosen = [table.c[each] for each in (columns or {}).get(name) or table.c.keys()]
            rows = connection.execute(sa.select(*chosen)).all()
            found[name] = sorted((tuple(row) for row in rows), key=repr)
    made.dispose()
    return found


def released_columns(url: str) -> dict[str, list[str]]:
    """The columns of every table of the database as it is now."""
    made = runner.engine(url)
    with made.connect() as connection:
        tables = sa.MetaData()
        tables.reflect(connection)
    made.dispose()
    return {name: list(table.c.keys()) for name, table in tables.tables.items() if name != "alembic_version"}


def revision(url: str) -> str:
    """The revision that the database is at."""
    made = runner.engine(url)
    with made.connect() as connection:
        found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one()
    made.dispose()
    return str(found)


def _id(text: str) -> bytes:
    return hashlib.md5(text.encode()).digest()


def _rows_of_person(number: int, objects: int) -> dict[str, list[dict[str, Any]]]:
    pid, group, cid = _id(f"p{number}"), _id(f"g{number}"), _id(f"c{number}")
    place = {"principal_id": pid, "calendar_id": cid}
    names = {pid: f"user{number}", group: f"group{number}"}
    live, dead = range(objects), range(objects, objects + 3)
    return {
        "principals": [_principal(each, name) for each, name in names.items()],
        "directory_names": [{"name": name, "principal_id": each} for each, name in names.items()],
        "directory_addresses": [{"address": f"{names[pid]}@example.com", "principal_id": pid}],
        "memberships": [{"group_id": group, "member_id": pid}],
        "delegates": [{"principal_id": pid, "delegate_id": group, "can_write": 1}],
        "credentials": [
            {
                "principal_id": pid,
                "credential_id": _id(f"k{number}"),
                "kind": "password",
                "label": "",
                "hash": "$argon2id$",
                "created_at": EPOCH,
                "extra": "{}",
            }
        ],
        "calendars": [
            _calendar(place, "calendar", 0, 2, objects),
            _calendar(place | {"calendar_id": _id(f"removed{number}")}, "gone", 1, 3, 1),
            _calendar(place | {"calendar_id": _id(f"staged{number}")}, None, 1, 0, 0),
        ],
        "objects": [*(_object(place, number, n, 0) for n in live), *(_object(place, number, n, 1) for n in dead)],
        "occurrences": [
            place
            | {"bucket": 0, "start_at": EPOCH + n, "end_at": EPOCH + n + 3600}
            | {"object_id": _id(f"o{number}-{n}"), "component": 1, "busy": 1}
            for n in live
        ],
        "versions": [_version(place, number, n) for n in live],
        "dead_properties": [{"principal_id": pid, "resource_id": cid, "name": "{x}a", "xml": "<a xmlns='x'>ü</a>"}],
    }


def _principal(pid: bytes, name: str) -> dict[str, Any]:
    return {
        "principal_id": pid,
        "kind": "group" if name.startswith("group") else "user",
        "name": name,
        "display_name": name.title(),
        "emails": f"{name}@example.com",
        "time_zone": "Europe/Berlin",
        "is_admin": 0,
        "auto_accept": None,
        "home_seq": 3,
        "folded_name": name,
        "folded_emails": f"\n{name}@example.com\n",
    }


def _calendar(place: dict[str, bytes], name: str | None, removed: int, home_seq: int, members: int) -> dict[str, Any]:
    return place | {
        "name": name,
        "removed": removed,
        "home_seq": home_seq,
        "seq": 9,
        "min_valid_seq": 0,
        "members": members,
        "size": 100 * members,
        "kind": "calendar",
        "components": 2,
        "transparent": 0,
        "created_at": EPOCH,
        "display_name": "Wörk",
        "order": "1",
    }


def _object(place: dict[str, bytes], person: int, number: int, deleted: int) -> dict[str, Any]:
    text = TEXT.format(uid=f"uid{number}").encode()
    return place | {
        "object_id": _id(f"o{person}-{number}"),
        "seq": number + 1,
        "name": f"{number}.ics",
        "etag": None if deleted else f"etag{number}",
        "deleted": deleted,
        "component": 1,
        "uid": f"uid{number}",
        "size": 0 if deleted else len(text),
        "schedule_tag": None,
        "created_at": EPOCH,
        "modified_at": EPOCH,
        "first_start": EPOCH + number,
        "last_end": EPOCH + number + 3600,
        "indexed_until": 1 << 53,
        "recurring": 0,
        "count_until": None,
        "index_version": 1,
        "zones": "",
        "data": None if deleted else text,
    }


def _version(place: dict[str, bytes], person: int, number: int) -> dict[str, Any]:
    return place | {
        "object_id": _id(f"o{person}-{number}"),
        "seq": number,
        "name": f"{number}.ics",
        "uid": f"uid{number}",
        "etag": f"old{number}",
        "replaced_at": EPOCH,
        "action": "update",
        "author_id": place["principal_id"],
        "request_id": "r",
        "data": b"the text before",
    }
