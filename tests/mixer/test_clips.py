"""Clips: what is taken, what is refused, and that no descriptor is left."""

import os
import tempfile

import numpy as np
import pytest

from mixer.clips import NOTHING, ClipError, Clips, Programs
from tests.support.clips import sealed
from tests.support.processes import open_fds

pytestmark = pytest.mark.usefixtures("earlier_garbage_gone")

PCM = np.arange(1000, dtype=np.int16)


def test_a_clip_is_read_tick_by_tick_and_silent_after_its_end() -> None:
    clips = Clips()
    clips.lend("c", 8000, len(PCM), sealed(PCM))
    number = clips.number("c")
    assert clips.has(number, 8000)
    assert not clips.has(number, 16000)
    assert clips.ticks(number) == 7
    frames = clips.frames(number, np.array([0, 6, 7, 99]), 8000)
    np.testing.assert_array_equal(frames[0], PCM[:160])
    np.testing.assert_array_equal(frames[1], np.concatenate([PCM[960:], np.zeros(120, np.int16)]))
    assert not frames[2:].any()


def test_only_sealed_files_of_the_right_size_are_taken_and_none_stays_open() -> None:
    clips, before = Clips(), len(open_fds())
    with tempfile.TemporaryFile() as file:
        file.write(PCM.tobytes())
        file.flush()
        with pytest.raises(ClipError):
            clips.lend("file", 8000, len(PCM), os.dup(file.fileno()))
    with pytest.raises(ClipError):
        clips.lend("longer", 8000, len(PCM) + 1, sealed(PCM))
    with pytest.raises(ClipError):
        clips.lend("empty", 8000, 0, sealed(PCM))
    unsealed = os.memfd_create("open", os.MFD_ALLOW_SEALING)
    os.write(unsealed, PCM.tobytes())
    with pytest.raises(ClipError):
        clips.lend("unsealed", 8000, len(PCM), unsealed)
    clips.lend("good", 8000, len(PCM), sealed(PCM))
    assert clips.number("unsealed") == NOTHING
    assert clips.forget("good") != NOTHING
    assert clips.forget("good") == NOTHING
    assert len(open_fds()) <= before


def test_loops_wrap_and_others_end_once() -> None:
    clips = Clips()
    clips.lend("c", 8000, 480, sealed(PCM[:480]))
    programs = Programs(4, clips, 8000, 160)
    programs.give(0, clips.number("c"), loop=True)
    programs.give(2, clips.number("c"), loop=False)
    ended = []
    for _ in range(7):
        ended += programs.advance(np.flatnonzero(programs.clip != NOTHING))
    assert ended == [(2, clips.number("c"))]
    assert (programs.clip[0], programs.index[0]) == (clips.number("c"), 1)
