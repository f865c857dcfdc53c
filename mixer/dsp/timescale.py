"""Makes sound a little shorter or longer without changing its pitch: one period dropped or added, overlapped and added.

Decides where a splice is good enough to be unheard: where the sound is soft, or so like itself one period on that the
cross-fade between the two is no more than another period. When, of which leg and how much in all is `mixer.receive`'s
affair; so are the samples that are then left over or wanted besides.
"""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from mixer.dsp.pitch import LONGEST_PERIOD_MS, NEEDED_MS, SHORTEST_PERIOD_MS, find_period

SOFT: Final = 256.0
"""42 dB below full scale: no speech peaks below that, but the noise between words does."""
MORE_MS: Final = int(LONGEST_PERIOD_MS)
"""How much sound beyond its frame `shorten` makes use of."""
_FRAME_MS: Final = 20
_LITTLE_MS: Final = 5
_USUAL_MS: Final = 10
_PITCHED: Final = 0.5
"""Below this likeness there is no period."""

Sound = npt.NDArray[np.float32]


def shorten(sound: Sound, most: int, least_alike: float, sample_rate: int, even: bool = False) -> int:
    """Drop up to `most` samples; returns how many, 0 if no splice is good enough, which changes nothing.

    `sound`: (20 to 35 ms,) float32, contiguous: a frame of 20 ms and what is there of the 15 ms after it, of which no
    more can be dropped. Its first 20 ms become the shortened frame; as much as was dropped of what followed is used up.
    `least_alike`: how alike both sides of the
    splice must be, 1 at most; `even`: only an even number of samples.
    """
    frame = sample_rate * _FRAME_MS // 1000
    drop = most = min(most, len(sound) - frame)
    if not is_soft(sound):
        # Looked at backwards: the frame is compared with what comes a period after it.
        drop = _period(sound[: frame + most][::-1], most, least_alike, sample_rate)
    drop -= even and drop % 2
    if drop <= 0:
        return 0
    fade = _fade_in(min(drop, frame))
    over = len(fade)
    spliced = sound[drop : drop + frame].copy()
    spliced[:over] = sound[:over] + (spliced[:over] - sound[:over]) * fade
    sound[:frame] = spliced
    return drop


def lengthen(past: Sound, frame: Sound, wanted: int, least_alike: float, sample_rate: int, even: bool = False) -> int:
    """Add `wanted` samples, or where that would be heard at most one period; returns how many.

    0 if no splice is good enough, which changes nothing. Where less than 5 ms are wanted, it may be more: who needs a
    little time can take a period of 10 ms, and there may be no shorter one.
    `past`: (at least 20 ms,) what was played before; `frame`: (20 ms,) float32, changed in place: it is pushed back
    by what is added, and so many of its last samples are still to be played. Others as for `shorten`.
    """
    sound = np.concatenate([past, frame])[-round(sample_rate * NEEDED_MS / 1000) :]
    if is_soft(sound):
        add = min(wanted, len(frame), len(past))
    else:
        little = wanted * 1000 < _LITTLE_MS * sample_rate
        add = _period(sound, sample_rate * _USUAL_MS // 1000 if little else wanted, least_alike, sample_rate)
    add -= even and add % 2
    if add <= 0:
        return 0
    again = past[len(past) - add :]
    begun = frame[:add].copy()
    frame[add:] = frame[: len(frame) - add].copy()
    frame[:add] = begun + (again - begun) * _fade_in(add)
    return add


def is_soft(sound: Sound) -> bool:
    """Whether nothing that is done to the length of this can be heard."""
    return bool(max(sound.max(), -sound.min()) < SOFT)


def _period(sound: Sound, most: int, least_alike: float, sample_rate: int) -> int:
    if most < round(SHORTEST_PERIOD_MS * sample_rate / 1000):
        return 0
    period, likeness = find_period(sound[np.newaxis], sample_rate, most)
    if likeness[0] < least_alike:
        return 0
    if likeness[0] < _PITCHED:  # none is better than another, so that it is at least not done often
        return min(most, round(LONGEST_PERIOD_MS * sample_rate / 1000))
    return int(period[0])


@cache
def _fade_in(samples: int) -> Sound:
    """From above 0 to below 1, (samples,) float32; what is alike keeps its level at any weight."""
    return ((np.arange(samples) + 1) / (samples + 1)).astype(np.float32)
