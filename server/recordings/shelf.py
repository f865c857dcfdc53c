"""Where the files of recordings are and how they are had: here, brought back from elsewhere, or rendered.

Decides what is answered about audio that is not there, and why. Nothing of a path comes from outside: names of files
come from a manifest or from the kind of view that is wanted, names of folders from ids.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import structlog

from recording.catalog import Format, Manifest, NothingToRenderError, RecordingsFolder, rendered_name
from server.errors import ParleyError
from server.recordings.copies import Copies, CopyFailed
from server.recordings.model import RecordingRow
from server.recordings.rendering import Renderer

log = structlog.get_logger(__name__)

MEDIA_TYPES: Final[dict[Format, str]] = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "mp3": "audio/mpeg",
}


@dataclass(frozen=True, slots=True)
class Sound:
    """An open file of audio; it stays what it is, whatever becomes of its name."""

    file: BinaryIO
    media_type: str
    name: str
    """To save it under."""
    sha256: str | None
    """None for a rendered file."""


class Shelf:
    """The files of all recordings. Methods raise `ParleyError`."""

    def __init__(self, directory: Path, renderer: Renderer, copies: Copies | None) -> None:
        """`copies`: the second place, if there is one."""
        self.folder: Final = RecordingsFolder(directory)
        self._renderer = renderer
        self._copies = copies

    async def audio(self, row: RecordingRow, manifest: Manifest, form: Format, left: str | None = None) -> Sound:
        """Open the room's sound; with `left` the view that has this call left and all others right."""
        try:
            name = rendered_name(manifest, form, left)
        except NothingToRenderError as error:
            raise _nothing(row, manifest, left) from error
        audio = manifest.files.audio
        assert audio is not None, "there is something to render"
        stem = row.recording_id if left is None else f"{row.recording_id}-{left}"
        saved_as = f"{stem}.{form}"
        if name is None:
            return Sound(await self._published(row, manifest, audio.name), MEDIA_TYPES[form], saved_as, audio.sha256)
        sources = [audio.name] if left is None else [audio.name, *(track.name for track in manifest.files.tracks)]
        file = await self._opened(row.recording_id, name, rendered=True)
        if file is None:
            await self._renderer.render(manifest, form, left, lambda: self._bring(row, manifest, sources))
            file = await self._opened(row.recording_id, name, rendered=True)
        if file is None:
            raise ParleyError("render_failed", f"the recording {row.recording_id!r} could not be rendered now")
        return Sound(file, MEDIA_TYPES[form], saved_as, None)

    async def track(self, row: RecordingRow, manifest: Manifest, call_id: str) -> Sound:
        """Open what one participant said."""
        for track in manifest.files.tracks:
            if track.call_id == call_id:
                file = await self._published(row, manifest, track.name)
                return Sound(file, MEDIA_TYPES["flac"], f"{row.recording_id}-{call_id}.flac", track.sha256)
        raise ParleyError("not_found", f"the recording {row.recording_id!r} has no track of the call {call_id!r}")

    async def remove(self, recording_id: str) -> None:
        """Remove all files that are here; nothing if there are none."""
        try:
            await asyncio.to_thread(self.folder.delete, recording_id)
        except FileNotFoundError:
            return
        except OSError as error:
            # It is shown to nobody any more; what is left goes when the server starts.
            log.error("recording_not_removed", recording_id=recording_id, reason=str(error))

    async def _published(self, row: RecordingRow, manifest: Manifest, name: str) -> BinaryIO:
        file = await self._opened(row.recording_id, name)
        if file is None:
            await self._bring(row, manifest, [name])
            file = await self._opened(row.recording_id, name)
        if file is None:
            raise _gone(row)
        return file

    async def _bring(self, row: RecordingRow, manifest: Manifest, names: Sequence[str]) -> None:
        """Have files here that are made use of next."""
        missing = [name for name in names if not await self._is_here(row.recording_id, name)]
        if not missing:
            return
        if self._copies is None or row.uploaded_at is None:
            log.error("recording_gone", recording_id=row.recording_id, files=missing)
            raise _gone(row)
        try:
            await self._copies.fetch(manifest, missing)
        except CopyFailed as error:
            log.error("recording_not_fetched", recording_id=row.recording_id, reason=str(error))
            raise ParleyError(
                "recording_unavailable", f"the recording {row.recording_id!r} cannot be had from where it is kept now"
            ) from error

    async def _is_here(self, recording_id: str, name: str) -> bool:
        file = await self._opened(recording_id, name)
        if file is not None:
            file.close()
        return file is not None

    async def _opened(self, recording_id: str, name: str, *, rendered: bool = False) -> BinaryIO | None:
        try:
            fd = await asyncio.to_thread(self.folder.open, recording_id, name, rendered=rendered)
        except FileNotFoundError:
            return None
        except OSError as error:
            log.error("recording_unreadable", recording_id=recording_id, file=name, reason=str(error))
            raise ParleyError("recording_unavailable", f"the recording {recording_id!r} cannot be read now") from error
        return os.fdopen(fd, "rb")


def _nothing(row: RecordingRow, manifest: Manifest, left: str | None) -> ParleyError:
    if manifest.files.audio is None:
        return ParleyError("not_found", f"the recording {row.recording_id!r} is {row.status}: there is no audio")
    if not manifest.files.tracks:
        return ParleyError("tracks_not_recorded", f"the recording {row.recording_id!r} has no tracks to tell apart")
    return ParleyError("not_found", f"the recording {row.recording_id!r} has no track of the call {left!r}")


def _gone(row: RecordingRow) -> ParleyError:
    return ParleyError("not_found", f"the audio of the recording {row.recording_id!r} is no longer here")
