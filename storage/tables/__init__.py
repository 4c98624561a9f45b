"""The schema: one text for SQLite, PostgreSQL and Citus on PostgreSQL.

Rules of this package:

- ``principal_id`` is the owner of the home; rooms are principals too. It is the first column of every primary key,
  unique key, foreign key and index of a tenant table. The tables in ``DIRECTORY`` are the exceptions.
- The application makes the ids (UUIDv7). The caller gives the times (epoch seconds). There are no triggers, no
  sequences and no defaults but constants, which a migration needs for a new column.
- A flag is 0 or 1 in a small integer, so that a partial index is the same text on every database.
- An index in ``BY_TIME`` does not begin with the principal: it finds work of all principals. It is never unique.
- Keys are named ``<pk|uq|fk|ix>_<table>_<last column>``: ``storage.database`` names the key of a ``Duplicate`` by it.
"""

from __future__ import annotations

from storage.tables.base import Id, Word, metadata
from storage.tables.calendars import calendars, objects, occurrences, versions
from storage.tables.directory import delegates, directory_addresses, directory_names, memberships, server_state
from storage.tables.jobs import jobs
from storage.tables.people import credentials, dead_properties, principals

__all__ = [
    "BY_TIME",
    "DIRECTORY",
    "OWNERS",
    "TENANT",
    "Id",
    "Word",
    "calendars",
    "credentials",
    "dead_properties",
    "delegates",
    "directory_addresses",
    "directory_names",
    "jobs",
    "memberships",
    "metadata",
    "objects",
    "occurrences",
    "principals",
    "server_state",
    "versions",
]

DIRECTORY = frozenset({"directory_names", "directory_addresses", "memberships", "delegates", "server_state"})
"""Tables that are asked before the principal is known. Every other table is a tenant table."""

TENANT = frozenset(metadata.tables) - DIRECTORY

BY_TIME = frozenset({"ix_jobs_due_at"})
"""Indexes that find rows of all principals by the time when they are due."""

OWNERS = frozenset({"principal_id", "group_id", "member_id", "delegate_id"})
"""Columns that name a principal whose removal removes the row."""
