"""When a delivery that failed is tried again, and when it is given up.

Decides the waits, their spread, and what Retry-After and a URL's overrides change of them. Time and chance are
arguments. Pure.
"""

from collections.abc import Sequence
from typing import Final

from server.webhooks.fragments import NO_OVERRIDES, Overrides
from server.webhooks.outcome import Outcome

DEFAULT_SCHEDULE_S: Final = (5.0, 30.0, 120.0, 600.0, 3_600.0, 10_800.0, 28_800.0, 86_400.0)
"""Waits before the second attempt, the third and so on; the first is made at once. 36 hours in all."""
JITTER: Final = 0.2
"""Waits are up to this share longer or shorter, so that what failed together does not come back together."""
LONGEST_RETRY_AFTER_S: Final = 86_400.0


def waits_of(configured_s: Sequence[float] | None) -> tuple[float, ...]:
    """Return the waits that a setting means: None is the default, a leading 0 stands for the first attempt."""
    if configured_s is None:
        return DEFAULT_SCHEDULE_S
    return tuple(configured_s[1:] if configured_s and configured_s[0] == 0 else configured_s)


def next_attempt_at(
    attempts: int,
    outcome: Outcome,
    waits_s: Sequence[float],
    overrides: Overrides = NO_OVERRIDES,
    *,
    chance: float,
    now: float,
) -> float | None:
    """Return when (Unix seconds) to try again after the failure of attempt number `attempts`; None: never.

    `chance` is uniform in [0, 1). An endpoint that asks for a longer wait than is its turn gets it, up to a day.
    """
    most_retries = len(waits_s) if overrides.retries is None else min(overrides.retries, len(waits_s))
    if outcome.gone or attempts > most_retries:
        return None
    if overrides.retried is not None and outcome.failure not in overrides.retried:
        return None
    wait_s = waits_s[attempts - 1] * (1 - JITTER + 2 * JITTER * chance)
    if outcome.retry_after_s is not None:
        wait_s = max(wait_s, min(outcome.retry_after_s, LONGEST_RETRY_AFTER_S))
    return now + wait_s
