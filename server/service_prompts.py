"""What the service needs to have of sounds that nobody says, whoever makes them: `server.prompts`, or a test.

Every method raises `PromptError` if a sound cannot be had. A clip may be used until its context is left.
"""

from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol

from server.conference.directives import Program
from server.conference.model import Announcement
from server.prompts.clip import Clip


class Sink(Protocol):
    """Where a program is played."""

    async def play(self, clip: Clip, *, loop: bool = False) -> None:
        """Play a clip from its start and return when it has ended; a loop never does."""
        ...

    async def silence(self) -> None:
        """Play nothing from now on."""
        ...


class Prompts(Protocol):
    """The sounds of a server."""

    def beep(self, kind: Literal["enter", "leave"]) -> AbstractAsyncContextManager[Clip]:
        """Return the tone for one who comes or goes."""
        ...

    def announcement(self, announcement: Announcement) -> AbstractAsyncContextManager[Clip]:
        """Fetch and read what is to be announced."""
        ...

    async def perform(self, program: Program, sink: Sink) -> None:
        """Play to one leg what it is to hear, until that is over or this is cancelled; it may take for ever.

        What cannot be had is replaced by the server's own music.
        """
        ...

    def start(self) -> None:
        """Begin to make, in the background, what will be needed first."""
        ...

    async def close(self) -> None:
        """Let go of everything; nothing is played any more."""
        ...
