"""Reads wait and hold documents in SWML: the `play` instructions of the section `main`, in JSON.

Decides what of the instructions is understood: audio by URL, and `silence:SECONDS`. All else (other instructions,
ringing, speech, a volume) is left out with a remark. YAML is not read: the server has no parser for it. Pure.
"""

import json
import math
from typing import Any, Final

from server.prompts.errors import PromptError
from server.prompts.steps import Reading

_SILENCE: Final = "silence:"
_NOT_PLAYED: Final = ("say:", "ring:")


def read_swml(data: bytes, reading: Reading) -> None:
    """Tell `reading` the steps of a document. Raises PromptError prompt_format."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise PromptError("prompt_format", "the JSON is not well-formed") from error
    sections = document.get("sections") if isinstance(document, dict) else None
    main = sections.get("main") if isinstance(sections, dict) else None
    if not isinstance(main, list):
        raise PromptError("prompt_format", "the JSON is no SWML: it has no section main")
    for instruction in main:
        if isinstance(instruction, dict) and len(instruction) == 1 and "play" in instruction:
            _play(instruction["play"], reading)
        else:
            reading.note(f"13238: left out {_name(instruction)}, which a wait document may not hold")


def _name(instruction: Any) -> str:
    if isinstance(instruction, str):
        return instruction[:50]
    if isinstance(instruction, dict) and len(instruction) == 1:
        return str(next(iter(instruction)))[:50]
    return "what is no instruction"


def _play(argument: Any, reading: Reading) -> None:
    if isinstance(argument, str):
        argument = {"url": argument}
    if not isinstance(argument, dict) or ("url" in argument) == ("urls" in argument):
        reading.note("left out a play: it needs either url or urls")
        return
    if argument.get("volume") not in (None, 0):
        reading.note("left the volume of a play as it is")
    sounds = argument["urls"] if "urls" in argument else [argument["url"]]
    for sound in sounds if isinstance(sounds, list) else [None]:
        if isinstance(sound, str) and sound:
            _sound(sound, reading)
        else:
            reading.note("left out what is to be played: it is no URL")


def _sound(sound: str, reading: Reading) -> None:
    if sound.startswith(_SILENCE):
        seconds = _seconds(sound.removeprefix(_SILENCE))
        if seconds is None:
            reading.note("left out a silence: it is no number of seconds")
        else:
            reading.pause(seconds)
    elif sound.startswith(_NOT_PLAYED):
        reading.note(f"left out what begins with {sound.partition(':')[0]}: it is not played here")
    else:
        reading.play(sound, 1)


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
