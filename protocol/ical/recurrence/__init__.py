"""The recurrence set: which occurrences an object has in a window (RFC 5545 §3.3.10, §3.8.5; RFC 7529).

From the inside out: ``rule`` (RECUR text to values), ``calendars`` and ``days`` (the days of a rule within one year),
``series`` (a rule bound to its DTSTART, in wall time), ``plan`` (what an object says of its occurrences) and
``expand`` (occurrences in a window). The first three know neither zones nor components.
"""
