"""Fields of queries and forms: ``application/x-www-form-urlencoded`` and ``multipart/form-data`` (RFC 7578).

Rules of this module: pure functions of what was received. The caller has limited its size; the number of fields is
limited here.
"""

from __future__ import annotations

import email
from dataclasses import dataclass
from urllib.parse import parse_qsl

from multidict import MultiDict

from protocol.errors import Condition, Refusal

MOST_FIELDS = 1000


@dataclass(frozen=True, slots=True)
class Upload:
    """A file among the fields of a form; its name is what the client wrote and names no path."""

    filename: str
    content_type: str
    data: bytes


def parse_urlencoded(text: str) -> MultiDict[str]:
    """Names and values in their order, those without a value too; ``Refusal(BAD_REQUEST)`` beyond 1,000."""
    try:
        return MultiDict(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="replace"))
    except ValueError:
        raise _malformed() from None


def parse_form(content_type: str, body: bytes) -> MultiDict[str | Upload]:
    """The fields of a form; ``Refusal`` ``UNSUPPORTED_MEDIA_TYPE`` or ``BAD_REQUEST`` for what is none."""
    header = email.message_from_string(f"Content-Type: {content_type}\n\n")
    kind = header.get_content_type()
    if kind == "application/x-www-form-urlencoded":
        return MultiDict(parse_urlencoded(body.decode("utf-8", "replace")))
    boundary = header.get_boundary()
    if kind != "multipart/form-data" or not boundary:
        raise Refusal(Condition.UNSUPPORTED_MEDIA_TYPE, "Send a form, urlencoded or multipart.")
    parts = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    if len(parts) < 2 or not parts[-1].startswith(b"--") or len(parts) - 2 > MOST_FIELDS:
        raise _malformed()
    return MultiDict([_parse_part(part) for part in parts[1:-1]])


def _parse_part(part: bytes) -> tuple[str, str | Upload]:
    head, blank, data = part.partition(b"\r\n\r\n")
    headers = email.message_from_string(head.decode("utf-8", "replace").strip())
    name = headers.get_param("name", header="content-disposition")
    if not blank or not isinstance(name, str):
        raise _malformed()
    filename = headers.get_filename()
    if filename is None:
        return name, data.decode("utf-8", "replace")
    return name, Upload(filename, headers.get_content_type(), data)


def _malformed() -> Refusal:
    return Refusal(Condition.BAD_REQUEST, "The fields cannot be read, or are too many.")
