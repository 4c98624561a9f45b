"""What can go wrong in the storage, in the words the faces need: each class is one answer to a client.

Rules of this module: no driver is named here; ``storage.database`` translates every driver's error into one of these.
"""

from __future__ import annotations


class StorageError(Exception):
    """Anything the database could not do; nothing was changed unless a subclass says otherwise."""


class Unavailable(StorageError):
    """The database cannot be reached, is too busy or gave up on a lock: 503, the same request may be sent again."""


class CommitUnknown(Unavailable):
    """The connection broke while COMMIT was under way: the change may or may not be there (503, outcome unknown)."""


class StorageFull(StorageError):
    """No room on the disk or in the quota of the database: 507; reads go on working."""


class Duplicate(StorageError):
    """A unique key is taken; ``key`` is ``table.column`` of the last column of that key, such as ``objects.uid``."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} is taken")
        self.key = key


class ParentGone(StorageError):
    """A row that the caller has seen is gone: somebody removed the principal or the calendar meanwhile."""


class RowChanged(StorageError):
    """A row that the change depends on is not what it was when it was read; nothing was changed."""


class NotDurable(StorageError):
    """The database is set up to lose acknowledged writes; the server refuses to start on it."""


class SchemaError(StorageError):
    """The schema is older or newer than this program; ``caldav-server migrate`` brings it up to date."""
