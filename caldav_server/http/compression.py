"""Compressing an answer with gzip when the client takes it and the face allows it (RFC 9110 §8.4).

Rules of this module: a face says ``compress`` for each answer; what is small or compressed already is left alone.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import AsyncIterator

from caldav_server.http.messages import Headers, Response

LEAST_BYTES = 1024
"""A smaller body is sent as it is: it travels in one packet either way."""
QUICK_BYTES = 32_768
"""A larger body is compressed in a thread: other requests want their turn too."""
LEVEL = 1
"""Higher levels cost two to four times as much CPU for a tenth fewer bytes."""
_GZIP = 31
"""The window of zlib that writes gzip's frame."""
_COMPRESSIBLE = re.compile(
    r"text/(?!event-stream)|application/(json|xml|javascript|manifest\+json)\b|\S+\+(xml|json)\b"
)
_ACCEPTED = re.compile(r"(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))|,|$)", re.I)


def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header names gzip, not with a weight of 0 (RFC 9110 §12.5.3)."""
    return _ACCEPTED.search(header) is not None


def is_compressible(content_type: str) -> bool:
    """Whether bodies of this type become smaller; images, archives and the like are compressed already."""
    return _COMPRESSIBLE.match(content_type) is not None


async def compress(headers: Headers, response: Response) -> None:
    """Makes a response compressed where that is worth it; its ETag becomes weak, as its bytes are others (§8.8.1)."""
    body, fields = response.body, response.headers
    if "Content-Encoding" in fields or not is_compressible(fields.get("Content-Type", "")):
        return
    fields["Vary"] = f"{fields['Vary']}, Accept-Encoding" if "Vary" in fields else "Accept-Encoding"
    if not accepts_gzip(headers.get("Accept-Encoding", "")):
        return
    if not isinstance(body, bytes):
        response.body, response.length = _compressed(body), None
    elif len(body) < LEAST_BYTES:
        return
    elif len(body) < QUICK_BYTES:
        response.body = zlib.compress(body, LEVEL, _GZIP)
    else:
        response.body = await asyncio.to_thread(zlib.compress, body, LEVEL, _GZIP)
    fields["Content-Encoding"] = "gzip"
    if fields.get("ETag", "").startswith('"'):
        fields["ETag"] = f"W/{fields['ETag']}"


async def _compressed(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The caller closes ``chunks``."""
    compressor = zlib.compressobj(LEVEL, wbits=_GZIP)
    async for chunk in chunks:
        yield await asyncio.to_thread(compressor.compress, chunk)
    yield compressor.flush()
