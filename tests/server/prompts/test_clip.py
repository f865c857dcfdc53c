import os

import pytest

from server.prompts.clip import RATES, memory_file, sealed_clip


def files(samples: dict[int, int], odd_bytes: int = 0) -> dict[int, int]:
    fds = {rate: memory_file("x") for rate in samples}
    for rate, fd in fds.items():
        os.write(fd, bytes(2 * samples[rate] + odd_bytes))
    return fds


def test_a_clip_tells_its_length_and_size() -> None:
    fds = files({rate: rate // 2 for rate in RATES})
    clip = sealed_clip("clip_x", fds)
    assert clip.duration_ms == 500
    assert clip.samples == {8000: 4000, 16_000: 8000, 24_000: 12_000, 48_000: 24_000}
    assert clip.size_bytes == 96_000
    clip.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fds[8000])


@pytest.mark.parametrize(
    ("samples", "odd_bytes"),
    [({8000: 0, 16_000: 0}, 0), ({8000: 100, 16_000: 200}, 1), ({8000: 8000, 16_000: 8000}, 0)],
    ids=["empty", "half a sample", "of two lengths"],
)
def test_files_that_are_no_clip_are_refused(samples: dict[int, int], odd_bytes: int) -> None:
    fds = files(samples, odd_bytes)
    try:
        with pytest.raises(ValueError, match="a clip has to"):
            sealed_clip("clip_x", fds)
    finally:
        for fd in fds.values():
            os.close(fd)
