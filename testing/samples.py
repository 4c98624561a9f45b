"""Rows to test with."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from protocol.model import (
    BusyType,
    Calendar,
    CalendarId,
    ComponentKind,
    ETag,
    IndexEntry,
    ObjectId,
    ObjectIndex,
    ObjectMeta,
    Principal,
    PrincipalId,
    PrincipalKind,
    Seq,
    Uid,
)
from storage import calendars, objects, occurrences, principals, versions
from storage.database import Database, Row, Statement, Transaction
from storage.ids import new_id
from storage.tables import versions as _versions

NOW = 1_800_000_000
HOUR = 3600
DAY = 86400


def principal(name: str = "user01", *emails: str, kind: PrincipalKind = PrincipalKind.USER) -> Principal:
    return Principal(
        PrincipalId(new_id()), kind, name, name.title(), emails or (f"{name}@example.com",), "Europe/Berlin"
    )


async def home(db: Database, name: str = "user01") -> tuple[PrincipalId, CalendarId]:
    """A principal with one calendar."""
    someone = principal(name)
    calendar = Calendar(someone.principal_id, CalendarId(new_id()), "calendar", created_at=NOW)

    def work(tx: Transaction) -> None:
        principals.save(tx, someone)
        calendars.create(tx, calendar)

    await db.write(work)
    return someone.principal_id, calendar.calendar_id


def new_object(name: str, *entries: IndexEntry, uid: str | None = None, text: bytes = b"", etag: str = "") -> Sample:
    """An object that is in no calendar yet; by default it occupies one hour."""
    return Sample(name, entries or (IndexEntry(NOW, NOW + HOUR, busy=BusyType.BUSY),), uid, text, etag)


class Sample:
    """An object on its way into a calendar."""

    def __init__(self, name: str, entries: tuple[IndexEntry, ...], uid: str | None, text: bytes, etag: str) -> None:
        self.name = name
        self.object_id = ObjectId(new_id())
        self.uid = Uid(uid or f"uid-{name}")
        self.entries = entries
        self.text = text or f"BEGIN:VCALENDAR {name}".encode() + bytes(range(256))
        self.etag = ETag(etag or f"etag-{name}-{self.object_id.hex()}")
        self.indexed_until: int | None = None
        self.component = ComponentKind.VEVENT

    @property
    def index(self) -> ObjectIndex:
        starts = [entry.start for entry in self.entries]
        ends = [entry.end for entry in self.entries]
        index = ObjectIndex(
            self.uid, self.component, self.entries, min(starts), max(ends), zones=("Europe/Berlin", "UTC")
        )
        if self.indexed_until is None:
            return index
        return ObjectIndex(
            self.uid, self.component, self.entries, min(starts), 1 << 53, self.indexed_until, recurring=True
        )

    @property
    def rows(self) -> list[occurrences.IndexRow]:
        return occurrences.rows_of(self.component, self.entries)

    def meta(self, seq: int) -> ObjectMeta:
        return ObjectMeta(
            self.object_id, self.name, self.uid, self.component, self.etag, Seq(seq), len(self.text), None, NOW, NOW
        )


def add(tx: Transaction, pid: PrincipalId, cid: CalendarId, sample: Sample) -> ObjectMeta | None:
    """Insert as a PUT does: number, save, index; ``None`` when the name is taken."""
    meta = sample.meta(calendars.next_seq(tx, pid, cid))
    if not objects.insert(tx, pid, cid, meta, sample.text, sample.index):
        return None
    occurrences.replace(tx, pid, cid, sample.object_id, sample.rows)
    return meta


def change(tx: Transaction, pid: PrincipalId, cid: CalendarId, old: ObjectMeta, sample: Sample, now: int = NOW) -> bool:
    """Replace as a PUT does: number, keep the previous text, save if the ETag is still the old one."""
    meta = sample.meta(calendars.next_seq(tx, pid, cid))._replace(object_id=old.object_id)
    versions.keep(tx, pid, cid, old.object_id, replaced_at=now, action="update", author_id=pid, request_id="r1")
    done = objects.update(tx, pid, cid, meta, sample.text, sample.index, expected=old.etag)
    occurrences.replace(tx, pid, cid, old.object_id, sample.rows)
    return done


def remove(tx: Transaction, pid: PrincipalId, cid: CalendarId, old: ObjectMeta, now: int = NOW) -> bool:
    """Remove as a DELETE does."""
    seq = calendars.next_seq(tx, pid, cid)
    versions.keep(tx, pid, cid, old.object_id, replaced_at=now, action="remove", author_id=pid)
    occurrences.drop(tx, pid, cid, old.object_id)
    return objects.tombstone(tx, pid, cid, old.object_id, seq=seq, now=now, expected=old.etag)


def live(tx: Transaction, pid: PrincipalId, cid: CalendarId) -> list[ObjectMeta]:
    """Every object of a calendar, oldest change first."""
    return [each.meta for each in objects.page(tx, pid, cid, limit=1 << 31)]


_v = _versions.c
VERSIONS = Statement(
    select(_v.seq, _v.name, _v.uid, _v.action, _v.author_id, _v.request_id, _v.data)
    .where(_v.principal_id == bindparam("pid"), _v.calendar_id == bindparam("cid"), _v.object_id == bindparam("oid"))
    .order_by(_v.seq.desc())
)


def versions_of(tx: Transaction, pid: PrincipalId, cid: CalendarId, oid: ObjectId) -> list[Row]:
    """``(seq, name, uid, action, author_id, request_id, data)`` of the previous texts of an object, newest first."""
    return tx.fetch_all(VERSIONS, pid=pid, cid=cid, oid=oid)
