"""UUIDv7."""

from __future__ import annotations

import uuid

from storage import ids


def test_ids_grow_and_are_version_7() -> None:
    made = [ids.new_id() for _ in range(5000)]
    assert made == sorted(set(made))
    for one in made[:50]:
        parsed = uuid.UUID(bytes=one)
        assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)


def test_ids_carry_the_time_even_when_the_clock_goes_back() -> None:
    future = 9_000_000_000_000
    first = ids.new_id(future * 1_000_000)
    second = ids.new_id(1_000_000_000)
    assert int.from_bytes(first[:6], "big") == future
    assert second > first
    assert len(ids.new_epoch()) == 12 and ids.new_epoch() != ids.new_epoch()
    ids._last = 0
