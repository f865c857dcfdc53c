"""Which far ends are protected against loss, by what they report."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mixer.rtp.far_end import CALM_NS, FarEndLoss

SECOND_NS = 1_000_000_000


class Link:
    """One far end that reports every five seconds; `changes` is what it became, and after how many reports."""

    def __init__(self) -> None:
        self.figures, self.count, self.changes = FarEndLoss(1), 0, list[tuple[int, bool]]()

    def report(self, loss: float, times: int = 1) -> None:
        for _ in range(times):
            self.count += 1
            changed = self.figures.take(np.array([0]), np.array([round(loss * 256)]), self.count * 5 * SECOND_NS)
            if len(changed):
                self.changes.append((self.count, bool(self.figures.lossy[0])))


def test_heavy_loss_is_believed_at_once_and_moderate_loss_after_a_few_reports() -> None:
    heavy, moderate = Link(), Link()
    heavy.report(0.10, 5)
    moderate.report(0.045, 5)
    assert heavy.changes == [(1, True)]
    assert moderate.changes == [(2, True)]


def test_a_few_lost_packets_now_and_then_are_no_bad_link() -> None:
    link = Link()
    for _ in range(20):
        link.report(0.04)
        link.report(0.0, 2)
    assert link.changes == []


def test_it_is_over_after_a_minute_without_loss_and_not_before() -> None:
    link = Link()
    link.report(0.10, 4)
    link.report(0.0, 40)
    assert [state for _, state in link.changes] == [True, False]
    falls = next(n for n in range(1, 20) if 0.10 * 0.5**n < 0.01)  # reports until the smoothed loss is below 1 %
    assert (link.changes[1][0] - 4 - falls + 1) * 5 * SECOND_NS >= CALM_NS
    assert (link.changes[1][0] - 4) * 5 <= 60 + 30


def test_loss_within_the_minute_starts_it_anew() -> None:
    link = Link()
    link.report(0.10)
    for _ in range(10):
        link.report(0.0, 9)
        link.report(0.025)
    assert link.changes == [(1, True)]


def test_between_the_bounds_it_stays_what_it_was() -> None:
    good, bad = Link(), Link()
    bad.report(0.20)
    for link in (good, bad):
        link.report(0.02, 100)
    assert good.changes == []
    assert bad.changes == [(1, True)]


def test_a_new_leg_in_a_row_begins_without_a_past_and_growth_keeps_the_others() -> None:
    figures = FarEndLoss(2)
    figures.take(np.array([0, 1]), np.array([255, 255]), SECOND_NS)
    figures.reset(0)
    figures.grow(4)
    assert figures.lossy.tolist() == [False, True, False, False]
    assert figures.loss[0] == 0


@given(st.lists(st.integers(0, 255), min_size=1, max_size=60))
def test_rows_together_are_as_each_alone(fractions: list[int]) -> None:
    together, alone = FarEndLoss(3), FarEndLoss(1)
    for number, fraction in enumerate(fractions):
        other = (fraction * 7 + number) % 256
        now_ns = number * 5 * SECOND_NS
        together.take(np.array([2, 0]), np.array([fraction, other]), now_ns)
        alone.take(np.array([0]), np.array([fraction]), now_ns)
        assert together.lossy[2] == alone.lossy[0]
        assert together.loss[2] == alone.loss[0]
    assert not together.lossy[1]
