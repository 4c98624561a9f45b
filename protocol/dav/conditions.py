"""Conditional requests: what must hold before a method may act.

RFC 9110 §13 (If-Match, If-None-Match, If-Unmodified-Since), RFC 4918 §10.4 (If), RFC 6578 §5 (sync-tokens in If) and
RFC 6638 §8.3 (If-Schedule-Tag-Match). There are no locks: a lock token is a state token that no resource has. Rules of
this module: it looks nothing up, because the caller gives it the state. Every failed condition is one
``PRECONDITION_FAILED``. An unreadable header is ``BAD_REQUEST``, because clients take a 412 as permission to discard
the user's edit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime

from protocol.dav.headers import Fields, combined
from protocol.errors import Condition, Refusal

_ENTITY_TAG = re.compile(r'(?P<weak>W/)?"(?P<tag>[^"\x00-\x20\x7f]*)"')
_LISTED_TAG = re.compile(_ENTITY_TAG.pattern + r"(?:[ \t]*,[ \t,]*|$)")


@dataclass(frozen=True, slots=True)
class EntityTags:
    """The value of If-Match or If-None-Match: any tag at all, or a list of ``(weak, tag without quotes)``."""

    any: bool = False
    tags: tuple[tuple[bool, str], ...] = ()

    def matches_strongly(self, etag: str | None, *, exists: bool) -> bool:
        """The test of If-Match: a weak tag never matches (RFC 9110 §8.8.3.2)."""
        return exists if self.any else etag is not None and (False, etag) in self.tags

    def matches_weakly(self, etag: str | None, *, exists: bool) -> bool:
        """The test of If-None-Match."""
        return exists if self.any else etag is not None and any(tag == etag for _, tag in self.tags)


def parse_entity_tags(value: str, header: str) -> EntityTags:
    """``*`` or a comma-separated list of entity tags; refuses anything else with ``BAD_REQUEST``."""
    if value.strip() == "*":
        return EntityTags(any=True)
    tags = []
    rest = value.strip(" \t,")
    position = 0
    while position < len(rest):
        found = _LISTED_TAG.match(rest, position)
        if found is None:
            raise Refusal(Condition.BAD_REQUEST, f'{header} must be * or a list of quoted tags such as "abc".')
        tags.append((found["weak"] is not None, found["tag"]))
        position = found.end()
    return EntityTags(tags=tuple(tags))


@dataclass(frozen=True, slots=True)
class ResourceState:
    """The state that the If header tests: the entity tag and the state tokens (sync-tokens) of one resource."""

    etag: str | None = None
    tokens: frozenset[str] = frozenset()


NO_STATE = ResourceState()
"""The state of a URL that names nothing (RFC 4918 §10.4.4, unmapped URLs)."""


@dataclass(frozen=True, slots=True)
class StateCondition:
    """One condition of a list: a state token, or an entity tag (``is_etag``, without quotes)."""

    value: str
    is_etag: bool = False
    is_weak: bool = False
    negated: bool = False

    def holds(self, state: ResourceState) -> bool:
        """Whether the resource is in this state; entity tags compare strongly."""
        if self.is_etag:
            found = state.etag is not None and not self.is_weak and state.etag == self.value
        else:
            found = self.value in state.tokens
        return found is not self.negated


@dataclass(frozen=True, slots=True)
class StateList:
    """Conditions that must all hold for ``resource``: an href as sent, or ``None`` for the request's own resource."""

    resource: str | None
    conditions: tuple[StateCondition, ...]


_IF_ITEM = re.compile(
    r"""\s*(?:
        <(?P<resource>[^>\s]+)>(?=\s*\()              # Resource-Tag
      | \((?P<list>(?:[^()<>"\[\]]|<[^>]*>|\[[^\]]*\])*)\)   # List
    )\s*""",
    re.VERBOSE,
)
_IF_CONDITION = re.compile(
    r"""\s*(?P<not>[Nn][Oo][Tt]\s*)?(?:<(?P<token>[^>\s]+)>|\[(?P<weak>W/)?"(?P<tag>[^"]*)"\])\s*""", re.VERBOSE
)


@dataclass(frozen=True, slots=True)
class StateLists:
    """The If header: it holds when any of its lists does (RFC 4918 §10.4.3)."""

    lists: tuple[StateList, ...]

    @property
    def resources(self) -> tuple[str | None, ...]:
        """The resources whose state ``holds`` needs, each once."""
        return tuple(dict.fromkeys(item.resource for item in self.lists))

    def holds(self, states: Mapping[str | None, ResourceState]) -> bool:
        """Whether one of the lists holds; a resource missing from ``states`` has no state."""
        return any(
            all(condition.holds(states.get(item.resource, NO_STATE)) for condition in item.conditions)
            for item in self.lists
        )


def parse_if(value: str | None) -> StateLists | None:
    """The If header (RFC 4918 §10.4.2), ``None`` without one; refuses ``BAD_REQUEST`` for any other grammar."""
    if value is None:
        return None
    lists: list[StateList] = []
    resource: str | None = None
    position = 0
    while position < len(value):
        found = _IF_ITEM.match(value, position)
        if found is None or (found["resource"] and lists and lists[0].resource is None):
            raise Refusal(Condition.BAD_REQUEST, "The If header is malformed.")
        position = found.end()
        if found["resource"]:
            resource = found["resource"]
        else:
            lists.append(StateList(resource, _parse_state_list(found["list"])))
    if not lists:
        raise Refusal(Condition.BAD_REQUEST, "The If header has no list.")
    return StateLists(tuple(lists))


def _parse_state_list(text: str) -> tuple[StateCondition, ...]:
    conditions = []
    position = 0
    while position < len(text):
        found = _IF_CONDITION.match(text, position)
        if found is None:
            raise Refusal(Condition.BAD_REQUEST, "A list of the If header is malformed.")
        position = found.end()
        is_etag = found["token"] is None
        conditions.append(
            StateCondition(
                found["tag"] if is_etag else found["token"],
                is_etag=is_etag,
                is_weak=found["weak"] is not None,
                negated=found["not"] is not None,
            )
        )
    if not conditions:
        raise Refusal(Condition.BAD_REQUEST, "A list of the If header is empty.")
    return tuple(conditions)


@dataclass(frozen=True, slots=True)
class IfHeaders:
    """All preconditions that a client sent with one request."""

    match: EntityTags | None = None
    none_match: EntityTags | None = None
    schedule_tag: str | None = None
    unmodified_since: int | None = None
    state_lists: StateLists | None = field(default=None)

    @property
    def conditional(self) -> bool:
        """Whether the client sent a precondition: then a lost race is its 412, else the server tries again."""
        return self != _UNCONDITIONAL

    @property
    def resources(self) -> tuple[str | None, ...]:
        """The resources whose state ``check`` needs for the If header: hrefs as sent, ``None`` for the request's."""
        return () if self.state_lists is None else self.state_lists.resources

    def check(
        self,
        etag: str | None,
        schedule_tag: str | None = None,
        *,
        exists: bool | None = None,
        modified_at: int | None = None,
        states: Mapping[str | None, ResourceState] | None = None,
    ) -> None:
        """Refuse ``PRECONDITION_FAILED`` unless every precondition of a state-changing request holds.

        ``etag`` (without quotes) and ``schedule_tag`` are the resource's current ones, ``None`` when it has none.
        ``exists`` tells whether the URL names a resource, for resources without entity tag. ``modified_at`` is epoch
        seconds. ``states`` has the resources of the If header (see ``resources``); the request's own resource needs an
        entry only when it has sync-tokens. The order is that of RFC 9110 §13.2.2.
        """
        self.check_match(etag, exists=exists, modified_at=modified_at)
        there = etag is not None if exists is None else exists
        if self.none_match is not None and self.none_match.matches_weakly(etag, exists=there):
            raise Refusal(Condition.PRECONDITION_FAILED, "If-None-Match: the resource exists or has this entity tag.")
        if self.schedule_tag is not None and self.schedule_tag != schedule_tag:
            raise Refusal(Condition.PRECONDITION_FAILED, "If-Schedule-Tag-Match: the scheduling state has changed.")
        known: dict[str | None, ResourceState] = {None: ResourceState(etag)}
        known.update(states or {})
        if self.state_lists is not None and not self.state_lists.holds(known):
            raise Refusal(Condition.PRECONDITION_FAILED, "If: no list of conditions holds.")

    def check_match(self, etag: str | None, *, exists: bool | None = None, modified_at: int | None = None) -> None:
        """The part of ``check`` that GET and HEAD share: If-Match, or without it If-Unmodified-Since."""
        there = etag is not None if exists is None else exists
        if self.match is not None:
            if not self.match.matches_strongly(etag, exists=there):
                raise Refusal(Condition.PRECONDITION_FAILED, "If-Match: the resource does not have this entity tag.")
        elif self.unmodified_since is not None and modified_at is not None and modified_at > self.unmodified_since:
            raise Refusal(Condition.PRECONDITION_FAILED, "If-Unmodified-Since: the resource has been modified.")

    def not_modified(self, etag: str | None, *, exists: bool | None = None) -> bool:
        """Whether If-None-Match makes the answer to GET or HEAD a 304."""
        there = etag is not None if exists is None else exists
        return self.none_match is not None and self.none_match.matches_weakly(etag, exists=there)


_UNCONDITIONAL = IfHeaders()


def parse_if_headers(fields: Fields) -> IfHeaders:
    """The conditional headers of a request; an empty If-Schedule-Tag-Match counts as absent."""
    match, none_match = combined(fields, "If-Match"), combined(fields, "If-None-Match")
    schedule_tag = (combined(fields, "If-Schedule-Tag-Match") or "").strip()
    since = combined(fields, "If-Unmodified-Since")
    state = combined(fields, "If")
    if match is None and none_match is None and since is None and state is None and not schedule_tag:
        return _UNCONDITIONAL
    return IfHeaders(
        match=None if match is None else parse_entity_tags(match, "If-Match"),
        none_match=None if none_match is None else parse_entity_tags(none_match, "If-None-Match"),
        schedule_tag=_parse_schedule_tag(schedule_tag) if schedule_tag else None,
        unmodified_since=None if since is None else _parse_date(since),
        state_lists=parse_if(state),
    )


def _parse_schedule_tag(value: str) -> str:
    found = _ENTITY_TAG.fullmatch(value)
    if found is None:
        raise Refusal(Condition.BAD_REQUEST, "If-Schedule-Tag-Match must be one quoted tag.")
    return found["tag"]


def _parse_date(value: str) -> int | None:
    """Epoch seconds; an unreadable date is ignored (RFC 9110 §13.1.4)."""
    try:
        moment = parsedate_to_datetime(value)
        return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())
    except (ValueError, OverflowError):
        return None
