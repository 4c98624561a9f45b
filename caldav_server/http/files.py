"""Static files: their bytes, their type, and 304 when the client has them already (RFC 9110 §13.1.2).

Rules of this module: what is served lies inside a folder that the caller names; nothing is listed.
"""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote

from caldav_server.http.messages import Request, Response

PIECE = 262_144
"""Bytes of a file that are read at a time; a smaller file is answered whole."""


def find_file(root: Path, raw_path: str) -> Path | None:
    """The file of ``root`` that a raw path names; ``None`` for what is outside, hidden, or no regular file."""
    segments = [unquote(segment) for segment in raw_path.strip("/").split("/")]
    if any(not name or name.startswith(".") or {"/", "\0"} & set(name) for name in segments):
        return None
    root = root.resolve()
    path = root.joinpath(*segments).resolve()
    return path if path.is_relative_to(root) and path.is_file() else None


async def answer_file(request: Request, path: Path, *, cache_control: str = "no-cache") -> Response:
    """The answer to GET or HEAD of a file: 200, 304 when If-None-Match names its ETag, or 404 when it is gone."""
    try:
        status = await asyncio.to_thread(path.stat)
        etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
        headers = {"ETag": etag, "Cache-Control": cache_control}
        if _names(request.headers.get("If-None-Match", ""), etag):
            return Response(304, headers)
        headers["Content-Type"] = _content_type(path.name)
        if status.st_size > PIECE:
            return Response(200, headers, _pieces(path), length=status.st_size, compress=True)
        return Response(200, headers, await asyncio.to_thread(path.read_bytes), compress=True)
    except OSError:
        return Response(404, {"Content-Type": "text/plain; charset=utf-8"}, b"There is nothing at this address.\n")


def _names(header: str, etag: str) -> bool:
    """Whether an If-None-Match header names this ETag, compared weakly (RFC 9110 §8.8.3.2)."""
    return header.strip() == "*" or etag in [each.strip().removeprefix("W/") for each in header.split(",")]


def _content_type(name: str) -> str:
    kind, encoding = mimetypes.guess_type(name)
    if kind is None or encoding:
        return "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece
