"""What can go wrong in the storage. Each class is one answer to a client.

Rules of this module: it names no driver. ``storage.database`` translates the errors of a driver into these.
"""

from __future__ import annotations


class StorageError(Exception):
    """The database could not do something. Nothing was changed, unless a subclass says otherwise."""


class Unavailable(StorageError):
    """The database cannot be reached, is too busy or gave up on a lock: 503; the request may be sent again."""


class CommitUnknown(Unavailable):
    """The connection broke during COMMIT: the change may or may not be stored (503, outcome unknown)."""


class StorageFull(StorageError):
    """The disk or the quota of the database is full: 507; reads still work."""


class Duplicate(StorageError):
    """A unique key is taken; ``key`` is ``table.column`` of the last column of that key, such as ``objects.uid``."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} is taken")
        self.key = key


class ParentGone(StorageError):
    """The principal or the calendar of a row was removed in the meantime."""


class RowChanged(StorageError):
    """A row that the change depends on has changed since it was read. Nothing was changed."""


class NotDurable(StorageError):
    """The database may lose acknowledged writes; the server does not start on it."""


class SchemaError(StorageError):
    """The schema is older than this program needs; ``caldav-server migrate`` brings it up to date."""


class SchemaTooNew(StorageError):
    """A later version of this program made the schema; only that version or a later one can use the database."""
