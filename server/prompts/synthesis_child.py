"""The child that plays the server's own sounds: `python -m server.prompts.synthesis_child REPORT_FD SOUND RATE:FD...`.

A process of its own because numpy takes a second of CPU and tens of megabytes for it, once, which would stay with the
server. It reads nothing from anywhere; the limits only keep a mistake small.
"""

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from server.prompts.beeps import BEEPS, beep
from server.prompts.confine import confine
from server.prompts.music import music

MEMORY_BYTES: Final = 1 << 30
CPU_S: Final = 30
FILE_BYTES: Final = 16 << 20


def main(arguments: list[str]) -> int:
    """Play the sound into the files of the command line; the one note of the report is the sound's digest."""
    report_fd, sound = int(arguments[0]), arguments[1]
    outputs = {int(rate): int(fd) for rate, fd in (argument.split(":") for argument in arguments[2:])}
    np.fft.irfft(np.fft.rfft(np.random.default_rng(0).random(8)))  # numpy imports these late
    confine(memory_bytes=MEMORY_BYTES, cpu_s=CPU_S, file_bytes=FILE_BYTES)
    digest = hashlib.sha256()
    for rate, samples in played(sound, tuple(outputs)).items():
        data = samples.astype("<i2").tobytes()
        digest.update(data)
        _write_all(outputs[rate], memoryview(data))
    _write_all(report_fd, memoryview(json.dumps({"notes": [digest.hexdigest()]}).encode()))
    return 0


def played(sound: str, rates: Sequence[int]) -> dict[int, npt.NDArray[np.int16]]:
    """Return a sound at each rate: "music", "enter" or "leave"."""
    if sound == "music":
        return music(rates)
    for name in BEEPS:
        if name == sound:
            return beep(name, rates)
    raise ValueError(f"there is no sound {sound!r}")


def _write_all(fd: int, data: memoryview) -> None:
    while data:
        data = data[os.write(fd, data) :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
