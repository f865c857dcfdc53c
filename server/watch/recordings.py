"""`python -m server recordings ls|get|repair`: what was recorded, downloading it, publishing what crashes left."""

import contextlib
import json
import os
import subprocess
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote, urlencode

import typer
from rich.table import Table

from recording.catalog import repair_command
from server.caller.client import DEFAULT_URL, ParleyClient
from server.caller.errors import CallerError
from server.watch import listing, tables
from server.watch.listing import Json

recordings = typer.Typer(no_args_is_help=True, help="List, download and repair recordings.")

Server = Annotated[str, typer.Option(help="The server's address.")]
Key = Annotated[str | None, typer.Option(help="API key id:secret; none in dev mode.", envvar="PARLEY_API_KEY")]

RENDER_S: Final = 600.0
"""How long a server may take to render another format before it sends anything."""
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")


class Format(StrEnum):
    """Formats of a recording."""

    WAV = "wav"
    FLAC = "flac"
    OGG = "ogg"
    MP3 = "mp3"


@recordings.command("ls")
def ls(
    conference: Annotated[
        str | None, typer.Option(help="Of one conference only: its id, or its name while it is in progress.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON as the API gives it.")] = False,
    server: Server = DEFAULT_URL,
    key: Key = None,
) -> None:
    """List recordings, the newest first."""
    try:
        with ParleyClient(server, key) as client:
            wanted = {}
            if conference is not None:
                # A recording outlives its conference's events: an id may be of one that is forgotten.
                found_conference = listing.find(client, conference) or {"conference_id": conference}
                wanted["conference_id"] = found_conference["conference_id"]
            found = listing.recordings(client, limit, **wanted)
    except CallerError as error:
        raise _failed(str(error)) from None
    tables.show(_table(found), "recordings", found, as_json=as_json)


@recordings.command("get")
def get(
    recording: Annotated[str, typer.Argument(help="Id of a recording.")],
    form: Annotated[Format, typer.Option("--format", help="Format of the room's sound.")] = Format.WAV,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; otherwise the id with the format's ending.")
    ] = None,
    track: Annotated[str | None, typer.Option(help="What this call said, as FLAC, not the room.")] = None,
    left: Annotated[str | None, typer.Option(help="Two channels: this call left, all others right.")] = None,
    server: Server = DEFAULT_URL,
    key: Key = None,
) -> None:
    """Download a recording's sound."""
    if track is not None and (left is not None or form not in (Format.WAV, Format.FLAC)):
        raise _failed("A track is had as FLAC, by itself: leave out --left and --format.")
    ending = Format.FLAC if track is not None else form
    target = output or Path(f"{recording}{'' if track is None else '-' + track}.{ending}".replace("/", "_"))
    try:
        with ParleyClient(server, key, timeout_s=RENDER_S) as client:
            written = _save(client, _path(recording, form, track, left), target)
    except CallerError as error:
        raise _failed(str(error)) from None
    except OSError as error:
        raise _failed(f"{target} cannot be written: {error.strerror or error}.") from None
    typer.echo(f"{target}: {shown_bytes(written)}")


@recordings.command("repair")
def repair(
    data_dir: Annotated[
        Path, typer.Option(help="The server's data folder. [PARLEY_DATA_DIR, ./data]", envvar="PARLEY_DATA_DIR")
    ] = Path("data"),
    recording: Annotated[str | None, typer.Option(help="Repair this one alone: the id of a recording.")] = None,
) -> None:
    """Publish what crashes left, as the server does when it starts. What is still being written is left alone."""
    directory = data_dir / "recordings"
    if not directory.is_dir():
        raise _failed(f"There is no folder {directory}. Name the server's data folder with --data-dir.")
    try:
        command = repair_command(directory, recording_id=recording)
    except ValueError as error:
        raise _failed(str(error)) from None
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line]
    for line in lines:
        typer.echo(_outcome(line))
    if done.returncode != 0:
        raise _failed(done.stderr.strip() or "Not all could be repaired.")
    if not lines:
        typer.echo("There is nothing to repair.")


def _path(recording: str, form: Format, track: str | None, left: str | None) -> str:
    base = f"/v1/recordings/{quote(recording, safe='')}"
    if track is not None:
        return f"{base}/tracks/{quote(track, safe='')}/audio.flac"
    query = "" if left is None else "?" + urlencode({"channels": 2, "left": left})
    return f"{base}/audio.{form}{query}"


def _save(client: ParleyClient, path: str, target: Path) -> int:
    """Write what a path gives to a file, which is there when all of it is; return its length in bytes."""
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with client.download(path) as blocks, unfinished.open("wb") as file:
            written = sum(file.write(block) for block in blocks)
        unfinished.replace(target)
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
    return written


def _outcome(line: Json) -> str:
    what = line["outcome"]
    if what == "published":
        what = f"{line['status']}, {line['duration_s']:.1f} s" + (
            f", {line['lost_ms']} ms lost" if line["recovered"] else ""
        )
    elif what == "recording":
        what = "is still being written"
    else:
        what = f"{what}: {line.get('detail') or line.get('reason')}"
    return f"{line['recording_id']}  {what}"


def _table(found: list[Json]) -> Table:
    table = tables.make("STARTED", "STATUS", "LENGTH", "SIZE", "TRACKS", "RECORDING", "CONFERENCE")
    for recording in found:
        size = "" if recording["byte_size"] is None else shown_bytes(recording["byte_size"])
        tables.add(
            table,
            recording["started_at"],
            recording["status"],
            f"{recording['duration_s']:.1f} s",
            size,
            len(recording["tracks"]) or "",
            recording["recording_id"],
            recording["conference_id"],
        )
    return table


def shown_bytes(count: int) -> str:
    """Return a size as people read it."""
    size, unit = float(count), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"


def _failed(words: str) -> typer.Exit:
    typer.secho(words, fg=typer.colors.RED, err=True)
    return typer.Exit(1)
