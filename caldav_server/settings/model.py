"""The settings: one frozen dataclass per section, one row per setting.

Rules of this module: a row is a name, a type, a default, one sentence for the administrator and a check of the value.
``load`` computes everything that describes a setting from its row: the example file, the environment variable, the
error message.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from protocol.ical.scanner import Limits

_OBJECT = Limits()
SENTENCE = "sentence"
CHECK = "check"
EXPECTED = "expected"

Check = Callable[[Any], bool]


def _row(default: Any, sentence: str, expected: str = "", check: Check | None = None) -> Any:
    """One setting; ``expected`` completes the message "it must be ..." when ``check`` is false."""
    return field(default=default, metadata={SENTENCE: sentence, EXPECTED: expected, CHECK: check})


def _number(default: float, sentence: str, low: float, high: float = float("inf")) -> Any:
    """A number from ``low`` to ``high``, both included."""
    expected = f"at least {low:g}" if high == float("inf") else f"from {low:g} to {high:g}"
    return _row(default, sentence, expected, lambda value: low <= value <= high)


def _choice(default: str, sentence: str, *choices: str) -> Any:
    """One of a few words."""
    return _row(default, sentence, "one of " + ", ".join(choices), lambda value: value in choices)


def is_bind(value: str) -> bool:
    """Whether this is HOST:PORT, [IPV6]:PORT or unix:PATH."""
    if value.startswith("unix:"):
        return len(value) > len("unix:")
    host, colon, port = value.rpartition(":")
    return bool(colon and host) and port.isascii() and port.isdigit() and int(port) < 65536


def is_database_url(value: str) -> bool:
    """Whether the address names one of the two databases."""
    return value.startswith(("sqlite:///", "postgresql://"))


def _is_networks(value: tuple[str, ...]) -> bool:
    """Whether every entry is an address or a network in CIDR form."""
    try:
        for entry in value:
            ipaddress.ip_network(entry)
    except ValueError:
        return False
    return True


def _is_base_url(value: str) -> bool:
    return not value or (value.startswith(("http://", "https://")) and not value.endswith("/"))


_BASE_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")
FACE_ROOTS = frozenset({"dav", ".well-known", "health", "metrics", "api"})
"""First segments of the faces' paths, also of those that are planned: a base path that began with one could not be told
from them."""


def is_base_path(value: str) -> bool:
    """Whether this is empty or a path of plain segments such as /cal, of at most 200 characters."""
    if not value:
        return True
    segments = value.split("/")[1:]
    return (
        len(value) <= 200
        and _BASE_PATH.fullmatch(value) is not None
        and not {".", ".."} & set(segments)
        and segments[0] not in FACE_ROOTS
    )


_NETWORKS = "a list of addresses or networks such as 10.0.0.0/8"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where the server listens and how it runs."""

    bind: str = _row(
        "127.0.0.1:8008",
        "Where to listen: HOST:PORT, [IPV6]:PORT, or unix:PATH for a socket that a reverse proxy uses.",
        "HOST:PORT, [IPV6]:PORT or unix:PATH",
        is_bind,
    )
    workers: int = _number(1, "How many processes serve requests; one per core is enough.", 1, 256)
    base_url: str = _row(
        "",
        "The address clients use from outside, such as https://calendar.example.com, base_path included; only printed.",
        "http://... or https://... without a final slash",
        _is_base_url,
    )
    base_path: str = _row(
        "",
        "The path under which clients find the server, such as /cal; empty for the root of its host.",
        "a path such as /cal: letters, digits, - . _ ~ and no final slash; not /dav, which is the server's own",
        is_base_path,
    )
    graceful_seconds: float = _number(30.0, "How long a stop waits for requests in flight.", 0, 3600)
    pid_file: str = _row("", "A file that holds the process id while the server runs; empty for none.")
    backlog: int = _number(1024, "How many connections the operating system keeps waiting to be accepted.", 1, 65535)


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where the data is stored."""

    url: str = _row(
        "sqlite:///data/caldav.db",
        "The database: sqlite:///PATH (relative to the working directory; sqlite:////PATH is absolute) or "
        "postgresql://USER:PASSWORD@HOST/NAME.",
        "sqlite:///PATH or postgresql://...",
        is_database_url,
    )
    pool_size: int = _number(
        8, "How many connections each process keeps to PostgreSQL, or reading threads to SQLite.", 1, 256
    )
    busy_seconds: float = _number(
        10.0, "How long a write waits for another writer: of the database on SQLite, of the row on PostgreSQL.", 0, 600
    )


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """The largest requests and objects; the refusal of a larger one names the condition."""

    resource_bytes: int = _number(
        _OBJECT.size, "The largest calendar object, in bytes (CALDAV:max-resource-size).", 1024
    )
    xml_bytes: int = _number(1_048_576, "The largest XML request body, in bytes.", 1024)
    line_bytes: int = _number(_OBJECT.line, "The longest content line of an object after unfolding, in bytes.", 1024)
    parameters: int = _number(_OBJECT.params, "How many parameters one property may have.", 10)
    properties: int = _number(_OBJECT.properties, "How many properties one object may have.", 100)
    depth: int = _number(_OBJECT.depth, "How deep components of an object may nest.", 3, 100)
    components: int = _number(
        _OBJECT.components, "How many components one object may have, overridden occurrences included.", 10
    )
    attendees: int = _number(
        _OBJECT.attendees, "How many attendees one occurrence may have (CALDAV:max-attendees-per-instance).", 1
    )
    dead_property_bytes: int = _number(
        65_536, "The largest value of a property the server does not know, in bytes.", 1024
    )
    dead_properties: int = _number(200, "How many such properties one resource may have.", 1)
    calendars_per_home: int = _number(1_000, "How many calendars one principal may have.", 5)
    sync_page: int = _number(5_000, "How many changes one sync-collection answer holds before it is truncated.", 10)
    home_bytes: int = _number(10_737_418_240, "How much calendar text one principal may store (RFC 4331 quota).", 1024)
    header_bytes: int = _number(16_384, "The longest header line or request line, in bytes.", 4096, 1_048_576)
    headers: int = _number(100, "How many header lines one request may have.", 16, 1000)
    connections: int = _number(20_000, "How many connections one process holds open; more are closed at once.", 10)


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """How people prove who they are."""

    realm: str = _row(
        "Calendar",
        "The realm of every 401 answer; clients store passwords under it, so it should never change.",
        "printable ASCII without quotes",
        lambda value: (
            bool(value) and value.isascii() and value.isprintable() and '"' not in value and "\\" not in value
        ),
    )
    account_passwords: bool = _row(True, "Whether the account password works for CalDAV beside app passwords.")
    cache_seconds: float = _number(300.0, "How long a verified login is remembered without hashing again.", 0, 86_400)
    cache_entries: int = _number(20_000, "How many verified logins one process remembers.", 1)
    recheck_seconds: float = _number(
        1.0, "How soon a process notices an account changed elsewhere; at once where there is Redis.", 0, 300
    )
    hash_threads: int = _number(2, "How many passwords are hashed at the same time.", 1, 64)
    hash_queue: int = _number(64, "How many logins may wait for hashing before more are answered 503.", 1)
    argon2_memory_kib: int = _number(19_456, "Memory of argon2id for new passwords, in KiB.", 8, 4_194_304)
    argon2_time: int = _number(2, "Passes of argon2id for new passwords.", 1, 100)
    argon2_parallelism: int = _number(1, "Lanes of argon2id for new passwords.", 1, 64)
    free_failures: int = _number(
        5, "How many wrong passwords for one account from one network go without delay.", 1, 1000
    )
    network_failures: int = _number(
        100, "How many wrong passwords from one network, over all accounts, go without delay.", 1
    )
    max_delay_seconds: float = _number(
        900.0, "The longest delay after repeated wrong passwords; it doubles up to here.", 1
    )
    known_device_seconds: float = _number(
        2_592_000.0, "How long a device that logged in stays exempt from other people's wrong passwords.", 0
    )


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """TLS without a reverse proxy."""

    certificate: str = _row("", "A PEM file with the certificate chain; empty serves plain HTTP.")
    key: str = _row("", "The PEM file of its private key; empty when the certificate file holds it.")
    minimum_version: str = _choice("1.2", "The oldest TLS version to accept; old phones need 1.2.", "1.2", "1.3")


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """Which reverse proxies are believed, and in which headers."""

    trusted: tuple[str, ...] = _row(
        (), "Addresses or networks of reverse proxies whose headers are believed; unix when they use the socket.",
        "a list of addresses or networks such as 10.0.0.0/8, or unix",
        lambda value: _is_networks(tuple(entry for entry in value if entry != "unix")),
    )  # fmt: skip
    address_header: str = _row(
        "X-Forwarded-For", "The header that carries the client's address; the last untrusted entry counts."
    )
    scheme_header: str = _row("X-Forwarded-Proto", "The header that carries http or https as the client sees it.")
    host_header: str = _row("X-Forwarded-Host", "The header that carries the host as the client sees it.")
    prefix_headers: tuple[str, ...] = _row(
        ("X-Forwarded-Prefix", "X-Script-Name"),
        "The headers that carry the path under which the proxy offers this server, instead of server.base_path; "
        "the first that is there counts.",
    )
    request_id_header: str = _row("X-Request-Id", "The header whose value becomes the request id.")


@dataclass(frozen=True, slots=True)
class TimeoutSettings:
    """How long a client may take."""

    header_seconds: float = _number(
        20.0, "From the first byte of a request, or from connecting, to the end of its headers.", 0.1
    )
    body_seconds: float = _number(60.0, "For the body, plus one second for every body_rate bytes that arrived.", 0.1)
    body_rate: int = _number(
        4096, "The slowest a body may arrive once body_seconds are used up, in bytes per second.", 1
    )
    write_seconds: float = _number(30.0, "How long a client may stop reading an answer before it is cut off.", 0.1)
    keep_alive_seconds: float = _number(300.0, "How long an idle connection stays open.", 1)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What is written to standard error, or to a file."""

    format: str = _choice(
        "auto", "json, console, or auto: console on a terminal and json elsewhere.", "auto", "json", "console"
    )
    level: str = _choice("info", "The least important line to write.", "debug", "info", "warning", "error")
    access: bool = _row(True, "Whether to write one line per request.")
    file: str = _row("", "A file to append to instead of standard error; SIGHUP reopens it.")


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """Metrics for Prometheus, at /metrics."""

    enabled: bool = _row(True, "Whether /metrics answers.")
    allowed: tuple[str, ...] = _row(
        ("127.0.0.0/8", "::1/128"), "Who may read /metrics, as addresses or networks.", _NETWORKS, _is_networks
    )


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """Optional: through Redis the processes of a server tell each other of changes at once."""

    url: str = _row(
        "",
        "redis://HOST:PORT/0, or unix:///PATH; empty for none, which the server can do without.",
        "redis://..., rediss://... or unix://...",
        lambda value: not value or value.startswith(("redis://", "rediss://", "unix://")),
    )


@dataclass(frozen=True, slots=True)
class RecurrenceSettings:
    """How far and how much recurring events are expanded."""

    horizon_days: int = _number(400, "How far past today occurrences are indexed when an object is written.", 1, 36_500)
    occurrences: int = _number(
        1_500, "How many occurrences of one object are indexed; the rest are found on demand.", 1
    )


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """How long the server keeps what clients no longer see, in days; 0 keeps it for ever."""

    previous_texts_days: int = _number(90, "The texts that an object had before its last change.", 0, 36_500)
    removed_calendars_days: int = _number(90, "The content of a calendar that was removed.", 0, 36_500)
    tombstones_days: int = _number(
        400,
        "The names of removed objects and calendars; a client that was away for longer reads everything again.",
        0,
        36_500,
    )


@dataclass(frozen=True, slots=True)
class JobSettings:
    """Who runs jobs (upkeep, pruning) and how."""

    in_server: bool = _row(
        True, "Whether the server runs jobs in its first process; false where caldav-server worker runs them."
    )
    concurrency: int = _number(4, "How many jobs one process runs at the same time.", 1, 256)
    poll_seconds: float = _number(5.0, "How often a process looks for jobs that other processes added.", 0.05, 3600)


@dataclass(frozen=True, slots=True)
class Settings:
    """All sections."""

    server: ServerSettings = field(default_factory=ServerSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    auth: AuthSettings = field(default_factory=AuthSettings)
    tls: TlsSettings = field(default_factory=TlsSettings)
    proxy: ProxySettings = field(default_factory=ProxySettings)
    timeouts: TimeoutSettings = field(default_factory=TimeoutSettings)
    log: LogSettings = field(default_factory=LogSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    redis: RedisSettings = field(default_factory=RedisSettings)
    recurrence: RecurrenceSettings = field(default_factory=RecurrenceSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    jobs: JobSettings = field(default_factory=JobSettings)
