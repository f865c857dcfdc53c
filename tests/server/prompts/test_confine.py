"""What a confined process can no longer do. Each case is a process of its own, because there is no way back."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.prompts.files import encoded

ROOT = Path(__file__).parents[3]
CONFINED = "from server.prompts.confine import confine\nconfine(memory_bytes=512 << 20, cpu_s=1, file_bytes=1000)\n"


def result(program: str, *arguments: str, pass_fds: tuple[int, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        pass_fds=pass_fds,
    )


@pytest.mark.parametrize(
    "attempt",
    [
        "open('/etc/passwd')",
        "open('/dev/null', 'w')",
        "__import__('os').memfd_create('x')",
        "__import__('os').pipe()",
        "__import__('_socket').socket()",
    ],
)
def test_nothing_can_be_opened(attempt: str) -> None:
    before = "import os, sys, _socket\n"
    tried = f"try:\n    {attempt}\nexcept OSError as error:\n    print(error.errno)\nelse:\n    print('open')"
    assert result(before + CONFINED + tried).stdout == "24\n"


def test_memory_is_bounded() -> None:
    done = result(CONFINED + "try:\n    bytearray(600 << 20)\nexcept MemoryError:\n    print('no more')")
    assert done.stdout == "no more\n"


def test_computing_is_bounded() -> None:
    assert result(CONFINED + "while True:\n    pass").returncode == -signal.SIGXCPU


def test_files_are_bounded() -> None:
    program = (
        f"import os\nfd = os.memfd_create('x')\n{CONFINED}os.write(fd, bytes(1000))\n"
        "try:\n    os.write(fd, b'x')\nexcept OSError as error:\n    print(error.errno)"
    )
    assert result(program).stdout == "27\n"


def test_privileges_and_dumps_are_given_up() -> None:
    status = "file = open('/proc/self/status')\n"
    done = result(status + CONFINED + "print(file.read())")
    assert "NoNewPrivs:\t1" in done.stdout
    assert result("import os\n" + CONFINED + "print(os.nice(0))").stdout == f"{os.nice(0) + 10}\n"


DECODE_IN_LITTLE_MEMORY = """
import sys
from pathlib import Path
from server.prompts import decode_child
real = decode_child.confine
def confine(*, memory_bytes, cpu_s, file_bytes):
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    real(memory_bytes=pages * 4096 + 65536, cpu_s=cpu_s, file_bytes=file_bytes)
decode_child.confine = confine
sys.exit(decode_child.main(sys.argv[1:]))
"""


def test_a_file_that_takes_more_memory_than_there_is_is_refused() -> None:
    fds = {name: os.memfd_create(name) for name in ("report", "input", "8000")}
    try:
        os.write(fds["input"], encoded("flac", seconds=3, rate=192_000))
        os.lseek(fds["input"], 0, os.SEEK_SET)
        arguments = (str(fds["report"]), "flac", str(fds["input"]), f"8000:{fds['8000']}")
        done = result(DECODE_IN_LITTLE_MEMORY, *arguments, pass_fds=tuple(fds.values()))
        assert done.returncode == 0, done.stderr
        report = json.loads(os.pread(fds["report"], 4096, 0))
        assert report["code"] == "prompt_decode_failed"
        assert "memory" in report["detail"]
    finally:
        for fd in fds.values():
            os.close(fd)
