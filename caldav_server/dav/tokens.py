"""Sync tokens and collection tags (RFC 6578 §3.2 and §4; the getctag of Apple's calendar server).

A token names the database's epoch, the collection and the ``seq`` it was made at; ``floor`` is the ``seq`` at which a
first, truncated synchronisation began: names removed before it were never shown to the client. Nothing of it depends
on a clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocol.errors import Condition, Refusal
from protocol.model import Seq

_SCHEME = "urn:caldav-server:sync:"
_NOWHERE = Seq(0)


@dataclass(frozen=True, slots=True)
class SyncToken:
    """A point in the history of one collection."""

    seq: Seq
    floor: Seq = _NOWHERE


def render_token(epoch: str, collection_id: bytes, seq: Seq, floor: Seq = _NOWHERE) -> str:
    """The token as the URI clients keep."""
    tail = f":{floor}" if floor else ""
    return f"{_SCHEME}{epoch}:{collection_id.hex()}:{seq}{tail}"


def parse_token(text: str, *, epoch: str, collection_id: bytes, seq: Seq, min_valid_seq: Seq) -> SyncToken:
    """Read a client's token against the collection as it is now; empty is the beginning (RFC 6578 §3.2).

    Refuses ``valid-sync-token`` for a token of another database, of another collection, from the future, or older than
    the tombstones that are kept.
    """
    if not text.strip():
        return SyncToken(Seq(0), floor=seq)
    parts = text.strip().removeprefix(_SCHEME).split(":")
    if not text.strip().startswith(_SCHEME) or len(parts) not in (3, 4) or parts[:2] != [epoch, collection_id.hex()]:
        raise _stale("This sync token is not one of this collection.")
    if not all(part.isascii() and part.isdigit() and len(part) < 20 for part in parts[2:]):
        raise _stale("This sync token is damaged.")
    token = SyncToken(Seq(int(parts[2])), Seq(int(parts[3])) if len(parts) == 4 else Seq(0))
    if token.seq > seq or token.floor > seq:
        raise _stale("This sync token is from a later state than the collection has.")
    if max(token.seq, token.floor) < min_valid_seq:
        raise _stale("This sync token is too old: start again with an empty one.")
    return token


def _stale(message: str) -> Refusal:
    return Refusal(Condition.VALID_SYNC_TOKEN, message)
