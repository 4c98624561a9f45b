"""python-caldav's own functional suite, caldav-server-tester, vdirsyncer and tsdav against this server.

Long runs, since they install programs: ``make conformance``. Their output is kept in ``.conformance/output``.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from conformance_tests.clients.tools import CACHE, environment, node_modules, run, source
from conformance_tests.conftest import Target

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
OUTPUT = CACHE / "output"
CALDAV = "3.6.0"
TESTER = "1.7.0"
EXPECTED_FAILURES = {
    "testPrincipals": "the suite turns the DeprecationWarning of its own call into an error, on any server",
    "testSupport": "asks for calendar-auto-schedule in the DAV header: scheduling is not built and not advertised",
    "test_principals": "the same as testPrincipals, of the asynchronous client",
    "test_support": "the same as testSupport",
    "test_scheduling_mailboxes": "the same as testSchedulingMailboxes",
    "testCheckCompatibility": "without a profile three features differ, see MISMATCHES",
    "testSchedulingMailboxes": "asks for schedule-inbox-URL: scheduling is not built and not advertised",
}
"""Tests of python-caldav's suite that fail, and why; any other failure fails the run, and so does one that passes."""
MISMATCHES = {
    "search.text.comp-type-optional: declared 'unsupported', observed 'full'",
    "search.time-range.comp-type-optional: declared 'unsupported', observed 'full'",
    "scheduling: declared 'full', observed 'unsupported'",
}
"""Where the library's idea of a server without a profile is not this one: twice it expects less."""
EXPECTED_LEVELS = {
    "create-calendar.auto": ("unsupported", "asking for a calendar that is not there must not make one"),
    "get-current-user-principal.has-calendar": ("?", "no level but a fact: there is a calendar from the start"),
    "scheduling": ("unsupported", "not built and not advertised"),
    "url.encode-at.identity": ("unsupported", "'@' and '%40' spell one name: segments are compared decoded"),
    "well-known": ("unknown", "the tester does not look on a loopback address; rfc6764/ does"),
}
"""Features of caldav-server-tester that are not at level "full", and why."""


@pytest.fixture
def scripts(shared: Path) -> Path:
    """The scripts that drive client programs; they are beside the checkout."""
    folder = shared / "tools" / "clients"
    assert folder.is_dir(), f"{folder} is missing: set CALDAV_SHARED"
    return folder


@pytest.fixture
def mail_user(server: Target, tmp_path: Path) -> tuple[str, str]:
    """Name and password of a user whose name is a mail address, as most people's is; the target's user elsewhere."""
    if server.process is None:
        return server.user, server.password
    accounts = tmp_path / "mail-user.toml"
    accounts.write_text(
        '[[user]]\nname = "jo@example.com"\npassword = "jo"\ndisplay_name = "Jo"\nemails = ["jo@example.com"]\n',
        encoding="utf-8",
    )
    server.process.command("account", "import", str(accounts))
    return "jo@example.com", "jo"


def test_python_caldav(server: Target, database: str, mail_user: tuple[str, str]) -> None:
    """python-caldav 3.6.0: its functional suites, without a profile: nothing fails that a correct server would pass."""
    suite = source("caldav", CALDAV)
    programs = environment(
        "python-caldav", f"{suite}[test]", "pytest", "pytest-timeout", f"caldav-server-tester=={TESTER}", "vobject"
    )
    config = suite / "tests" / "caldav_test_servers.yaml"
    config.write_text(
        "test-servers:\n  mine:\n    type: external\n    enabled: true\n"
        f"    url: {server.url}\n    username: {mail_user[0]}\n    password: {mail_user[1]}\n",
        encoding="utf-8",
    )
    env = {**os.environ, "PYTHON_CALDAV_TEST_EMBEDDED": "0", "PYTHON_CALDAV_TEST_DOCKER": "0"}
    env.pop("PYTHONPATH", None)
    output = run(
        [
            programs / "python", "-m", "pytest", "-o", "asyncio_default_fixture_loop_scope=function", "-p",
            "no:cacheprovider", "tests/test_caldav.py", "tests/test_async_integration.py",
            "-k", "TestForServermine or TestAsyncFormine", "-rfEs", "--tb=short", "--timeout=300",
        ],
        cwd=suite, env=env, log=OUTPUT / f"python-caldav-{database}.txt", check=False, seconds=1700,
    )  # fmt: skip
    failed = set(re.findall(r"^(?:FAILED|ERROR) \S+::(\w+)", output, re.MULTILINE))
    passed = re.search(r"(\d+) passed", output)
    assert passed and int(passed[1]) >= 124, output[-3000:]
    assert failed == set(EXPECTED_FAILURES), f"{sorted(failed ^ set(EXPECTED_FAILURES))}\n{output[-6000:]}"
    assert set(re.findall(r"^E       (\S+: declared .*)$", output, re.MULTILINE)) == MISMATCHES


def test_caldav_server_tester(server: Target, database: str, mail_user: tuple[str, str], tmp_path: Path) -> None:
    """caldav-server-tester 1.7.0: no feature is less than full, scheduling aside."""
    programs = environment("server-tester", f"caldav-server-tester=={TESTER}", f"caldav=={CALDAV}", "vobject")
    env = {**os.environ, "HOME": str(tmp_path)}
    env.pop("PYTHONPATH", None)
    output = run(
        [
            programs / "caldav-server-tester", "--caldav-url", server.url, "--caldav-username", mail_user[0],
            "--caldav-password", mail_user[1], "--verbose", "--format", "text",
        ],
        env=env, cwd=tmp_path, log=OUTPUT / f"caldav-server-tester-{database}.txt", check=False,
    )  # fmt: skip
    levels = feature_levels(output)
    assert len(levels) >= 101, output[-4000:]
    lacking = {name: level for name, level in levels.items() if level != "full"}
    assert lacking == {name: level for name, (level, _why) in EXPECTED_LEVELS.items()}


def feature_levels(output: str) -> dict[str, str]:
    """feature -> support level, from the tester's text output."""
    levels: dict[str, str] = {}
    feature = ""
    for line in output.splitlines():
        heading = re.match(r"^#*\s*([a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*)\s*:?\s*$", line)
        if heading:
            feature = heading[1]
        level = re.search(r"Feature support level found: (\S+)", line)
        if level:
            levels[feature or f"feature {len(levels)}"] = level[1].rstrip(".")
    return levels


def test_vdirsyncer(server: Target, database: str, scripts: Path, tmp_path: Path) -> None:
    """vdirsyncer: 500 events, two ways, conflicts: every check passes."""
    programs = environment("vdirsyncer", "vdirsyncer>=0.20")
    output = run(
        [
            programs / "python", scripts / "vdirsyncer_check.py", "--url", server.url, "--user", server.user,
            "--password", server.password, "--vdirsyncer", programs / "vdirsyncer", "--count", "500",
        ],
        log=OUTPUT / f"vdirsyncer-{database}.txt", check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert_all_passed(output)


def test_tsdav(server: Target, database: str, scripts: Path) -> None:
    """tsdav: every check of the npm client passes."""
    assert shutil.which("node") and shutil.which("npm"), "node and npm are needed for tsdav"
    modules = node_modules(scripts / "package.json")
    output = run(
        [
            "node", scripts / "tsdav_check.mjs", "--url", server.url, "--user", server.user,
            "--password", server.password,
        ],
        log=OUTPUT / f"tsdav-{database}.txt", check=False, env={**os.environ, "TSDAV_DIR": str(modules)},
    )  # fmt: skip
    assert_all_passed(output)


def assert_all_passed(output: str) -> None:
    """The scripts print PASS and FAIL lines and a count."""
    counts = re.search(r"(\d+) passed, (\d+) failed", output)
    assert counts, output[-3000:]
    failed = re.findall(r"^FAIL .*", output, re.MULTILINE)
    assert counts[2] == "0" and not failed and int(counts[1]) > 0, "\n".join(failed) or output[-3000:]
