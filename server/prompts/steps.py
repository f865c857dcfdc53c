"""What a wait or hold document asks to be heard: steps, in order.

Decides what all documents have in common: which steps there are, their limits, which URLs may be named, and that what
cannot be played is left out with a remark. Documents do not loop: when the steps run out there is silence, unless the
last one is a Redirect. Carrying steps out is the player's. Pure.
"""

from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urljoin, urlsplit

MAX_STEPS: Final = 100
MAX_LOOPS: Final = 1000
MAX_PAUSE_S: Final = 3600.0

Method = Literal["GET", "POST"]


@dataclass(frozen=True, slots=True)
class Play:
    """Play the audio at `url` so many times; None: until something else is to be heard."""

    url: str
    loops: int | None = 1


@dataclass(frozen=True, slots=True)
class Pause:
    """Be silent for so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Redirect:
    """Fetch the document at `url` and go on with it; None: this document again."""

    url: str | None
    method: Method


Step = Play | Pause | Redirect


@dataclass(frozen=True, slots=True)
class Document:
    """Steps, with all URLs absolute, and remarks on what was left out. `url` is where the document came from."""

    url: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()


class Reading:
    """Collects what is read of one document."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._steps: list[Step] = []
        self._notes: list[str] = []

    def note(self, text: str) -> None:
        """Remark on what is left out; `text` may quote the document."""
        if len(self._notes) < MAX_STEPS:
            self._notes.append("".join(character if character.isprintable() else "?" for character in text))

    def play(self, target: str, loops: int | None) -> None:
        """Add a Play of what `target` names from this document."""
        url = self._resolved(target)
        if url is None:
            self.note("left out what is to be played: its URL is no http or https URL")
        else:
            self._add(Play(url, loops))

    def pause(self, seconds: float) -> None:
        """Add a Pause, of an hour at most."""
        self._add(Pause(min(seconds, MAX_PAUSE_S)))

    def redirect(self, target: str, method: Method) -> None:
        """Add a Redirect to what `target` names from this document; empty: to this document."""
        url = self._resolved(target) if target else None
        if target and url is None:
            self.note("left out a redirect: its URL is no http or https URL")
        else:
            self._add(Redirect(url, method))

    def document(self) -> Document:
        """Return what was read. Steps behind a Redirect or an endless Play are never reached, and so not kept."""
        return Document(self._url, tuple(self._steps), tuple(self._notes))

    def _add(self, step: Step) -> None:
        if self._steps and _is_last(self._steps[-1]):
            return
        if len(self._steps) == MAX_STEPS:
            self.note(f"left out what comes after {MAX_STEPS} steps")
        else:
            self._steps.append(step)

    def _resolved(self, target: str) -> str | None:
        try:
            url = urljoin(self._url, target)
            parts = urlsplit(url)
        except ValueError:
            return None
        return url if parts.scheme in ("http", "https") and parts.netloc else None


def _is_last(step: Step) -> bool:
    return isinstance(step, Redirect) or (isinstance(step, Play) and step.loops is None)
