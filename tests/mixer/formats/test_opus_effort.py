"""How complex Opus is encoded: by how many streams there are, all in the same moment."""

import ctypes

import numpy as np

from mixer.formats.opus_effort import CALM_TICKS, FEW, HIGH, LOW, MANY, Effort
from mixer.formats.opus_encoding import MIX, OWN, OpusEncoding
from mixer.formats.opus_profiles import plain


def test_much_work_goes_into_few_streams_and_little_into_many() -> None:
    effort = Effort(None)
    assert effort.complexity == HIGH
    assert not effort.note(MANY)
    assert effort.note(MANY + 1)
    assert effort.complexity == LOW
    assert not any(effort.note(FEW) for _ in range(CALM_TICKS - 1))
    assert not effort.note(FEW + 1)  # not calm yet
    assert [effort.note(FEW) for _ in range(CALM_TICKS)] == [False] * (CALM_TICKS - 1) + [True]
    assert effort.complexity == HIGH


def test_what_is_fixed_stays() -> None:
    effort = Effort(3)
    assert not any(effort.note(streams) for streams in (100, *[0] * 200))
    assert effort.complexity == 3


def test_all_streams_change_in_one_moment_so_that_those_alike_stay_alike() -> None:
    """A leg with a stream of its own that hears the mix is sent the mix' packets, also after the effort has changed."""
    legs, effort = MANY + 2, Effort(None)
    encoding = OpusEncoding(legs + 1, plain(64_000, effort.complexity), effort)
    for row in range(legs + 1):
        encoding.open(row, hears=True)
    random, live = np.random.default_rng(1), np.ones(legs + 1, bool)
    complexities = []
    for tick in range(40):
        mix = random.integers(-3000, 3000, (1, 960)).astype(np.int16)
        talkers = legs if 10 <= tick < 12 else 1
        wants = np.where(np.arange(legs + 1) < talkers, OWN, MIX).astype(np.int8)
        own_pcm = np.concatenate([mix, random.integers(-3000, 3000, (talkers - 1, 960)).astype(np.int16)])
        address, length = encoding.encode(wants, live, mix, np.arange(talkers), own_pcm)
        own, shared = (ctypes.string_at(int(address[row]), int(length[row])) for row in (0, legs))
        assert own == shared
        complexities.append(effort.complexity)
    assert set(complexities[:10]) == {HIGH}
    assert set(complexities[10:]) == {LOW}
