"""Settings: their sources, their mistakes, and the example file that is generated from them."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from caldav_server.settings import Override, Settings, SettingsError, environment_name, load, render_reference
from caldav_server.settings.model import SENTENCE
from tools import sizes

ROOT = Path(__file__).parents[2]
ROWS = [(section.name, row) for section in fields(Settings()) for row in fields(getattr(Settings(), section.name))]


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_example_file_is_what_the_settings_say() -> None:
    assert (ROOT / "config" / "caldav-server.toml").read_text(encoding="utf-8") == render_reference()


def test_the_example_file_with_every_line_uncommented_is_the_defaults(tmp_path: Path) -> None:
    lines = []
    for line in render_reference().splitlines():
        bare = line.removeprefix("# ")
        lines.append(bare if line.startswith("# ") and bare.partition(" = ")[0].isidentifier() else line)
    text = "\n".join(lines)
    assert sum(len(section) for section in tomllib.loads(text).values()) == len(ROWS)
    assert load(write(tmp_path, text)) == Settings()


def test_every_setting_has_a_sentence_a_variable_and_is_used() -> None:
    names = [environment_name(section, row.name) for section, row in ROWS]
    assert len(set(names)) == len(names)
    found = sizes.files(ROOT, ("caldav_server",))
    sources = [path.read_text(encoding="utf-8") for path in found if path.parent.name != "settings"]
    for section, row in ROWS:
        assert row.metadata[SENTENCE].endswith((".", ")")), (section, row.name)
        assert any(f".{row.name}" in source for source in sources), f"nothing uses [{section}] {row.name}"
    assert environment_name("database", "url") == "CALDAV_SERVER_DATABASE"
    assert environment_name("server", "bind") == "CALDAV_SERVER_BIND"
    assert environment_name("auth", "realm") == "CALDAV_SERVER_AUTH_REALM"


def test_each_source_overrides_the_one_before(tmp_path: Path) -> None:
    path = write(
        tmp_path, '[server]\nbind = "a:1"\nworkers = 2\ngraceful_seconds = 7\n[proxy]\ntrusted = ["10.0.0.0/8"]\n'
    )
    environment = {"CALDAV_SERVER_BIND": "b:2", "CALDAV_SERVER_WORKERS": "3", "CALDAV_SERVER_LOG_ACCESS": "no"}
    settings = load(path, environment, [Override("server", "bind", "c:3", "--bind")])
    assert settings.server.bind == "c:3"
    assert settings.server.workers == 3
    assert settings.server.graceful_seconds == 7.0
    assert settings.proxy.trusted == ("10.0.0.0/8",)
    assert settings.log.access is False
    assert load(None, {"CALDAV_SERVER_CONFIG": str(path)}).server.workers == 2
    assert load(None, {"CALDAV_SERVER_PROXY_TRUSTED": "10.0.0.1, unix"}).proxy.trusted == ("10.0.0.1", "unix")


def test_all_mistakes_are_told_at_once_with_source_key_and_expectation(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        'redis = 1\n[server]\nbind = "nowhere"\nworkers = 0\nwrokers = 1\n[auth]\nrealm = 5\n[extra]\na = 1\n'
        '[tls]\nminimum_version = "1.1"\n[proxy]\ntrusted = ["10.0.0.0/40"]\n[log]\naccess = 1\n',
    )
    with pytest.raises(SettingsError) as caught:
        load(path, {"CALDAV_SERVER_DATABASE": "mysql://x", "CALDAV_SERVER_LIMITS_DEPTH": "deep"})
    problems = "\n".join(caught.value.problems)
    for part in (
        "redis must be a section",
        "[server] bind: it must be HOST:PORT",
        "[server] workers: it must be from 1 to 256",
        "[server] has no setting wrokers",
        "[auth] realm: it must be a text",
        "no section [extra]",
        "minimum_version: it must be one of 1.2, 1.3",
        "[proxy] trusted: it must be a list of addresses",
        "[log] access: it must be true or false",
        "CALDAV_SERVER_DATABASE: it must be sqlite:///PATH",
        "CALDAV_SERVER_LIMITS_DEPTH: it must be a whole number",
    ):
        assert part in problems
    assert len(caught.value.problems) == 11


def test_a_password_in_a_wrong_address_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        load(None, {"CALDAV_SERVER_DATABASE": "postgres+x://me:hunter2@host/db"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["not toml at all [", "\xff"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError, match=r"bad\.toml"):
        load(path)
    with pytest.raises(SettingsError, match="missing"):
        load(tmp_path / "missing.toml")


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "[::1]:8008", "localhost:80", "unix:/run/x.sock"])
def test_places_to_listen(bind: str) -> None:
    assert load(None, {"CALDAV_SERVER_BIND": bind}).server.bind == bind


@pytest.mark.parametrize("bind", ["8008", ":8008", "host:", "host:99999", "host:-1", "unix:", ""])
def test_places_that_are_none(bind: str) -> None:
    with pytest.raises(SettingsError):
        load(None, {"CALDAV_SERVER_BIND": bind})
