"""How the children are started that do what the server must not: repairing and rendering.

Decides their command lines and where what they render is found. Both print what happened; see `recording.repair`
and `recording.render`.
"""

import sys
from pathlib import Path
from typing import Final, Literal, get_args

from recording.catalog.manifest import Manifest
from recording.catalog.names import CACHE, folder_name

Format = Literal["wav", "flac", "ogg", "mp3"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)


class NothingToRenderError(LookupError):
    """The recording has no audio, or no track of that call: neither will it have one later."""


def rendered_name(manifest: Manifest, form: Format, left_call_id: str | None = None) -> str | None:
    """The name in the cache of a recording in a format; None if the published file itself is that.

    With `left_call_id`, of the view that has this call's voice left and all others right. Raises
    NothingToRenderError.
    """
    if manifest.files.audio is None:
        raise NothingToRenderError(f"the recording is {manifest.status}: it has no audio")
    if left_call_id is None:
        return None if form == "wav" else f"audio.{form}"
    for track in manifest.files.tracks:
        if track.call_id == left_call_id:
            return f"split-{track.name.removeprefix('track-').removesuffix('.flac')}.{form}"
    raise NothingToRenderError(f"the recording has no track of {left_call_id}")


def render_path(directory: Path, manifest: Manifest, form: Format, left_call_id: str | None = None) -> Path:
    """Where that file is, or will be once `render_command` has run. Raises NothingToRenderError."""
    folder = directory / folder_name(manifest.recording_id)
    name = rendered_name(manifest, form, left_call_id)
    if name is not None:
        return folder / CACHE / name
    assert manifest.files.audio is not None, "rendered_name has looked"
    return folder / manifest.files.audio.name


def render_command(directory: Path, recording_id: str, form: Format, left_call_id: str | None = None) -> list[str]:
    """Makes the file that `render_path` tells of, unless it is there; exits with 0, or 1 and a line on stderr."""
    command = [sys.executable, "-m", "recording.render", str(directory), recording_id, form]
    return command if left_call_id is None else [*command, f"--left={left_call_id}"]


def repair_command(directory: Path, *, recording_id: str | None = None, until_unix_s: float | None = None) -> list[str]:
    """Publishes what crashes left, all of it or one recording; prints a line of JSON for each."""
    command = [sys.executable, "-m", "recording.repair", str(directory)]
    if recording_id is not None:
        command.append(f"--only={recording_id}")
    if until_unix_s is not None:
        command.append(f"--until={until_unix_s}")
    return command
