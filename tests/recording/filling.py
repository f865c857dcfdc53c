"""A recorder whose disk fills up: `python -m tests.recording.filling FOLDER TRACKS TRIM RATES` in a process of its own.

Records noise, which nothing makes smaller, at the rates one after the other until the recorder fails, then goes
on for a while as the mixer would, finishes, and prints what is to be known as JSON.
"""

import json
import resource
import signal
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from recording.recorder import Recorder
from tests.recording.making import STARTED, Samples, config_in

MOST_TICKS = 3000


def noise(tick: int, rate: int) -> Samples:
    return np.random.default_rng(tick).integers(-20_000, 20_000, rate // 50).astype(np.int16)


def main() -> None:
    folder, tracks, trim = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "trim"
    rates = [int(rate) for rate in sys.argv[4].split(",")]
    if len(sys.argv) > 5:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[5]),) * 2)
    recorder = Recorder(folder, config_in(folder, trim=trim), lambda: STARTED)
    failed_at = None
    for tick in range(MOST_TICKS):
        rate = rates[tick * len(rates) // MOST_TICKS]
        # Trimming has something to cut off the beginning.
        mix = (rate, noise(tick, rate)) if tick >= 10 else None
        recorder.frame(tick, mix, [(index, 8000, noise(tick + index, 8000)) for index in range(tracks)])
        recorder.sync(tick * 0.02)
        if failed_at is None and recorder.failed:
            failed_at = tick
    told = {"failed": recorder.failed, "failed_at": failed_at, "kept_ms": recorder.kept_ms(), "detail": recorder.detail}
    manifest = recorder.finish("stopped", MOST_TICKS - 1)
    sys.stdout.write(json.dumps(told | {"failed_in_the_end": recorder.failed, "manifest": asdict(manifest)}))


if __name__ == "__main__":
    main()
