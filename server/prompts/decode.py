"""Decodes fetched audio into a clip, outside the server's process.

Decides how many children decode at once, how long each may take, and what their ends mean. The format comes from
the file's first bytes (`magic`); which codecs and sizes are taken, and what the child may use of the machine, is said
in `decode_child`.
"""

import asyncio
import os
import signal
from dataclasses import dataclass
from typing import Final

from server.prompts.child import ChildFailed, run
from server.prompts.clip import RATES, Clip, clip_files, memory_file, seal, sealed_clip
from server.prompts.errors import PROMPT_ERRORS, PromptError
from server.prompts.magic import AudioFormat, audio_format

MAX_FILE_BYTES: Final = 20 << 20
DEADLINE_S: Final = 20.0
"""Wall time, for a machine that is busy; the CPU time a child may use is less."""
_AT_ONCE: Final = 2
_PIECE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Decoded:
    """A clip, which belongs to the receiver, and remarks for who chose the file."""

    clip: Clip
    notes: tuple[str, ...]


class Decoder:
    """Decodes files, a few at a time; the others wait."""

    def __init__(self, *, at_once: int = _AT_ONCE, deadline_s: float = DEADLINE_S) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._deadline_s = deadline_s

    async def decode(self, clip_id: str, data: bytes) -> Decoded:
        """Return the sound of the file `data` as a clip named `clip_id`.

        Raises PromptError: prompt_too_large, prompt_format, prompt_decode_failed, prompt_timeout, prompt_unavailable.
        """
        kind = audio_format(data)
        if kind is None:
            raise PromptError("prompt_format", "it is not WAV, MP3, Ogg or FLAC")
        if len(data) > MAX_FILE_BYTES:
            raise PromptError("prompt_too_large", f"it has {len(data)} bytes; {MAX_FILE_BYTES} are taken")
        async with self._turns:
            try:
                return await self._decode(clip_id, kind, data)
            except OSError as error:
                raise PromptError("prompt_unavailable", f"it could not be decoded now ({error})") from error

    async def _decode(self, clip_id: str, kind: AudioFormat, data: bytes) -> Decoded:
        with clip_files(RATES) as outputs:
            notes = await self._run_child(kind, data, outputs)
            try:
                clip = sealed_clip(clip_id, outputs)
            except (ValueError, OSError) as error:
                raise PromptError("prompt_decode_failed", "decoding it gave no sound") from error
            outputs.clear()
            return Decoded(clip, notes)

    async def _run_child(self, kind: AudioFormat, data: bytes, outputs: dict[int, int]) -> tuple[str, ...]:
        input_fd = memory_file("prompt")
        try:
            await _fill(input_fd, data)
            arguments = [kind, str(input_fd), *(f"{rate}:{fd}" for rate, fd in outputs.items())]
            report = await run(
                "server.prompts.decode_child",
                arguments,
                (input_fd, *outputs.values()),
                deadline_s=self._deadline_s,
            )
        except TimeoutError as error:
            raise PromptError("prompt_timeout", f"decoding it took more than {self._deadline_s:g} s") from error
        except ChildFailed as failure:
            if failure.status == -signal.SIGXCPU:
                raise PromptError("prompt_timeout", "decoding it takes too much computing") from failure
            raise PromptError("prompt_decode_failed", f"decoding it failed (status {failure.status})") from failure
        finally:
            os.close(input_fd)
        if report.code is not None:
            code = report.code if report.code in PROMPT_ERRORS else "prompt_decode_failed"
            raise PromptError(code, report.detail)
        return report.notes


async def _fill(fd: int, data: bytes) -> None:
    """Write all of `data`, letting others run meanwhile, and seal it; the child reads from the start.

    Not in a thread: one would write on after a cancellation, to whatever file then had the descriptor's number.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest[:_PIECE_BYTES]) :]
        await asyncio.sleep(0)
    os.lseek(fd, 0, os.SEEK_SET)
    seal(fd)
