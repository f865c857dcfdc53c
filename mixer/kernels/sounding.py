"""Sound of all legs: what they say is decoded, measured and summed, and what each hears is limited, row by row.

A row of 20 ms stays in the processor's nearest cache while all is done to it that numpy would do in a dozen passes over
all rows. The twins are `SampledTable.pop`, `SpeechDetector.update`, `FormatTable.add_to` and `dsp.limiter.limit`.
"""

import math

import numpy as np

from mixer.dsp.levels import FULL_SCALE_POWER, SILENCE_DBOV, SILENCE_POWER
from mixer.dsp.limiter import CEILING, FOLLOWED, HELD_KEPT, KEPT, KNEE, RELEASED
from mixer.dsp.speech import (
    ABOVE_FLOOR_DB,
    ATTACK_TICKS,
    FLOOR_RISE_DB,
    HIGHEST_FLOOR_DBOV,
    HYSTERESIS_DB,
    LEAST_DBOV,
    LOWEST_FLOOR_DBOV,
    RELEASE_TICKS,
)
from mixer.kernels.bundles import Column
from mixer.kernels.registry import loop
from mixer.receive.action import Action

_CEILING = np.float32(CEILING)
_KNEE = np.float32(KNEE)
_ONE = np.float32(1)
_POWER = 1.0 / FULL_SCALE_POWER
_SILENCE = np.float32(SILENCE_DBOV)
_LANES = 8
_IDLE, _PLAY = int(Action.IDLE), int(Action.PLAY)


@loop(
    "b1(i8, i1[::1], i8[::1], i8[::1], i8[:,::1], i4[:,::1], u1[:,:,::1], f4[::1], i8, b1, u1[:,::1], f4[:,::1],"
    " b1[::1], b1[::1])"
)
def decode_whole(
    n: int,
    action: Column,
    play: Column,
    phase: Column,
    key: Column,
    filled: Column,
    ring: Column,
    table: Column,
    silence: int,
    silence_sounds: bool,
    received: Column,
    frames: Column,
    whole: Column,
    says: Column,
) -> bool:
    """What legs play in this tick, copied, and looked up sample by sample; returns whether it was all there.

    Rows of legs that have never sent anything are silent, and nothing is missing of them. Others that are not `whole`
    hold anything afterwards and say nothing. A slot's byte is a unit of time.
    """
    mask = key.shape[1] - 1
    size = ring.shape[2]
    every = True
    for row in range(n):
        at = phase[row]
        first, second = play[row] & mask, (play[row] + 1) & mask
        there = action[row] >= _PLAY and key[row, first] == play[row] and filled[row, first] == size
        if at > 0:
            there = there and key[row, second] == play[row] + 1 and filled[row, second] == size
        whole[row] = there
        if action[row] == _IDLE:
            frames[row, :] = np.float32(0)
            says[row] = False
            continue
        every = every and there
        for k in range(size - at):
            received[row, k] = ring[row, first, at + k]
        for k in range(at):
            received[row, size - at + k] = ring[row, second, k]
        sounds = False
        if there:
            for k in range(size):
                sounds |= received[row, k] != silence
            if sounds or not silence_sounds:
                for k in range(size):
                    frames[row, k] = table[received[row, k]]
            else:
                frames[row, :] = np.float32(0)
        says[row] = sounds
    return every


@loop("i8(i8, f4[:,::1], b1[::1], f4[::1], f4[::1], f4[::1], i4[::1], i4[::1], b1[::1], i8[::1])")
def measure(
    n: int,
    frames: Column,
    says: Column,
    gain: Column,
    level: Column,
    floor: Column,
    above: Column,
    below: Column,
    speaking: Column,
    changed: Column,
) -> int:
    """Levels, and who speaks; returns how many began or ceased to: the first rows of `changed`."""
    changes = 0
    samples = frames.shape[1]
    sums = np.zeros(_LANES, np.float32)
    for row in range(n):
        decibels = _SILENCE
        if says[row]:
            sums[:] = np.float32(0)
            for block in range(samples // _LANES):
                for lane in range(_LANES):
                    sample = frames[row, block * _LANES + lane]
                    sums[lane] += sample * sample
            power = 0.0
            for lane in range(_LANES):
                power += np.float64(sums[lane])
            decibels = np.float32(10 * math.log10(min(max(power * _POWER / samples, SILENCE_POWER), 1.0)))
        level[row] = decibels
        lowest = min(floor[row] + np.float32(FLOOR_RISE_DB), decibels)
        lowest = min(max(lowest, np.float32(LOWEST_FLOOR_DBOV)), np.float32(HIGHEST_FLOOR_DBOV))
        floor[row] = lowest
        mark = max(lowest + np.float32(ABOVE_FLOOR_DB), np.float32(LEAST_DBOV))
        audible = gain[row] > 0
        above[row] = above[row] + 1 if audible and decibels > mark else 0
        below[row] = below[row] + 1 if not audible or decibels < mark - np.float32(HYSTERESIS_DB) else 0
        now = audible and below[row] < RELEASE_TICKS if speaking[row] else above[row] >= ATTACK_TICKS
        if now != speaking[row]:
            changed[changes] = row
            changes += 1
        speaking[row] = now
    return changes


@loop("i8(i8, f4[::1], f4[::1], b1[::1], b1[::1])")
def judge_gains(n: int, gain: Column, before: Column, contributes: Column, untouched: Column) -> int:
    """Who says something that is heard, and whose gain is 1; returns k, how many do, or -1 - k if a gain is not 1."""
    contributing = 0
    unity = True
    for row in range(n):
        contributes[row] = contributes[row] and (gain[row] != 0 or before[row] != 0)
        contributing += contributes[row]
        untouched[row] = gain[row] == 1 and before[row] == 1
        unity = unity and untouched[row]
    return contributing if unity else -1 - contributing


@loop("void(i8, f4[:,::1], b1[::1], f4[::1])")
def add_up(n: int, said: Column, contributes: Column, total: Column) -> None:
    """Add what legs said to `total`: summed first, in the order of their rows, so that it is rounded as numpy does."""
    samples = len(total)
    together = np.zeros(samples, np.float32)
    for row in range(n):
        if contributes[row]:
            for k in range(samples):
                together[k] += said[row, k]
    for k in range(samples):
        total[k] += together[k]


@loop("void(f4[::1], f4[:,::1], i8[::1], b1[::1], f4[:,::1], i8, f4[:,::1], i2[:,::1])")
def mix_minus(
    total: Column,
    said: Column,
    rows: Column,
    contributes: Column,
    gains: Column,
    attack: int,
    mix: Column,
    pcm: Column,
) -> None:
    """What legs hear: `total` without what they said, limited and rounded. `mix` is scratch; `attack` in samples."""
    samples = len(total)
    for i in range(len(rows)):
        row = rows[i]
        peak = np.float32(0)
        if contributes[row]:
            for k in range(samples):
                mix[i, k] = total[k] - said[row, k]
        else:
            for k in range(samples):
                mix[i, k] = total[k]
        for k in range(samples):
            peak = max(peak, abs(mix[i, k]))
        before, held = gains[i, 0], gains[i, 1]
        if peak > _CEILING or before != _ONE:
            allowed = _KNEE / peak if peak > _CEILING else _ONE
            held = _ONE - (_ONE - held) * HELD_KEPT
            after = min(held - (held - before) * KEPT, allowed)
            held += (after - held) * FOLLOWED
            if after > RELEASED:
                after = held = _ONE
            gains[i, 0], gains[i, 1] = after, held
            if after < before:
                first = samples
                for k in range(samples):
                    if abs(mix[i, k]) * before > _CEILING:
                        first = k
                        break
                knee = min(max(abs(mix[i, 0]) * before, _KNEE), _CEILING - _ONE)
                room = _CEILING - knee
                by = np.float32(max(first, attack))
                for k in range(samples):
                    sound = mix[i, k] * (before + (after - before) * min(np.float32(k + 1) / by, _ONE))
                    loud = abs(sound)
                    if first < attack and k < attack and loud > knee:
                        loud = min(knee + room * np.float32(math.tanh((loud - knee) / room)), _CEILING)
                        sound = loud if sound > 0 else -loud
                    mix[i, k] = sound
            else:
                for k in range(samples):
                    mix[i, k] *= before + (after - before) * (np.float32(k + 1) / np.float32(samples))
        for k in range(samples):
            pcm[i, k] = np.int16(np.rint(mix[i, k]))
