"""F23: ``caldav-server migrate`` of a released database with data, killed at any moment: nothing is lost."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage import migrations
from testing.programs import ROOT
from testing.released import RELEASED, Rows, make_released, read, released_columns, revision

PEOPLE, OBJECTS, ROUNDS = 10, 400, 16


def migrate(url: str) -> subprocess.Popen[bytes]:
    own = {"PYTHONPATH": str(ROOT), "CALDAV_SERVER_DATABASE": url}
    return subprocess.Popen(
        [sys.executable, "-m", "caldav_server", "migrate"], env=os.environ | own, stdout=subprocess.DEVNULL
    )


def copies(database: str, request: pytest.FixtureRequest, folder: Path) -> tuple[str, Callable[[int], str]]:
    """The address of a database to fill, and a function that copies it."""
    if database == "postgresql":
        server: Any = request.getfixturevalue("postgres")
        template = str(server.new_database())
        return template, lambda _turn: str(server.new_database(template))
    source = folder / "released.db"

    def copy(turn: int) -> str:
        made = folder / f"copy{turn}.db"
        shutil.copy(source, made)
        return f"sqlite:///{made}"

    return f"sqlite:///{source}", copy


@pytest.mark.long
@pytest.mark.timeout(900)
def test_an_upgrade_that_is_killed_at_any_moment_loses_nothing(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if database == "external":
        pytest.fail("this test upgrades a database of its own: it cannot run against another server")
    url, copy = copies(database, request, tmp_path)
    before = make_released(url, people=PEOPLE, objects=OBJECTS)
    columns = released_columns(url)
    chance, interrupted, duration = random.Random(23), 0, complete(copy(0), before, columns)
    for turn in range(1, ROUNDS + 1):
        url = copy(turn)
        process = migrate(url)
        time.sleep(chance.uniform(0.5, 1.0) * duration)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        interrupted += revision(url) == RELEASED
        assert read(url, columns) == before
        duration = complete(url, before, columns)
    assert interrupted >= ROUNDS // 4, "most kills came too late to interrupt anything"


def complete(url: str, before: Rows, columns: dict[str, list[str]]) -> float:
    """Let the upgrade run to its end; answers its seconds."""
    began = time.monotonic()
    assert migrate(url).wait(120) == 0
    seconds = time.monotonic() - began
    assert revision(url) == migrations.HEAD
    assert read(url, columns) == before
    return seconds
