"""Background jobs: the table of their kinds.

A kind of job is a row of JOBS. ``storage.jobs`` keeps the queue, ``runner`` runs what is due: in the first serving
process or alone (``caldav-server worker``), in as many processes as there are. Rules of this package: a handler calls
use-cases of ``calendaring``; it may run again from the start at any time, so it must be repeatable."""

from __future__ import annotations

from caldav_server.jobs import upkeep
from caldav_server.jobs.kind import JobKind
from protocol.model import DAY

JOBS = {
    row.name: row
    for row in (
        JobKind("horizon", upkeep.horizon, every=DAY),
        JobKind("zone_data", upkeep.zone_data, at_start=upkeep.zone_data_version),
        JobKind("old_indexes", upkeep.old_indexes, at_start=upkeep.index_version),
        JobKind("unfinished_copies", upkeep.unfinished_copies, every=DAY),
        JobKind("pruning", upkeep.pruning, every=DAY),
    )
}
