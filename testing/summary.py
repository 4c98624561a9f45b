"""The end of a test run: which tests were slow, which files took the CPU, and that nothing was skipped.

A pytest plugin (the root ``conftest.py`` loads it). A run in which a test was skipped fails: what cannot run here must
not look like what passed.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Generator
from operator import itemgetter

import pytest

SLOWEST, DEAREST = 15, 10
"""Lines of the two lists."""
MANY = 100
"""Tests from which on the lists are written: not for a file that somebody works on."""
_CPU = "cpu"


def _cpu() -> float:
    """Seconds of CPU of this process and of the children it has waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Remember how much CPU a test takes from its first fixture to its last."""
    item.stash[_BEGUN] = _cpu()
    return (yield)


_BEGUN = pytest.StashKey[float]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The report of a test's end carries its CPU, also from the processes of pytest-xdist."""
    report = yield
    if report.when == "teardown":
        report.user_properties.append((_CPU, _cpu() - item.stash[_BEGUN]))
    return report


class Summary:
    """Collects the reports of a run and writes its end."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.cpu: dict[str, float] = defaultdict(float)
        self.files: dict[str, float] = defaultdict(float)
        self.skipped: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of one test."""
        self.seconds[report.nodeid] += report.duration
        if report.skipped:
            self.skipped[_reason(report.longrepr)] += 1
        for name, value in report.user_properties:
            if name == _CPU and isinstance(value, float):
                self.cpu[report.nodeid] += value
                self.files[report.nodeid.partition("::")[0]] += value

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A whole file that was skipped."""
        if report.skipped:
            self.skipped[_reason(report.longrepr)] += 1

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A run with skipped tests did not pass."""
        if self.skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the lists."""
        write = terminalreporter.write_line
        if len(self.seconds) > MANY:
            terminalreporter.section("slowest tests: seconds, of them CPU")
            for test, seconds in _largest(self.seconds, SLOWEST):
                write(f"{seconds:7.2f} {self.cpu[test]:7.2f}  {test}")
            terminalreporter.section(f"CPU of files: {sum(self.files.values()):.0f} seconds in all")
            for file, seconds in _largest(self.files, DEAREST):
                write(f"{seconds:7.1f}  {file}")
        terminalreporter.section(f"skipped: {sum(self.skipped.values())}")
        for reason, count in self.skipped.most_common():
            write(f"{count:7}  {reason}")


def _largest(values: dict[str, float], count: int) -> list[tuple[str, float]]:
    return sorted(values.items(), key=itemgetter(1), reverse=True)[:count]


def _reason(longrepr: object) -> str:
    """Why something was skipped, as pytest tells it."""
    return str(longrepr[2] if isinstance(longrepr, tuple) else longrepr).removeprefix("Skipped: ")


def pytest_configure(config: pytest.Config) -> None:
    """The process that writes the summary collects; those of pytest-xdist only measure."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Summary())
