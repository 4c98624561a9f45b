"""The count of lines counts."""

from __future__ import annotations

from pathlib import Path

from tools import sizes


def test_long_files_and_functions_are_found(tmp_path: Path) -> None:
    path = tmp_path / "long.py"
    path.write_text("def f():\n" + "    pass\n" * 50 + "def g():\n" + "    pass\n" * 49 + "x = 1\n" * 300)
    assert list(sizes.too_long(path)) == [
        f"{path}: 401 lines, at most 400",
        f"{path}:1: f has 51 lines, at most 50",
    ]


def test_the_product_is_counted_and_its_tests_are_not() -> None:
    names = {str(path.relative_to(sizes.ROOT)) for path in sizes.files()}
    assert {"storage/changes.py", "protocol/ical/document.py", "caldav_server/dav/paths.py"} <= names
    assert not any("/tests/" in name for name in names)
