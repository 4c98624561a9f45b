"""Edits of calendar objects: they take a document and a change, and return the text of one object or two.

A user chooses between ``change_occurrence``, ``change_following`` and ``change_all``, and between
``remove_occurrence`` and ``remove_following``. Rules of this package: pure functions; times and UIDs are arguments; a
line that an edit does not touch stays as the client sent it.
"""

from protocol.ical.editing.base import find_occurrence
from protocol.ical.editing.edit import Edit
from protocol.ical.editing.following import SplitSeries, change_following, remove_following
from protocol.ical.editing.occurrence import change_occurrence, remove_occurrence
from protocol.ical.editing.series import change_all

__all__ = [
    "Edit",
    "SplitSeries",
    "change_all",
    "change_following",
    "change_occurrence",
    "find_occurrence",
    "remove_following",
    "remove_occurrence",
]
