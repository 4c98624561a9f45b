"""The job queue: work that runs after the transaction that asked for it.

A worker claims a job for some time, its lease. It renews the lease while it works. At the end it finishes the job or
stores why the job failed. When a lease ends before that, the job is due again and another worker runs it, so every job
must be repeatable. A failed job is due again after a growing gap. After its last attempt it is dead: it waits for an
operator.

Rules of this module: ids, times (epoch seconds) and chance are arguments. ``enqueue`` belongs into the transaction of
the write that needs the job. ``NOBODY`` is the principal of a job that belongs to no principal. Only ``due``,
``list_all`` and ``counts`` read the jobs of all principals.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, func, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.types import BigInteger, Text

from protocol.model import PrincipalId
from storage.database import DatabaseClock, Row, Statement, Transaction, in_list
from storage.ids import new_id
from storage.tables import jobs as table

NOBODY = PrincipalId(bytes(16))
"""The principal of jobs that belong to no principal."""

FIRST_GAP, LONGEST_GAP = 30, 6 * 3600
"""Seconds between two attempts: after the first failure, and at most."""

ERROR_LENGTH = 2000
"""Characters that are kept of an error."""

MOST_COUNTED = 100_000
"""To count more jobs than that would take too long for a metric."""

_j = table.c
_COLUMNS = (
    _j.principal_id,
    _j.kind,
    _j.key,
    _j.job_id,
    _j.payload,
    _j.created_at,
    _j.due_at,
    _j.lease,
    _j.attempts,
    _j.dead,
    _j.last_error,
)
_this = (_j.principal_id == bindparam("pid"), _j.kind == bindparam("job_kind"), _j.key == bindparam("job_key"))
_held = (*_this, _j.lease == bindparam("held"))

_insert = insert(table)
_ENQUEUE = Statement(
    _insert.on_conflict_do_update(
        index_elements=["principal_id", "kind", "key"],
        set_={
            name: _insert.excluded[name]
            for name in ("payload", "created_at", "due_at", "lease", "attempts", "dead", "last_error")
        },
        where=_j.dead == 1,
    )
)
_CLOCK = Statement(select(DatabaseClock()))
_DUE = Statement(
    select(_j.principal_id, _j.kind, _j.key)
    .where(_j.dead == 0, _j.due_at <= bindparam("now", type_=BigInteger), in_list(_j.kind, "kinds"))
    .order_by(_j.due_at)
    .limit(bindparam("limit")),
    across="a worker finds the jobs of all principals by the time when they are due",
)
# ``dead != 1`` does not offer PostgreSQL the partial index over ``due_at``, which looks best while the table is empty.
_CLAIM = Statement(
    update(table)
    .where(
        _j.principal_id == bindparam("pid"),
        _j.kind == bindparam("job_kind"),
        _j.key
        == select(_j.key)
        .where(*_this, _j.dead != 1, _j.due_at <= bindparam("now", type_=BigInteger))
        .with_for_update(skip_locked=True)
        .scalar_subquery(),
    )
    .values(due_at=bindparam("until"), lease=bindparam("new_lease"), attempts=_j.attempts + 1)
    .returning(*_COLUMNS)
)
_RENEW = Statement(
    update(table)
    .where(*_held)
    .values(due_at=bindparam("until"), payload=func.coalesce(bindparam("new_payload", type_=Text), _j.payload))
)
_FINISH = Statement(delete(table).where(*_held))
_FAIL = Statement(
    update(table)
    .where(*_held)
    .values(due_at=bindparam("next"), lease=null(), dead=bindparam("is_dead"), last_error=bindparam("error"))
)
_GIVE_BACK = Statement(
    update(table).where(*_held).values(due_at=bindparam("next"), lease=null(), attempts=_j.attempts - 1)
)
_RETRY = Statement(
    update(table).where(*_this, _j.dead == 1).values(due_at=bindparam("next"), attempts=0, dead=0, lease=null())
)
_LIST = Statement(
    select(*_COLUMNS).order_by(_j.principal_id, _j.kind, _j.key), across="the list of every job for an operator"
)
_HOW_MANY = "counts every job of one state, up to a limit, for an operator"
_WAITING = Statement(
    select(func.count()).select_from(
        select(_j.due_at).where(_j.dead == 0, _j.due_at >= 0).limit(bindparam("limit")).subquery("waiting")
    ),
    across=_HOW_MANY,
)
_DEAD = Statement(
    select(func.count()).select_from(
        select(_j.key)
        .where(_j.dead == 1, _j.principal_id >= bindparam("first"))
        .limit(bindparam("limit"))
        .subquery("dead")
    ),
    across=_HOW_MANY,
)


@dataclass(frozen=True, slots=True)
class Job:
    """A job that is not done."""

    principal_id: PrincipalId
    kind: str
    key: str
    job_id: bytes
    payload: dict[str, Any]
    created_at: int
    due_at: int
    """When it may run (epoch seconds); the end of the lease while it runs."""
    lease: bytes | None
    attempts: int
    """How often it was claimed."""
    dead: bool
    last_error: str


def _job_of(row: Row) -> Job:
    principal_id, kind, key, job_id, payload, created_at, due_at, lease, attempts, dead, error = row
    return Job(
        principal_id, kind, key, job_id, json.loads(payload), created_at, due_at, lease, attempts, bool(dead), error
    )


def enqueue(
    tx: Transaction,
    principal_id: PrincipalId,
    kind: str,
    key: str,
    *,
    now: int,
    payload: Mapping[str, Any] | None = None,
    due_at: int | None = None,
    job_id: bytes | None = None,
) -> None:
    """Add a job; it exists when this transaction commits, and is due at ``due_at`` (``None``: at once).

    ``key`` makes it idempotent: if a job of this principal, kind and key is waiting or running, nothing changes. A
    dead one is due again, with the new payload. A ``Batch`` may call this, because it waits for no result.
    """
    tx.enqueue(_ENQUEUE, **_values(principal_id, kind, key, now, payload or {}, due_at, job_id))


def _values(
    principal_id: PrincipalId,
    kind: str,
    key: str,
    now: int,
    payload: Mapping[str, Any],
    due_at: int | None,
    job_id: bytes | None,
) -> dict[str, Any]:
    return {
        "principal_id": principal_id,
        "kind": kind,
        "key": key,
        "job_id": job_id or new_id(),
        "payload": json.dumps(payload, sort_keys=True),
        "created_at": now,
        "due_at": now if due_at is None else due_at,
        "lease": None,
        "attempts": 0,
        "dead": 0,
        "last_error": "",
    }


def clock(tx: Transaction) -> int:
    """The time of the database in epoch seconds: leases go by it, because the clocks of workers may differ."""
    row = tx.fetch_one(_CLOCK)
    return 0 if row is None else int(row[0])


def due(tx: Transaction, kinds: Iterable[str], *, now: int, limit: int) -> list[tuple[PrincipalId, str, str]]:
    """``(principal_id, kind, key)`` of the jobs that are due, oldest first. Another worker may claim them first."""
    return tx.fetch_all(_DUE, kinds=list(kinds), now=now, limit=limit)


def claim(
    tx: Transaction, principal_id: PrincipalId, kind: str, key: str, *, now: int, until: int, lease: bytes
) -> Job | None:
    """Claim a due job until ``until``; ``None`` when another worker has it or is claiming it."""
    row = tx.fetch_one(_CLAIM, pid=principal_id, job_kind=kind, job_key=key, now=now, until=until, new_lease=lease)
    return None if row is None else _job_of(row)


def renew(tx: Transaction, job: Job, *, until: int, payload: Mapping[str, Any] | None = None) -> bool:
    """Extend the lease of a job and store its progress in ``payload``; ``False``: the lease is lost."""
    text = None if payload is None else json.dumps(payload, sort_keys=True)
    return tx.execute(_RENEW, **_key(job), until=until, new_payload=text) == 1


def finish(tx: Transaction, job: Job) -> bool:
    """Delete a job that is done; ``False``: the lease is lost and another worker repeats the job."""
    return tx.execute(_FINISH, **_key(job)) == 1


def fail(tx: Transaction, job: Job, *, error: str, due_at: int | None) -> bool:
    """Store why a job failed. It is due again at ``due_at``; ``None``: it is dead. ``False``: the lease is lost."""
    next_at = job.due_at if due_at is None else due_at
    return tx.execute(_FAIL, **_key(job), next=next_at, is_dead=int(due_at is None), error=error[-ERROR_LENGTH:]) == 1


def give_back(tx: Transaction, job: Job, *, now: int) -> bool:
    """Make a claimed job due again and do not count the attempt; ``False``: the lease is lost."""
    return tx.execute(_GIVE_BACK, **_key(job), next=now) == 1


def retry(tx: Transaction, job: Job, *, now: int) -> bool:
    """Make a dead job due again with all its attempts; ``False``: there is no such dead job."""
    return tx.execute(_RETRY, pid=job.principal_id, job_kind=job.kind, job_key=job.key, next=now) == 1


def list_all(tx: Transaction) -> list[Job]:
    """Every job that is not done, dead ones included, by principal, kind and key."""
    return [_job_of(row) for row in tx.fetch_all(_LIST)]


def counts(tx: Transaction) -> tuple[int, int]:
    """How many jobs wait or run, and how many are dead; each is counted up to ``MOST_COUNTED``."""
    waiting = tx.fetch_one(_WAITING, limit=MOST_COUNTED) or (0,)
    dead = tx.fetch_one(_DEAD, first=NOBODY, limit=MOST_COUNTED) or (0,)
    return int(waiting[0]), int(dead[0])


def retry_gap(attempts: int, jitter: float) -> int:
    """Seconds until the next attempt after ``attempts``: doubled each time, and up to a half less by ``jitter`` (0 to
    1).

    The jitter spreads jobs that failed together.
    """
    longest = min(LONGEST_GAP, FIRST_GAP << min(attempts - 1, 20))
    return max(1, round(longest * (1 - jitter / 2)))


def _key(job: Job) -> dict[str, Any]:
    return {"pid": job.principal_id, "job_kind": job.kind, "job_key": job.key, "held": job.lease}
