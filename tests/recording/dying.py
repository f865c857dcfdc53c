"""A recorder of its own process, to be killed: records ticks as fast as it can and says how far it is.

`python -m tests.recording.dying FOLDER RECORDING_ID TICKS`: before each sync it waits for a byte on stdin, after it it
prints the number of its last tick; after so many ticks it finishes. Sound is a counter, so that each sample tells its
place.
"""

import sys
from pathlib import Path

import numpy as np

from recording.recorder import Recorder
from tests.recording.making import STARTED, Samples, config_in

SYNC_EVERY_TICKS = 5


def sample_at(tick: int, rate: int) -> Samples:
    """Never zero, always loud enough, and of no other tick within minutes."""
    return np.full(rate // 50, 1000 + tick % 30_000, np.int16)


def main() -> None:
    folder, recording_id, ticks = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    config = config_in(folder, recording_id=recording_id, trim=False)
    recorder = Recorder(folder, config, lambda: STARTED)
    for index in range(3):
        recorder.mark(0, {"track": index, "call_id": f"call-{index}"})
        recorder.mark(0, {"joined": f"call-{index}"})
    for tick in range(ticks):
        sound = sample_at(tick, 8000)
        recorder.frame(tick, (8000, sound), [(index, 8000, sound) for index in range(3)])
        if tick % SYNC_EVERY_TICKS == SYNC_EVERY_TICKS - 1:
            sys.stdin.read(1)
            # As fast as it can, but as often for each second of sound as in real time.
            recorder.sync((tick + 1) * 0.02)
            sys.stdout.write(f"{tick}\n")
            sys.stdout.flush()
    sys.stdout.write("finishing\n")
    sys.stdout.flush()
    recorder.finish("stopped", ticks - 1)
    sys.stdout.write("finished\n")


if __name__ == "__main__":
    main()
