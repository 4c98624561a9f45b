"""Remembered renderings: asked for again they are not made again, and all of them together stay within bounds."""

from __future__ import annotations

from caldav_server.calendaring.lens import Detail, Lens
from caldav_server.dav.caches.rendering_cache import RenderingCache, is_short
from protocol.ical.rendering import CalendarDataRequest
from protocol.model import ETag

LENS = Lens(Detail.WHOLE)


def test_what_is_asked_for_stays_and_what_is_not_goes() -> None:
    remembered = RenderingCache(most_octets=10_000)
    made: list[str] = []

    def get(name: str, size: int = 100) -> str:
        def make() -> str:
            made.append(name)
            return name[0] * size

        return remembered.get(LENS, ETag(name), "week", make)

    for turn in range(3):
        for number in range(9):
            assert get(str(number)) == str(number) * 100
        assert len(made) == 9, f"made again in turn {turn}"
    for number in range(100, 130):
        assert get("0") == "0" * 100
        get(str(number))
    assert made.count("0") == 1
    assert made.count("8") == 1
    get("8")
    assert made.count("8") == 2


def test_another_question_or_lens_is_another_text_and_a_huge_one_is_not_kept() -> None:
    remembered = RenderingCache()
    assert remembered.get(LENS, ETag("a"), "week", lambda: "1") == "1"
    assert remembered.get(LENS, ETag("a"), "month", lambda: "2") == "2"
    assert remembered.get(LENS, ETag("a"), "week", lambda: "3") == "1"
    assert remembered.get(Lens(Detail.TITLES), ETag("a"), "week", lambda: "4") == "4"
    assert len(remembered.get(LENS, ETag("b"), "week", lambda: "x" * 100_000)) == 100_000
    assert remembered.get(LENS, ETag("b"), "week", lambda: "y") == "y"


def test_only_a_short_question_is_worth_remembering_for() -> None:
    """A long one would be hashed and weighed for each object of a calendar."""
    assert is_short((CalendarDataRequest(), "Europe/Berlin"))
    assert not is_short(tuple(f"X-{number}" for number in range(1_000)))
