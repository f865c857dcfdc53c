"""The only clock of the server.

Everything else takes the time as an argument, so that a test can run a minute of conference in a millisecond.
"""

import time
from typing import Final

from server.conference.moments import rfc3339_ms

__all__: Final = ["monotonic", "now", "rfc3339_ms"]


def now() -> float:
    """Return the wall-clock time in Unix seconds (UTC): what events are stamped with."""
    return time.time()  # noqa: TID251


def monotonic() -> float:
    """Return seconds of a clock that never steps: what waits and deadlines are measured with."""
    return time.monotonic()  # noqa: TID251
