"""Edits of calendar objects: from a document and a change to the text of one document or two.

``change_occurrence``, ``change_following`` and ``change_all`` are the three answers to "which occurrences?";
``remove_occurrence`` and ``remove_following`` the two removals that leave something. Rules of this package: pure
functions; times and UIDs are arguments; a line that an edit does not concern is said as the client said it.
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
