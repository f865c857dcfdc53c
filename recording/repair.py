"""Publishing what a crash left: `python -m recording.repair FOLDER`, a child process of the server or by hand.

Decides what a part folder without a living recorder becomes, and what of it counts as lost. Publishing itself is
the way every recording takes. Killed at any point, it can be run again; run twice, it finds nothing to do.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from recording.capture import ticks_in
from recording.catalog.checking import MalformedError
from recording.catalog.manifest import Manifest
from recording.catalog.messages import RecorderConfig
from recording.catalog.names import PART_SUFFIX, folder_name, recording_id_of
from recording.disk import allow_many_files, names_in, open_folder, reason_of
from recording.journal import Journal
from recording.part import PartFolder
from recording.publish import Ending, publish
from recording.story import Story
from recording.timeline import TICK_MS, TICKS_PER_S
from recording.voices import Capture

CRASHED = "recorder_lost"
"""Why a recording ended that nobody ended."""


class StillRecordingError(Exception):
    """The folder's recorder lives, or another repair is at it."""


def repair(part_dir: Path, until_unix_s: float | None = None) -> Manifest:
    """Publish a `.part` folder. `until_unix_s`: until when there would have been something to record, if known.

    Raises StillRecordingError, OSError, ValueError if the folder's name is not of a recording.
    """
    recording_id = recording_id_of(part_dir.name)
    if recording_id is None or not part_dir.name.endswith(PART_SUFFIX):
        raise ValueError(f"{part_dir.name} is no unfinished recording")
    parent_fd = open_folder(part_dir.parent)
    try:
        part = PartFolder(parent_fd, folder_name(recording_id))
        try:
            return _repair(part, recording_id, until_unix_s)
        finally:
            part.close()
    finally:
        os.close(parent_fd)


def _repair(part: PartFolder, recording_id: str, until_unix_s: float | None) -> Manifest:
    # Before its lines or captures there is no journal; after its publishing neither.
    finished = _finished(part)
    try:
        journal = Journal(part.fd, create=finished is None)
    except FileNotFoundError:
        assert finished is not None, "a journal that is not there is made"
        part.conclude(finished)
        return finished
    except BlockingIOError:
        raise StillRecordingError(f"{part.name} is being written") from None
    try:
        # Its recorder may have published it between our look and our lock.
        finished = _finished(part)
        if finished is not None:
            part.conclude(finished)
            return finished
        story = Story()
        story.fold(journal.lines())
        config = story.config or _made_up_config(part, recording_id)
        return publish(part, config, story, _ending(part, config, story, until_unix_s))
    finally:
        journal.close()


def _finished(part: PartFolder) -> Manifest | None:
    """The manifest, if it is there and true: then only the last steps are missing."""
    try:
        manifest = part.read_manifest()
    except MalformedError:
        return None
    return manifest if manifest is not None and (part.holds(manifest) or not part.capture_names()) else None


def _ending(part: PartFolder, config: RecorderConfig, story: Story, until_unix_s: float | None) -> Ending:
    if story.finish_reason is not None and story.failure is None:
        # It was all there; only publishing was cut off.
        end_tick, lost = story.last_tick + 1, story.resumed_lost_ticks or 0
        length = story.timeline.place(end_tick)
    else:
        length = _captured_places(part)
        end_tick = story.timeline.tick_at(length)
        last_tick = story.last_tick
        if until_unix_s is not None:
            last_tick = max(last_tick, round((until_unix_s - config.started_unix_s) * TICKS_PER_S) - 1)
        lost = max(0, story.timeline.place(last_tick + 1) - length) + (story.resumed_lost_ticks or 0)
    return Ending(
        reason=story.finish_reason or CRASHED,
        length_ms=length * TICK_MS,
        end_tick=end_tick,
        failure=story.failure,
        recovered=True,
        lost_ms=lost * TICK_MS,
    )


def _captured_places(part: PartFolder) -> int:
    """How many ticks of the recording are in files."""
    longest = 0
    for name in part.capture_names():
        capture = Capture(name, part.fd)
        longest = max(longest, ticks_in(capture.samples, name.sample_rate))
        capture.close()
    return longest


def _made_up_config(part: PartFolder, recording_id: str) -> RecorderConfig:
    """Of a recording whose journal lost its first line: what can be known."""
    written_at = max(
        os.stat(name, dir_fd=part.fd, follow_symlinks=False).st_mtime for name in [*names_in(part.fd), "."]
    )
    started_at = written_at - _captured_places(part) / TICKS_PER_S
    return RecorderConfig(recording_id, "", "", "", "", started_at, trim=False, tracks=True)


def main(arguments: list[str] | None = None) -> int:
    """Repair all of a folder, or one of it; a line of JSON for each. Returns 1 if one could not be repaired."""
    parser = argparse.ArgumentParser(prog="python -m recording.repair", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where all recordings are")
    parser.add_argument("--only", metavar="ID", help="repair this recording alone")
    parser.add_argument("--until", type=float, metavar="UNIX_S", help="until when there was something to record")
    options = parser.parse_args(arguments)
    allow_many_files()
    if options.only is not None:
        found = [options.folder / (folder_name(options.only) + PART_SUFFIX)]
    else:
        found = sorted(path for path in options.folder.iterdir() if _is_part(path.name))
    outcomes = [_outcome(path, options.until) for path in found]
    for outcome in outcomes:
        sys.stdout.write(json.dumps(outcome) + "\n")
    return 1 if any(outcome["outcome"] == "failed" for outcome in outcomes) else 0


def _is_part(name: str) -> bool:
    return name.endswith(PART_SUFFIX) and recording_id_of(name) is not None


def _outcome(part_dir: Path, until_unix_s: float | None) -> dict[str, Any]:
    told: dict[str, Any] = {"recording_id": recording_id_of(part_dir.name)}
    try:
        manifest = repair(part_dir, until_unix_s)
    except StillRecordingError:
        return told | {"outcome": "recording"}
    except OSError as error:
        return told | {"outcome": "failed", "reason": reason_of(error), "detail": str(error)}
    return told | {
        "outcome": "published",
        "status": manifest.status,
        "reason": manifest.reason,
        "duration_s": manifest.duration_s,
        "recovered": manifest.recovered,
        "lost_ms": manifest.lost_ms,
    }


if __name__ == "__main__":
    sys.exit(main())
