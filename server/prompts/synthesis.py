"""Has the server's own sounds made, in a child, and returns them as clips. Who keeps them is decided elsewhere."""

from typing import Final, Literal

from server.prompts.child import ChildFailed, run
from server.prompts.clip import RATES, Clip, clip_files, clip_id, sealed_clip
from server.prompts.errors import PromptError

OwnSound = Literal["music", "enter", "leave"]

DEADLINE_S: Final = 60.0


async def synthesise(sound: OwnSound) -> Clip:
    """Return the sound as a clip, which belongs to the caller. Raises PromptError: prompt_unavailable."""
    try:
        with clip_files(RATES) as outputs:
            arguments = [sound, *(f"{rate}:{fd}" for rate, fd in outputs.items())]
            report = await run(
                "server.prompts.synthesis_child", arguments, tuple(outputs.values()), deadline_s=DEADLINE_S
            )
            clip = sealed_clip(clip_id(report.notes[0]), outputs)
            outputs.clear()
            return clip
    except (TimeoutError, ChildFailed, OSError, ValueError, IndexError) as error:
        raise PromptError("prompt_unavailable", f"{sound} could not be made: {error!r}") from error
