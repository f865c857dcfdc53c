"""Who of a table is denoised: those that sound, up to a number, without a click where it begins."""

import numpy as np
import pytest

from mixer.dsp.denoise import MODULE
from mixer.formats import denoising
from mixer.formats.denoising import MOST_NEW, Denoising

pytest.importorskip(MODULE)

RATE = 8000
SAMPLES = RATE // 50


class Table:
    """Rows of hiss, as many ticks as are asked for."""

    def __init__(self, rows: int) -> None:
        self.denoising = Denoising(RATE, "high")
        self.random = np.random.default_rng(1)
        self.rows = rows

    def run(self, says: list[int], ticks: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """The last tick as it came in, and as it went out."""
        flags = np.zeros(self.rows, bool)
        flags[says] = True
        for _ in range(ticks):
            frames = self.random.normal(0, 300, (self.rows, SAMPLES)).astype(np.float32)
            before = frames.copy()
            self.denoising.apply(flags, frames)
        return before, frames


def treated(before: np.ndarray, after: np.ndarray) -> list[int]:
    return np.flatnonzero((before != after).any(axis=1)).tolist()


def test_only_those_who_say_something_are_denoised():
    table = Table(4)
    before, after = table.run([1, 3], ticks=100)
    assert treated(before, after) == [1, 3]
    assert after[[1, 3]].std() < before[[1, 3]].std() / 4


def test_a_voice_begins_as_it_came_in_and_is_denoised_a_frame_later():
    table = Table(1)
    before, after = table.run([0])
    assert np.allclose(after[0, 0], before[0, 0])
    assert np.abs(after[0, :8] - before[0, :8]).max() < 100
    assert np.abs(after[0, -8:] - before[0, -8:]).max() > 100


def test_after_a_pause_it_begins_so_again_but_knows_the_noise():
    table = Table(1)
    table.run([0], ticks=100)
    table.run([], ticks=20)
    before, after = table.run([0])
    assert np.allclose(after[0, 0], before[0, 0])
    before, after = table.run([0], ticks=2)
    assert after.std() < before.std() / 3


def test_denoisers_are_made_a_few_in_a_tick():
    table = Table(3 * MOST_NEW)
    everybody = list(range(table.rows))
    for tick in range(1, 4):
        before, after = table.run(everybody)
        assert treated(before, after) == everybody[: tick * MOST_NEW]


def test_most_voices_at_a_time_and_who_has_a_place_keeps_it(monkeypatch):
    monkeypatch.setattr(denoising, "MOST", 2)
    table = Table(5)
    table.run([3, 4], ticks=5)
    before, after = table.run([0, 1, 2, 3, 4])
    assert treated(before, after) == [3, 4]
    before, after = table.run([1, 2, 4], ticks=2)
    assert treated(before, after) == [1, 4]
    assert len(table.denoising._voices) == 2


def test_a_row_that_is_used_again_starts_anew():
    table, other = Table(2), Table(2)
    table.run([0, 1], ticks=100)
    table.denoising.forget(0)
    table.random = np.random.default_rng(7)
    other.random = np.random.default_rng(7)
    for _ in range(3):
        ours, theirs = table.run([0, 1])[1], other.run([0, 1])[1]
        assert np.array_equal(ours[0], theirs[0])
        assert not np.array_equal(ours[1], theirs[1])
