"""What /metrics says of the job queue, and of what is kept for some time only: read from the database at each scrape.

So every process says the same, also where jobs run in a process that has no /metrics. The pruning job counts what is
kept; a scrape reads its report, which is one row.
"""

from __future__ import annotations

from dataclasses import asdict

from caldav_server.calendaring.pruning import last_report
from caldav_server.observability.metrics import Family, Sample
from storage import jobs
from storage.database import Database
from storage.errors import StorageError

_ROWS = (
    "Rows of the last complete pruning, before and after it: previous texts, tombstones, objects of removed calendars."
)
_OCTETS = "Octets of the same; of a tombstone its name."
_AT = "When the last complete pruning began, epoch seconds."


async def queue_family(db: Database) -> list[Family]:
    """How many jobs wait or run, and how many are dead; none without a database."""
    try:
        waiting, dead = await db.read(jobs.counts)
    except StorageError:
        return []
    samples = [Sample("", {"state": "waiting"}, waiting), Sample("", {"state": "dead"}, dead)]
    return [Family("jobs_queued", "gauge", "Jobs that are not done; dead ones wait for an operator.", samples)]


async def retained_families(db: Database) -> list[Family]:
    """The sizes that the last complete pruning reported; none before the first, and none without a database."""
    try:
        report = await db.point(last_report)
    except StorageError:
        return []
    if not report.at:
        return []
    rows: list[Sample] = []
    octets: list[Sample] = []
    for when, sizes in (("before", report.before), ("after", report.after)):
        for name, value in asdict(sizes).items():
            what = name.removesuffix("_octets")
            (rows if what == name else octets).append(Sample("", {"what": what, "when": when}, value))
    return [
        Family("retained_rows", "gauge", _ROWS, rows),
        Family("retained_octets", "gauge", _OCTETS, octets),
        Family("pruned_at", "gauge", _AT, [Sample("", {}, report.at)]),
    ]
