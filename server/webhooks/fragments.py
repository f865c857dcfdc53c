"""Overrides of a webhook's timeouts and retries, written into the fragment of its URL: `https://…#rc=2&rp=5xx,ct`.

Decides which keys there are and what each may be. They are the field's; what a key's absence means is ours: the
timeouts and the schedule of the server. A key we do not know is somebody else's and changes nothing. Pure.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import unquote

from server.urls.check import strip_fragment
from server.urls.limits import Limits
from server.webhooks.outcome import Failure

MOST_RETRIES: Final = 5
CONNECT_MS_BOUNDS: Final = (100, 10_000)
READ_MS_BOUNDS: Final = (100, 15_000)
TOTAL_MS_BOUNDS: Final = (100, 15_000)

_ALL: Final = "all"
_POLICIES: Final = {word.value: word for word in Failure if word is not Failure.OTHER}


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a URL's fragment asks for; None: what the server does anyway."""

    retries: int | None = None
    """`rc`: how many attempts may follow on the first."""
    retried: frozenset[Failure] | None = None
    """`rp`: the failures after which there is another attempt; None: all."""
    connect_ms: int | None = None
    """`ct`, or `ot` as others spell it."""
    read_ms: int | None = None
    """`rt`."""
    total_ms: int | None = None
    """`tt`."""

    def limits(self, usual: Limits) -> Limits:
        """Return the limits of a request: `usual`, but for what is overridden."""
        return replace(
            usual,
            connect_s=usual.connect_s if self.connect_ms is None else self.connect_ms / 1000,
            read_s=usual.read_s if self.read_ms is None else self.read_ms / 1000,
            total_s=usual.total_s if self.total_ms is None else self.total_ms / 1000,
        )


NO_OVERRIDES: Final = Overrides()


def split_overrides(url: str) -> tuple[str, Overrides]:
    """Return the URL as it is requested, and what its fragment asks for; of a repeated key the last counts.

    Raises ValueError with a sentence that says what is wrong with the fragment.
    """
    stripped, fragment = strip_fragment(url)
    found: dict[str, Any] = {}
    for part in fragment.split("&") if fragment else ():
        key, _, value = part.partition("=")
        if key in _KEYS:
            field, read = _KEYS[key]
            found[field] = read(key, unquote(value).strip())
    return stripped, Overrides(**found) if found else NO_OVERRIDES


def check_fragment(url: str) -> None:
    """Raise ValueError with a sentence if the URL's fragment asks for what cannot be."""
    split_overrides(url)


def _number(lowest: int, highest: int, unit: str) -> Callable[[str, str], int]:
    def read(key: str, value: str) -> int:
        # isdecimal alone would let other scripts' digits in.
        if value.isascii() and value.isdecimal() and len(value) <= 9 and lowest <= int(value) <= highest:
            return int(value)
        raise ValueError(f"#{key}= in the URL must be a number of {unit} from {lowest} to {highest}")

    return read


def _policies(key: str, value: str) -> frozenset[Failure] | None:
    words = [word.strip().lower() for word in value.split(",")]
    if not all(word == _ALL or word in _POLICIES for word in words):
        known = ", ".join((*_POLICIES, _ALL))
        raise ValueError(f"#{key}= in the URL must be one or more of {known}, separated by commas")
    return None if _ALL in words else frozenset(_POLICIES[word] for word in words)


_KEYS: Final[dict[str, tuple[str, Callable[[str, str], Any]]]] = {
    "rc": ("retries", _number(0, MOST_RETRIES, "retries")),
    "rp": ("retried", _policies),
    "ct": ("connect_ms", _number(*CONNECT_MS_BOUNDS, "milliseconds")),
    "ot": ("connect_ms", _number(*CONNECT_MS_BOUNDS, "milliseconds")),
    "rt": ("read_ms", _number(*READ_MS_BOUNDS, "milliseconds")),
    "tt": ("total_ms", _number(*TOTAL_MS_BOUNDS, "milliseconds")),
}
