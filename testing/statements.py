"""Listens to the SQL of the tests: no statement may read or write rows of another principal without saying why."""

from __future__ import annotations

import re

from storage.database import Statement, recorder
from storage.tables import TENANT

_TABLE = re.compile(r'\b(?:FROM|JOIN|INTO|UPDATE)\s+"?(\w+)"?(?:\s+AS\s+"?(\w+)"?)?')


def crosses_principals(statement: Statement, text: str) -> list[str]:
    """The tenant tables that this statement uses without saying whose rows it means; none for a named exception."""
    if statement.across is not None:
        return []
    used: dict[str, int] = {}
    for table, alias in _TABLE.findall(text):
        if table in TENANT:
            name = alias or table
            used[name] = used.get(name, 0) + 1
    return [name for name, uses in used.items() if _predicates(name, text) < uses]


def _predicates(table: str, text: str) -> int:
    named = len(re.findall(rf"\b{table}\.principal_id (?:= (?:[:$]\w+|ANY)|IN \()", text))
    inserted = len(re.findall(rf"INSERT INTO {table} \(principal_id, ", text))
    # inside RETURNING, columns are written without the names of their tables
    returned = len(re.findall(rf"\bFROM \w+ AS {table} WHERE principal_id = [:$]\w+", text))
    return named + inserted + returned


class StatementRecorder:
    """Listens to every statement of this process and remembers those that cross principals without a reason."""

    def __init__(self) -> None:
        self.seen = 0
        self.violations: list[str] = []
        self._judged: set[str] = set()

    def __call__(self, statement: Statement, text: str) -> None:
        """Look at one statement; ``storage.database.recorder`` calls this."""
        self.seen += 1
        if text not in self._judged:
            self._judged.add(text)
            self.violations += [f"{table}: {text}" for table in crosses_principals(statement, text)]

    def __enter__(self) -> StatementRecorder:
        recorder.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        recorder.remove(self)
