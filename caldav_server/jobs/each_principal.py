"""A job for all principals: page by page, with its progress kept, and with no principal in the way of the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from caldav_server.calendaring.upkeep import principal_pages
from caldav_server.jobs.kind import Run
from caldav_server.observability import logs
from protocol.model import PrincipalId
from storage import jobs
from storage.errors import Unavailable
from storage.jobs import NOBODY


async def for_each_principal(run: Run, one: Callable[[PrincipalId], Awaitable[None]]) -> None:
    """Call ``one`` for the principal of the job, or for every principal if the job belongs to none.

    A principal that fails gets a job of its own, which is tried again and dies alone. After each page the job stores
    how far it came; an interrupted job continues there."""
    if run.job.principal_id != NOBODY:
        await one(run.job.principal_id)
        return
    async for page in principal_pages(run.db, bytes.fromhex(run.payload.get("after", ""))):
        for principal_id in page:
            try:
                await one(principal_id)
            except Unavailable:
                raise  # the database does not answer: the whole job waits
            except Exception as error:
                await _retry_alone(run, principal_id, error)
        run.payload["after"] = page[-1].hex()
        await run.keep_progress()


async def _retry_alone(run: Run, principal_id: PrincipalId, error: Exception) -> None:
    kind = run.job.kind
    logs.get().error("a job failed for a principal", job=kind, principal=principal_id.hex(), exc_info=error)
    await run.db.write(partial(jobs.enqueue, principal_id=principal_id, kind=kind, key=run.job.key, now=run.now))
