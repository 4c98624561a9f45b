"""Logs: events through structlog, one cheap line per request, the request id in every line, never a secret.

Two formats: JSON for machines, a console form for people. Lines are collected and written a few times a second (at
once when they are warnings), so that the access line costs the request microseconds. Rules of this module: nobody
else writes to the log's file; whoever logs says what happened in ``event`` and the rest as key=value.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import re
import sys
import time
import traceback
from collections import deque
from collections.abc import MutableMapping
from typing import Any, BinaryIO

import msgspec

from caldav_server.http.messages import Request
from caldav_server.lean_structlog import structlog
from caldav_server.settings import LogSettings

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
"""The request being served; threads started for it inherit it with the context."""

FLUSH_SECONDS = 0.2
FLUSH_LINES = 256
_SECRET_KEYS = frozenset({"authorization", "cookie", "password", "secret", "token", "app_password"})
_USERINFO = re.compile(r"(://[^/@\s:]*):[^@\s/]+@")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_encode = msgspec.json.Encoder(enc_hook=str).encode


_second = 0
_second_text = ""


def _stamp(now: float) -> str:
    """RFC 3339 with milliseconds; the text of the second is made once."""
    global _second, _second_text
    second = int(now)
    if second != _second:
        _second, _second_text = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
    return f"{_second_text}.{int(now * 1000) % 1000:03d}Z"


def redact(value: object) -> object:
    """A value fit for a log: passwords inside addresses are masked."""
    return _USERINFO.sub(r"\1:***@", value) if isinstance(value, str) else value


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
        """Writes what was collected."""
        self._timer = None
        lines = []
        while self._lines:
            try:
                lines.append(self._lines.popleft())
            except IndexError:  # another thread took the last one
                break
        if lines:
            self._file.write(b"".join(lines))
            self._file.flush()

    def reopen(self) -> None:
        """Opens the file anew, after log rotation moved the old one away."""
        self.flush()
        if self._path:
            old, self._file = self._file, self._open()
            old.close()


class Log:
    """The log of this process."""

    def __init__(self, settings: LogSettings, *, worker: int | None = None) -> None:
        self.sink = Sink(settings.file)
        self._worker = worker
        self._level = _LEVELS[settings.level]
        self._json = settings.format == "json" or (
            settings.format == "auto" and (bool(settings.file) or not sys.stderr.isatty())
        )
        self.has_access = settings.access and self._level <= logging.INFO

    def install(self) -> None:
        """Makes structlog and the standard library's logging write here."""
        structlog.configure(
            processors=[structlog.stdlib.add_log_level, self._finish],
            wrapper_class=structlog.make_filtering_bound_logger(self._level),
            logger_factory=lambda *_: self,
            cache_logger_on_first_use=False,
        )
        root = logging.getLogger()
        root.handlers[:] = [_Bridge()]
        root.setLevel(max(self._level, logging.WARNING))

    def _finish(self, _logger: object, _name: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
        """The last processor: completes, redacts and writes; the fields become arguments of ``msg``."""
        error = event.pop("exc_info", None)
        fields: dict[str, Any] = {
            "level": event.pop("level", "info"),
            "event": event.pop("event", ""),
        }
        current = event.pop("request_id", "") or request_id.get()
        if current:
            fields["request_id"] = current
        for key, value in event.items():
            fields[key] = "***" if key.lower() in _SECRET_KEYS else redact(value)
        if error:
            if error is True:
                error = sys.exc_info()[1]
            if isinstance(error, tuple):
                error = error[1]
            if isinstance(error, BaseException):
                fields["traceback"] = redact("".join(traceback.format_exception(error)))
        return {"fields": fields}

    def msg(self, *, fields: dict[str, Any]) -> None:
        """Writes one event; structlog calls it by the level's name."""
        urgent = fields["level"] not in ("debug", "info")
        self.sink.write(self._line(fields), urgent=urgent)

    debug = info = warning = error = critical = exception = log = msg

    def _line(self, fields: dict[str, Any]) -> bytes:
        now = time.time()
        if self._json:
            head = {"time": _stamp(now), **({"worker": self._worker} if self._worker is not None else {})}
            return _encode(head | fields) + b"\n"
        trace = fields.pop("traceback", "")
        level, event = fields.pop("level"), fields.pop("event")
        rest = " ".join(f"{key}={_shown(value)}" for key, value in fields.items())
        line = f"{time.strftime('%H:%M:%S', time.localtime(now))} {level:<7} {event} {rest}".rstrip()
        return f"{line}\n{trace}".encode("utf-8", "backslashreplace")

    def access(self, request: Request, status: int, size: int, seconds: float) -> None:
        """The line of one request; a few microseconds."""
        user = request.principal.name if request.principal is not None else ""
        if not self._json:
            text = (
                f"{time.strftime('%H:%M:%S')} {request.method} {_shown(request.raw_path)} {status} "
                f"{seconds * 1000:.1f} ms {size} B {_shown(user) or '-'} {request.remote} {request.request_id}\n"
            )
            self.sink.write(text.encode("utf-8", "backslashreplace"))
            return
        line: dict[str, object] = {
            "time": _stamp(time.time()),
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
        }
        if self._worker is not None:
            line["worker"] = self._worker
        if request.log:
            line |= request.log
        self.sink.write(_encode(line) + b"\n")


def _shown(value: object) -> str:
    """A value on a console: nothing in it can move the cursor."""
    text = str(value)
    return text if text.isprintable() else ascii(text)


class _Bridge(logging.Handler):
    """What libraries log through the standard library, as events."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)


def get() -> Any:  # structlog's loggers are typed by their wrapper class, which is made at run time
    """The logger everybody uses: ``get().info("what happened", key=value)``."""
    return structlog.get_logger()
