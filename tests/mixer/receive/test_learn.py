from hypothesis import given
from hypothesis import strategies as st

from mixer.receive.learn import SourceLearner

MS = 1_000_000


def test_four_in_sequence_over_22_ms_qualify_across_the_wrap() -> None:
    learner = SourceLearner()
    assert [learner.feed(1, 2, (65_534 + i) % 65_536, i * 20 * MS) for i in range(4)] == [False, False, False, True]


def test_span_counts_as_well_as_number() -> None:
    learner = SourceLearner()
    assert not any(learner.feed(1, 2, i, i * MS) for i in range(22))
    assert learner.feed(1, 2, 22, 22 * MS)


def test_gap_other_ssrc_and_other_source_start_anew_and_a_duplicate_does_not() -> None:
    for spoiler in ((1, 2, 9), (1, 3, 3), (5, 2, 3)):
        learner = SourceLearner()
        assert not any(learner.feed(1, 2, i, i * 20 * MS) for i in range(3))
        assert not learner.feed(*spoiler, 60 * MS)
        assert not learner.feed(1, 2, 3, 61 * MS)
    learner = SourceLearner()
    assert not any(learner.feed(1, 2, i, i * 20 * MS) for i in (0, 0, 1, 1, 2))
    assert learner.feed(1, 2, 3, 60 * MS)


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.integers(1, 20)), max_size=60))
def test_nobody_qualifies_without_four_of_his_own_in_a_row(order: list[tuple[int, int]]) -> None:
    learner, now, run, sequence = SourceLearner(), 0, 0, {1: 0, 2: 0}
    before = 0
    for source, step_ms in order:
        now += step_ms * MS
        run = run + 1 if source == before else 1
        before = source
        qualified = learner.feed(source, 9, sequence[source], now)
        sequence[source] += 1
        assert not qualified or run >= 4
