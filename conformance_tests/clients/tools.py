"""Installing and running other people's programs: each in a virtual environment of its own under ``.conformance/``."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

from testing.programs import ROOT

CACHE = Path(os.environ.get("CONFORMANCE_CACHE", str(ROOT / ".conformance")))


def run(line: list[str | Path], *, log: Path | None = None, seconds: float = 900, check: bool = True, **more) -> str:  # type: ignore[no-untyped-def]
    """Run a program; its output, which is also kept in ``log``."""
    done = subprocess.run(
        [str(part) for part in line],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        text=True,
        **more,
    )
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout, encoding="utf-8")
    assert not check or done.returncode == 0, f"{line}: {done.returncode}\n{done.stdout[-6000:]}"
    return done.stdout


def environment(name: str, *packages: str) -> Path:
    """The ``bin`` folder of a virtual environment that has these packages; made once."""
    folder = CACHE / name
    stamp = folder / ".packages"
    wanted = "\n".join(packages)
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        run([sys.executable, "-m", "venv", "--clear", folder])
        run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages])
        stamp.write_text(wanted, encoding="utf-8")
    return folder / "bin"


def source(package: str, version: str) -> Path:
    """The unpacked source distribution of a package: for test suites that are not in its wheel."""
    target = CACHE / f"{package}-{version}"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        archive = CACHE / f"{package}-{version}.tar.gz"
        if not archive.exists():
            run([
                sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", package,
                "--disable-pip-version-check", "--dest", CACHE, f"{package}=={version}",
            ])  # fmt: skip
        with tarfile.open(archive) as opened:
            opened.extractall(CACHE, filter="data")
    return target


def node_modules(manifest: Path) -> Path:
    """A folder with the packages of a package.json installed by npm."""
    folder = CACHE / "node"
    folder.mkdir(parents=True, exist_ok=True)
    text = manifest.read_text(encoding="utf-8")
    own = folder / "package.json"
    if not (folder / "node_modules").exists() or not own.exists() or own.read_text(encoding="utf-8") != text:
        own.write_text(text, encoding="utf-8")
        run(["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", folder])
    return folder
