"""Waiting for what a real server is to do, on a machine that may be busy with something else."""

import time
from collections.abc import Callable

PATIENCE_S = 20.0


def eventually(check: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Call `check` until it asserts nothing that is not so; after all that time, what it asserts is the test's failure.

    For what comes about and then stays. What must never be is to be asserted at once.
    """
    for _ in range(int(patience_s / 0.1)):
        try:
            check()
        except AssertionError:
            time.sleep(0.1)
        else:
            return
    check()
