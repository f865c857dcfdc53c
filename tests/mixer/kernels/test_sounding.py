"""What legs say and hear: measured, summed, limited and rounded compiled as by numpy."""

import ctypes
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mixer.clips import Clips
from mixer.dsp.limiter import CEILING, KNEE, attack_samples
from mixer.dsp.speech import SpeechDetector
from mixer.formats.base import FormatTable
from mixer.formats.g711 import G711Table
from mixer.formats.g722 import G722Table
from mixer.formats.l16 import L16Table
from mixer.protocol import Playout as Bounds
from mixer.transports.base import Outgoing
from tests.mixer.kernels.twins import DECIBELS, Columns, Twins, assert_same, columns

LEGS = 7
SEED = st.integers(0, 1 << 32)
TABLES: dict[str, Callable[[], FormatTable]] = {
    "pcmu": lambda: G711Table(16, Clips(), mu_law=True),
    "pcma": lambda: G711Table(16, Clips(), mu_law=False),
    "g722": lambda: G722Table(16, Clips()),
    "l16": lambda: L16Table(16, Clips(), 48000),
}


def table_of(kind: str, random: np.random.Generator, legs: int = LEGS, hear: float = 0.8) -> FormatTable:
    """A table of legs that do and do not hear the mix, with a row that is free; its rows are not the mixer's."""
    table = TABLES[kind]()
    for row in range(legs):
        table.add(legs - row, 1.0, bool(random.random() < hear), Bounds())
    table.remove(2)
    return table


def speak(random: np.random.Generator, table: FormatTable, level: float) -> None:
    """Fill in what legs said in a tick: noise of up to `level`. Some, and free rows, say nothing."""
    n = table.n
    table.begin_tick()
    table.contributes[:n] = table.live[:n] & (random.random(n) < random.choice([0.0, 0.2, 0.7, 1.0]))
    table.frames[:n] = np.rint(random.uniform(-level, level, (n, table.samples)))
    table.frames[:n][~table.contributes[:n]] = 0


# ---- measured


@pytest.mark.parametrize("samples", [160, 320, 480, 960])
@given(seed=SEED)
@settings(max_examples=20, deadline=None, derandomize=True)  # a level may by chance lie just at a mark
def test_levels_are_measured_and_who_speaks_is_judged_the_same(twins: Twins, samples: int, seed: int) -> None:
    def measure() -> tuple[list[list[int]], list[Columns]]:
        random, speech = np.random.default_rng(seed), SpeechDetector(8)
        for row in range(8):
            speech.reset(row)
        changes, seen = [], []
        amplitude = np.zeros(8)
        for _ in range(60):
            pick = random.random(8) < 0.1
            near_marks = 32768 * 10 ** (random.uniform(-52, -30, 8) / 20) * np.sqrt(3)
            anything = random.choice([0, 0.4, 3, 9000, 32768, 3e6], 8)
            amplitude[pick] = np.where(random.random(8) < 0.7, near_marks, anything)[pick]
            frames = (random.uniform(-1, 1, (8, samples)) * amplitude[:, None]).astype(np.float32)
            says = (amplitude > 0) | (random.random(8) < 0.2)
            gain = random.choice([0, 1, 1, 1, 0.3], 8).astype(np.float32)
            changes.append(speech.measure(LEGS, frames, says, gain).tolist())
            seen.append(columns(speech, LEGS))
        return changes, seen

    compiled, by_numpy = twins.run(measure, "measure")
    assert compiled[0] == by_numpy[0]
    for ours, theirs in zip(compiled[1], by_numpy[1], strict=True):
        assert_same(ours, theirs, level_dbov=DECIBELS, _floor=DECIBELS)


# ---- summed


@pytest.mark.parametrize("kind", ["pcmu", "l16"])
@pytest.mark.parametrize("auto_gain", [False, True])
@given(seed=SEED, level=st.sampled_from([5.0, 8000.0, 32124.0]))
@settings(max_examples=20, deadline=None)
def test_voices_are_added_up_the_same_at_whatever_gain(
    twins: Twins, kind: str, auto_gain: bool, seed: int, level: float
) -> None:
    def add_up() -> list[Columns]:
        random = np.random.default_rng(seed)
        table, seen = table_of(kind, random), []
        table.enhance(auto_gain, "off")
        for _ in range(6):
            speak(random, table, level)
            table.speech.level_dbov[:] = random.uniform(-60, -10, 16)
            table.speech.speaking[:] = random.random(16) < 0.5
            if random.random() < 0.5:
                live = np.flatnonzero(table.live)
                table.gain[live] = random.choice(np.array([0, 1, 1, 1, 0.37, 2.5], np.float32), len(live))
            total = np.rint(random.uniform(-9000, 9000, table.samples) * random.integers(0, 2)).astype(np.float32)
            said = np.array(table.add_to(total))
            flags = {name: getattr(table, name)[:LEGS].copy() for name in ("contributes", "untouched", "gain_before")}
            seen.append({"says": said, "total": total, "said": table.said[:LEGS].copy(), **flags})
        return seen

    for ours, theirs in zip(*twins.run(add_up, "judge_gains"), strict=True):
        assert_same(ours, theirs)


# ---- heard

LOUD = st.lists(
    st.sampled_from([0.0, 20_000.0, 32_767.0, 33_000.0, 40_000.0, 90_000.0, 700_000.0]), min_size=1, max_size=10
)
PEAKS = st.sampled_from(["anywhere", "first", "early", "last"])


def loud_total(random: np.random.Generator, table: FormatTable, level: float, peak: str) -> NDArray[np.float32]:
    """What all legs said, and others with a peak of `level` somewhere."""
    said = table.said[: table.n][table.contributes[: table.n]].sum(axis=0, dtype=np.float32)
    rest = random.uniform(-0.3, 0.3, table.samples) * level
    early = attack_samples(table.sample_rate)
    within = {"anywhere": table.samples, "first": 1, "early": early, "last": table.samples}[peak]
    rest[-1 if peak == "last" else int(random.integers(within))] = level * random.choice([-1, 1])
    return np.asarray(np.rint(said + rest), np.float32)


class Heard(NamedTuple):
    """A tick of what legs hear."""

    own: list[int]
    pcm: NDArray[np.int16]
    """Of those legs, and at last the mix that the others share, or zeros."""
    gains: NDArray[np.float32]
    payloads: list[bytes]


def hear(table: FormatTable, total: NDArray[np.float32], out: Outgoing) -> Heard:
    own = table._own_rows().tolist()
    table.shared_pcm[:] = 0
    table.encode(total, out)
    made = table.n if len(own) * 8 > table.n * 7 else len(own)
    payloads = [
        ctypes.string_at(int(out.payload_address[row]), int(out.payload_bytes[row]))
        for row in table.leg_rows[: table.n][table.live[: table.n]].tolist()
    ]
    gains = np.concatenate([table.limiter_gains[: table.n], table.shared_limiter_gains])
    return Heard(own, np.concatenate([table.pcm[:made], table.shared_pcm]), gains, payloads)


@pytest.mark.parametrize("kind", TABLES)
@given(seed=SEED, levels=LOUD, peak=PEAKS, sounds=st.sampled_from(["", "", "ducked", "aside"]), large=st.booleans())
@settings(max_examples=25, deadline=None)
def test_mixes_are_limited_rounded_and_sent_the_same(
    twins: Twins, kind: str, seed: int, levels: list[float], peak: str, sounds: str, large: bool
) -> None:
    """In a large conference all but a few hear mixes of their own, which are made for all then."""

    def run() -> list[Heard]:
        random = np.random.default_rng(seed)
        table, out, ticks = table_of(kind, random, 24, 0.95) if large else table_of(kind, random), Outgoing(32), []
        for level in [*levels, 9000.0, 20_000.0]:
            speak(random, table, 8000)
            table.said = table.frames
            if sounds and random.random() < 0.5:
                if sounds == "ducked":
                    table.asides.duck = np.full(table.samples, 0.5, np.float32)
                else:
                    table.asides.add(1, np.full(table.samples, 500, np.float32))
            ticks.append(hear(table, loud_total(random, table, level, peak), out))
            table.asides.clear()
            if random.random() < 0.2:
                table.hears[[0, 3]] = ~table.hears[[0, 3]]
        return ticks

    attack = attack_samples(TABLES[kind]().sample_rate)
    for ours, theirs in zip(*twins.run(run), strict=True):
        assert ours.own == theirs.own
        assert np.abs(ours.pcm.astype(int)).max() <= CEILING
        np.testing.assert_array_equal(ours.gains, theirs.gains)
        away = np.abs(ours.pcm.astype(int) - theirs.pcm)
        assert away.max() <= 1
        assert not away[:, attack:].any(), "only what is bent, by a tanh"
        assert (np.abs(theirs.pcm)[away > 0] >= KNEE - 1).all()
        if not away.any():
            assert ours.payloads == theirs.payloads


@given(bang=st.floats(33_000, 200_000))
@settings(max_examples=8, deadline=None)
def test_gains_come_back_the_same_until_they_are_free(twins: Twins, bang: float) -> None:
    def run() -> list[NDArray[np.float32]]:
        table, out, gains = table_of("pcmu", np.random.default_rng(1), hear=1.0), Outgoing(16), []
        for tick in range(400):
            table.begin_tick()
            table.said = table.frames
            total = np.full(table.samples, 900, np.float32)
            total[80] = bang if tick == 0 else 1000
            gains.append(hear(table, total, out).gains)
        assert (gains[-1] == 1).all()
        return gains

    compiled, by_numpy = twins.run(run, "mix_minus")
    np.testing.assert_array_equal(compiled, by_numpy)


@pytest.mark.parametrize("kind", TABLES)
def test_a_plain_mix_is_made_by_the_loops(twins: Twins, kind: str) -> None:
    """And what is too loud is bent, and soft again later, so that the test above is about something."""

    def run() -> list[Heard]:
        random = np.random.default_rng(5)
        table, out, ticks = table_of(kind, random), Outgoing(16), []
        for level in (9000.0, 90_000.0, 9000.0, 9000.0):
            speak(random, table, 3000)
            total = np.zeros(table.samples, np.float32)
            table.add_to(total)
            ticks.append(hear(table, total + loud_total(random, table, level, "first"), out))
        return ticks

    compiled, by_numpy = twins.run(run, "judge_gains", "mix_minus", "own_rows")
    lowest = [float(tick.gains[:, 0].min()) for tick in compiled]
    assert lowest[0] == 1 > lowest[3] > lowest[2] > lowest[1]
    assert lowest == [float(tick.gains[:, 0].min()) for tick in by_numpy]
    assert np.abs(compiled[1].pcm[:, 0].astype(int)).max() > KNEE
