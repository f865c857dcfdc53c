"""Which clips are kept, and that the memory of those that are not is given back."""

from collections.abc import Iterator

import pytest

from server.prompts.clip import Clip
from server.prompts.errors import PromptError
from server.prompts.shelf import Shelf
from tests.server.prompts.files import made_clip, memory_files

SECOND_BYTES = 2 * (8000 + 16_000 + 24_000 + 48_000)


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    before = memory_files()
    yield
    assert memory_files() == before


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    shelf = Shelf(max_bytes=3 * SECOND_BYTES, max_clips=4)
    yield shelf
    shelf.close()


def taken(shelf: Shelf, clip_id: str) -> Clip:
    clip = shelf.take(clip_id)
    assert clip is not None
    return clip


def test_clips_are_found_by_id(shelf: Shelf) -> None:
    clip = made_clip("a")
    shelf.put(clip)
    assert shelf.take("a") is clip
    assert shelf.take("b") is None
    assert "a" in shelf
    assert shelf.size_bytes == SECOND_BYTES


def test_the_clip_not_taken_for_longest_goes_first(shelf: Shelf) -> None:
    before = memory_files()
    for name in "abc":
        shelf.put(made_clip(name))
    taken(shelf, "a")
    shelf.release("a")
    shelf.put(made_clip("d"))
    assert [name in shelf for name in "abcd"] == [True, False, True, True]
    assert memory_files() == before + 3 * 4


def test_a_clip_in_use_stays_until_its_last_user_is_gone(shelf: Shelf) -> None:
    for name in "abc":
        shelf.put(made_clip(name))
        taken(shelf, name)
    taken(shelf, "b")
    shelf.release("b")
    with pytest.raises(PromptError) as refused:
        shelf.put(made_clip("d"))
    assert (refused.value.code, refused.value.fault) == ("prompt_store_full", "us")
    assert len(shelf) == 3
    shelf.release("b")
    shelf.put(made_clip("d"))
    assert "b" not in shelf
    assert "d" in shelf


def test_nothing_is_dropped_in_vain(shelf: Shelf) -> None:
    for name in "abc":
        shelf.put(made_clip(name))
    taken(shelf, "c")
    with pytest.raises(PromptError):
        shelf.put(made_clip("d", seconds=2.5))
    assert len(shelf) == 3


def test_a_clip_larger_than_the_shelf_is_refused(shelf: Shelf) -> None:
    with pytest.raises(PromptError):
        shelf.put(made_clip("a", seconds=3.1))
    shelf.put(made_clip("b", seconds=3))


def test_the_number_of_clips_is_bounded_too(shelf: Shelf) -> None:
    for name in "abcdef":
        shelf.put(made_clip(name, seconds=0.1))
    assert len(shelf) == 4
    assert "b" not in shelf


def test_pinned_clips_stay_and_take_no_place(shelf: Shelf) -> None:
    shelf.put(made_clip("music", seconds=10), pinned=True)
    for name in "abcd":
        shelf.put(made_clip(name))
    assert "music" in shelf
    assert len(shelf) == 1 + 3


def test_the_same_clip_is_kept_once(shelf: Shelf) -> None:
    first = made_clip("a")
    shelf.put(first)
    shelf.put(made_clip("a"))
    assert shelf.take("a") is first


def test_what_was_not_taken_cannot_be_released(shelf: Shelf) -> None:
    shelf.put(made_clip("a"))
    for name in "ab":
        with pytest.raises(ValueError, match="not in use"):
            shelf.release(name)


def test_a_closed_shelf_takes_nothing_and_minds_no_late_release(shelf: Shelf) -> None:
    shelf.put(made_clip("a"))
    taken(shelf, "a")
    shelf.close()
    shelf.release("a")
    shelf.put(made_clip("b"))
    assert shelf.take("b") is None
    shelf.close()
