"""What process trees cost, from /proc: CPU time and memory."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

TICK = 1.0 / os.sysconf("SC_CLK_TCK")
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


def tree(roots: Iterable[int]) -> list[int]:
    """The processes and all that descend from them."""
    found: list[int] = []
    waiting = list(roots)
    while waiting:
        process = waiting.pop()
        if process in found:
            continue
        found.append(process)
        try:
            for task in os.listdir(f"/proc/{process}/task"):
                children = Path(f"/proc/{process}/task/{task}/children").read_text()
                waiting += map(int, children.split())
        except OSError:
            continue
    return found


def seconds(roots: Iterable[int]) -> float:
    """User and system time of process trees, of children that already ended too.

    The kernel counts in ticks of 10 ms for each process, so that a difference is good to a few of them.
    """
    return sum(of_process(process) for process in tree(roots))


def of_process(process: int) -> float:
    """User and system time of one process and of its children that ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) * TICK


def memory(roots: Iterable[int]) -> int:
    """Proportional resident bytes of process trees: shared pages count once."""
    total = 0
    for process in tree(roots):
        try:
            match = _PSS.search(Path(f"/proc/{process}/smaps_rollup").read_text())
        except OSError:
            continue
        total += int(match[1]) * 1024 if match else 0
    return total


def resident(process: int) -> int:
    """Resident bytes of one process."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak(process: int) -> int:
    """The most bytes that one process was ever resident with (since ``forget_peak``)."""
    match = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    return int(match[1]) * 1024 if match else 0


def forget_peak(process: int) -> None:
    """Start ``peak`` again from what is resident now."""
    Path(f"/proc/{process}/clear_refs").write_text("5")
