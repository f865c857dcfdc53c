import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.webhooks.fragments import Overrides
from server.webhooks.outcome import Failure, Outcome, answered
from server.webhooks.schedule import DEFAULT_SCHEDULE_S, LONGEST_RETRY_AFTER_S, next_attempt_at, waits_of

NOW = 1_795_000_000.0
MIDDLE = 0.5
"""Chance that leaves a wait as it is."""


def wait_s(attempts: int, outcome: Outcome, overrides: Overrides | None = None, chance: float = MIDDLE) -> float | None:
    at = next_attempt_at(attempts, outcome, DEFAULT_SCHEDULE_S, overrides or Overrides(), chance=chance, now=NOW)
    return None if at is None else round(at - NOW, 6)


def test_waits_of_the_default_schedule() -> None:
    waits = [wait_s(attempts, answered(500)) for attempts in range(1, 10)]
    assert waits == [5, 30, 120, 600, 3600, 10_800, 28_800, 86_400, None]


@given(st.integers(1, 8), st.floats(0, 1, exclude_max=True))
def test_waits_are_spread_by_a_fifth_and_no_more(attempts: int, chance: float) -> None:
    wait = wait_s(attempts, answered(503), chance=chance)
    usual = DEFAULT_SCHEDULE_S[attempts - 1]
    assert wait is not None
    assert 0.8 * usual <= wait <= 1.2 * usual


def test_chance_moves_a_wait_from_end_to_end() -> None:
    assert wait_s(1, answered(500), chance=0) == 4
    assert wait_s(1, answered(500), chance=0.75) == 5.5


@pytest.mark.parametrize(
    ("asked", "waited"),
    [(None, 5), (0, 5), (3, 5), (60, 60), (90_000, LONGEST_RETRY_AFTER_S), (1 << 31, LONGEST_RETRY_AFTER_S)],
)
def test_retry_after_is_a_minimum_up_to_a_day(asked: float | None, waited: float) -> None:
    assert wait_s(1, answered(503, asked)) == waited


def test_retry_after_grants_no_further_attempt() -> None:
    assert wait_s(9, answered(503, 60)) is None


def test_gone_is_never_tried_again() -> None:
    assert wait_s(1, answered(410, 60)) is None


@pytest.mark.parametrize(("retries", "attempts_in_all"), [(0, 1), (1, 2), (5, 6), (None, 9)])
def test_retries_are_limited_by_the_url(retries: int | None, attempts_in_all: int) -> None:
    overrides = Overrides(retries=retries)
    made = 1
    while wait_s(made, answered(500), overrides) is not None:
        made += 1
    assert made == attempts_in_all


def test_a_url_cannot_ask_for_more_than_the_schedule_has() -> None:
    at = [next_attempt_at(n, answered(500), (1.0,), Overrides(retries=5), chance=MIDDLE, now=NOW) for n in (1, 2)]
    assert at == [NOW + 1, None]


@pytest.mark.parametrize("failure", list(Failure))
def test_policy_says_which_failures_are_tried_again(failure: Failure) -> None:
    outcome = Outcome(None, "some_error", failure)
    assert wait_s(1, outcome, Overrides(retried=frozenset({failure}))) == 5
    assert wait_s(1, outcome, Overrides(retried=frozenset(Failure) - {failure})) is None
    assert wait_s(1, outcome) == 5


def test_what_a_setting_means() -> None:
    assert waits_of(None) == DEFAULT_SCHEDULE_S
    assert waits_of((5.0, 30.0)) == (5.0, 30.0)
    assert waits_of((0.0, 5.0, 30.0)) == (5.0, 30.0)
    assert waits_of((0.0,)) == ()
    assert waits_of(()) == ()


def test_without_waits_one_attempt_is_all() -> None:
    assert next_attempt_at(1, answered(500), (), chance=MIDDLE, now=NOW) is None
