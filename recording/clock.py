"""The recorder's only clock. Everything else in this package takes time as an argument.

The conference's ticks are what a recording's length is measured in; these are for what is written beside them
and for how often the disk is asked to sync.
"""

import time


def unix_now() -> float:
    """Wall clock in seconds since 1970; it may step."""
    return time.time()  # noqa: TID251


def monotonic() -> float:
    """CLOCK_MONOTONIC in seconds: never steps."""
    return time.monotonic()  # noqa: TID251
