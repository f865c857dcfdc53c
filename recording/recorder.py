"""One recording while it runs: puts each tick's sound where it belongs in capture files, and ends in publishing.

Decides where a tick's sound goes, when it is written, and that nothing the disk does ever comes back as an
exception: a recorder that can't write says so in `failed` and takes everything else with open arms. How files
look is in `capture`, what the journal's lines mean in `story`, what becomes of both in `publish`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recording.catalog.manifest import Manifest
from recording.catalog.messages import RecorderConfig

Sound = npt.NDArray[np.int16]


class Recorder:
    """Makes the capture folder in `folder` at once. Never raises for what the disk does.

    `failed`: why nothing more is written, a `FailureReason`, or None; `detail` says it in words.
    `bytes_written`: into capture files. `last_tick`: the highest seen in any way, -1 at first.
    `stopped`: a mark ended the recording; `finish` is what is left to do.
    """

    failed: str | None
    detail: str
    bytes_written: int
    last_tick: int
    stopped: bool

    def __init__(self, folder: Path, config: RecorderConfig, unix_now: Callable[[], float]) -> None:
        raise NotImplementedError

    def frame(self, tick: int, mix: tuple[int, Sound] | None, tracks: Sequence[tuple[int, int, Sound]]) -> None:
        """The sound of one tick: of the room (rate in Hz, 20 ms of samples; None: silence), and of each track
        that is not silent (its index, rate, samples). The arrays are copied. Ticks must rise: one that comes
        again is ignored.
        """
        raise NotImplementedError

    def mark(self, tick: int, mark: Mapping[str, Any]) -> None:
        """Something that happened just before `tick`, as the mixer tells it:
        {"track": index, "call_id"}, {"joined": call_id}, {"left": call_id}, {"coaching": call_id},
        {"uncoached": call_id} (and the other kinds of notes alike), {"pause": "silence"|"skip"},
        {"resume": true}, {"stop": true}. Anything else is ignored.
        """
        raise NotImplementedError

    def note(self, unix_s: float, note: Mapping[str, Any]) -> None:
        """Something the server tells of a call: {"kind": NoteKind, "call_id", "label"}, the fields of `Note`.
        Where the mixer marked the same kind for the same call, its ticks count.
        """
        raise NotImplementedError

    def gap(self, tick: int, ticks: int, reason: str) -> None:
        """Sound of `ticks` ticks from `tick` on did not get here; it is silence in the recording."""
        raise NotImplementedError

    def sync(self, now: float) -> None:
        """Call about every 50 ms; `now`: monotonic seconds. Writes what waits for 200 ms, and makes it all durable
        every second.
        """
        raise NotImplementedError

    def kept_ms(self) -> int:
        """How much of the room is in files."""
        raise NotImplementedError

    def finish(self, reason: str, last_tick: int) -> Manifest:
        """Write what waits, publish, and say what was published. `last_tick`: the number of the last tick that
        passed, -1 if none did. Takes as long as encoding takes.
        """
        raise NotImplementedError
