"""Logs: the standard library's logging, written as JSON lines for machines or as text for people.

Every line carries the id of its request, none carries a secret. Lines are collected and written a few times a second
(at once when they are warnings), so that the access line costs a request only microseconds. Rules of this module:
nobody else writes to the log's file; whoever logs says what happened in the message and the rest as key=value.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import json
import logging
import re
import sys
import time
import traceback
from collections import deque
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from caldav_server.settings import LogSettings

if TYPE_CHECKING:
    from caldav_server.http.messages import Request

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
"""The request being served; threads started for it inherit it with the context."""

FLUSH_SECONDS = 0.2
FLUSH_LINES = 256
_SECRET_KEYS = frozenset({"authorization", "cookie", "password", "secret", "token", "app_password"})
_USERINFO = re.compile(r"(://[^/@\s:]*):[^@\s/]+@")
_encode = msgspec.json.Encoder(enc_hook=str).encode


def _json_line(line: dict[str, object]) -> bytes:
    try:
        return _encode(line) + b"\n"
    except UnicodeEncodeError:  # header fields that are not UTF-8 hold lone surrogates
        return json.dumps(line, default=str).encode("ascii") + b"\n"


def redact(value: object) -> object:
    """A value fit for a log: passwords inside addresses are masked."""
    return _USERINFO.sub(r"\1:***@", value) if isinstance(value, str) else value


class _EventLogger(logging.LoggerAdapter[logging.Logger]):
    """Takes the fields of an event as keyword arguments."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        return msg, {"exc_info": kwargs.pop("exc_info", None), "extra": {"fields": kwargs}}


_own_logger = logging.getLogger("caldav_server")
_event_logger = _EventLogger(_own_logger)


def get() -> _EventLogger:
    """The logger everybody uses: ``get().info("what happened", key=value)``."""
    return _event_logger


class Sink:
    """Where lines go: standard error or a file, written in batches."""

    def __init__(self, path: str = "") -> None:
        self._path = path
        self._lines: deque[bytes] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._file: BinaryIO = self._open()

    def _open(self) -> BinaryIO:
        return open(self._path, "ab") if self._path else sys.stderr.buffer

    def write(self, line: bytes, *, urgent: bool = False) -> None:
        """Takes one line, its line break included; safe from any thread."""
        self._lines.append(line)
        if urgent or len(self._lines) >= FLUSH_LINES:
            self.flush()
        elif self._timer is None:
            try:
                self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
            except RuntimeError:  # not on an event loop: a command, or a thread
                self.flush()

    def flush(self) -> None:
        """Writes what was collected. A file that cannot be written, as on a full disk, fails no request."""
        self._timer = None
        lines = []
        with contextlib.suppress(IndexError):  # another thread may take the last one
            while self._lines:
                lines.append(self._lines.popleft())
        if lines:
            with contextlib.suppress(OSError):
                self._file.write(b"".join(lines))
                self._file.flush()

    def reopen(self) -> None:
        """Opens the file anew, after log rotation moved the old one away."""
        self.flush()
        if self._path:
            old, self._file = self._file, self._open()
            with contextlib.suppress(OSError):
                old.close()


class Log(logging.Handler):
    """The log of this process."""

    def __init__(self, settings: LogSettings, *, worker: int | None = None) -> None:
        super().__init__()
        self.sink = Sink(settings.file)
        self._worker = {} if worker is None else {"worker": worker}
        self._min_level = logging.getLevelNamesMapping()[settings.level.upper()]
        self._is_json = settings.format == "json" or (
            settings.format == "auto" and (bool(settings.file) or not sys.stderr.isatty())
        )
        self.has_access = settings.access and self._min_level <= logging.INFO

    def install(self) -> None:
        """Makes this the only log of the process; of libraries it takes warnings and errors."""
        root = logging.getLogger()
        root.handlers[:] = [self]
        root.setLevel(max(self._min_level, logging.WARNING))
        _own_logger.setLevel(self._min_level)

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one event of ours, or what a library logged."""
        level, event, fields = record.levelname.lower(), record.getMessage(), _fields_of(record)
        trace = ""
        if record.exc_info and record.exc_info[1] is not None:
            trace = str(redact("".join(traceback.format_exception(record.exc_info[1]))))
        if self._is_json:
            head = {"time": _utc(record.created), **self._worker, "level": level, "event": event}
            line = _json_line(head | fields | ({"traceback": trace} if trace else {}))
        else:
            rest = " ".join(f"{key}={_printable(value)}" for key, value in fields.items())
            clock = time.strftime("%H:%M:%S", time.localtime(record.created))
            text = f"{clock} {level:<7} {event} {rest}".rstrip()
            line = f"{text}\n{trace}".encode("utf-8", "backslashreplace")
        self.sink.write(line, urgent=record.levelno >= logging.WARNING)

    def flush(self) -> None:
        """Writes what was collected; the standard library calls it when the process ends."""
        self.sink.flush()

    def access(self, request: Request, status: int, size: int, seconds: float) -> None:
        """The line of one request; a few microseconds."""
        user = request.principal.name if request.principal is not None else ""
        if not self._is_json:
            text = (
                f"{time.strftime('%H:%M:%S')} {request.method} {_printable(request.raw_path)} {status} "
                f"{seconds * 1000:.1f} ms {size} B {_printable(user) or '-'} {request.remote} {request.request_id}\n"
            )
            self.sink.write(text.encode("utf-8", "backslashreplace"))
            return
        line: dict[str, object] = {
            "time": _utc(time.time()),
            "level": "info",
            "event": "request",
            "request_id": request.request_id,
            "method": request.method,
            "path": request.raw_path,
            "status": status,
            "ms": round(seconds * 1000, 3),
            "bytes": size,
            "remote": request.remote,
            "user": user,
            **self._worker,
            **request.log,
        }
        self.sink.write(_json_line(line))


def _fields_of(record: logging.LogRecord) -> dict[str, object]:
    """The request's id, then the fields of an event with secrets masked; of a library's record the logger's name."""
    given: dict[str, object] = getattr(record, "fields", {"logger": record.name})
    current = given.get("request_id") or request_id.get()
    fields: dict[str, object] = {"request_id": current} if current else {}
    for key, value in given.items():
        if key != "request_id":
            fields[key] = "***" if key.lower() in _SECRET_KEYS else redact(value)
    return fields


@functools.lru_cache(maxsize=1)
def _utc_second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _utc(now: float) -> str:
    """RFC 3339 with milliseconds."""
    return f"{_utc_second(int(now))}.{int(now * 1000) % 1000:03d}Z"


def _printable(value: object) -> str:
    """A value on a console: nothing in it can move the cursor."""
    text = str(value)
    return text if text.isprintable() else ascii(text)
