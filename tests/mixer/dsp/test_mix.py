import numpy as np
import pytest

from mixer.dsp.mix import RateMix

RATES = {8000, 16000, 48000}


def ticks(rate: int, frequency: float, count: int) -> np.ndarray:
    size = rate // 50
    return (1000 * np.sin(2 * np.pi * frequency * np.arange(size * count) / rate)).astype(np.float32).reshape(-1, size)


@pytest.mark.parametrize("source", sorted(RATES))
def test_sum_of_one_rate_is_in_the_totals_of_all(source: int) -> None:
    mix = RateMix()
    mix.use(RATES)
    heard = {rate: [] for rate in RATES}
    for frame in ticks(source, 400, 50):
        mix.clear()
        mix.sums[source] += frame
        mix.spread({source})
        for rate in RATES:
            heard[rate].append(mix.totals[rate].copy())
    for rate in RATES:
        sound = np.concatenate(heard[rate])[rate // 2 :]
        assert np.sqrt(2 * np.mean(sound**2)) == pytest.approx(1000, rel=0.01)
    assert np.array_equal(np.concatenate(heard[source]), ticks(source, 400, 50).ravel())


def test_ones_own_part_of_the_total_cancels_exactly() -> None:
    mix = RateMix()
    mix.use(RATES)
    random = np.random.default_rng(1)
    for _ in range(5):
        mix.clear()
        own = np.rint(random.normal(0, 3000, 160)).astype(np.float32)
        mix.sums[8000] += own
        mix.spread({8000})
        assert not (mix.totals[8000] - own).any()


def test_rates_that_come_and_go_leave_streams_between_others_without_a_seam() -> None:
    def run(change: bool) -> np.ndarray:
        mix, heard = RateMix(), []
        mix.use({8000, 48000})
        for tick, frame in enumerate(ticks(8000, 410, 20)):
            if change and tick == 8:
                mix.use(RATES)
            if change and tick == 13:
                mix.use({8000, 48000})
            mix.clear()
            mix.sums[8000] += frame
            mix.spread({8000})
            heard.append(mix.totals[48000].copy())
        return np.concatenate(heard)

    assert np.array_equal(run(True), run(False))


def test_tail_of_a_sound_that_ended_is_let_out_and_then_nothing_is_computed() -> None:
    mix = RateMix()
    mix.use({8000, 48000})
    mix.sums[8000] += 1000
    mix.spread({8000})
    tails = []
    for _ in range(4):
        mix.clear()
        mix.spread(set())
        tails.append(float(np.abs(mix.totals[48000]).max()))
    assert tails[0] > 100
    assert tails[2:] == [0, 0]
