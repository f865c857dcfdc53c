"""`make setup` finds a Python that will do, or says what is missing. The Pythons here are shell scripts."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent


def fake_python(folder: Path, name: str, version: str, *, makes_venvs: bool = True) -> Path:
    """Write a command that answers the three questions the script asks of a Python."""
    new_enough = tuple(map(int, version.split("."))) >= (3, 11)
    path = folder / name
    path.write_text(
        "#!/bin/sh\n"
        'case "$2" in\n'
        f"    *ensurepip*) exit {int(not makes_venvs)} ;;\n"
        f"    *print*) echo {version} ;;\n"
        f"    *sys.exit*) exit {int(not new_enough)} ;;\n"
        "    *) exit 99 ;;\n"
        "esac\n"
    )
    path.chmod(0o755)
    return path


def find_python(folder: Path, named: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", 'set -eu; set -- "$0"; . scripts/python.sh; echo "$PYTHON $PYTHON_VERSION"', named],
        cwd=ROOT,
        env={**os.environ, "PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_takes_python3_if_it_will_do(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3", "3.12.1")
    fake_python(tmp_path, "python3.11", "3.11.9")
    assert find_python(tmp_path).stdout == "python3 3.12.1\n"


def test_passes_over_one_that_is_too_old(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3", "3.9.2")
    fake_python(tmp_path, "python3.11", "3.11.9")
    assert find_python(tmp_path).stdout == "python3.11 3.11.9\n"


def test_passes_over_one_that_cannot_make_environments(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3", "3.13.0", makes_venvs=False)
    fake_python(tmp_path, "python3.11", "3.11.9")
    assert find_python(tmp_path).stdout == "python3.11 3.11.9\n"


def test_takes_the_one_that_is_named(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3", "3.12.1")
    named = fake_python(tmp_path, "mine", "3.11.4")
    assert find_python(tmp_path, str(named)).stdout == f"{named} 3.11.4\n"


def test_says_that_the_only_one_is_too_old(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3", "3.9.2")
    result = find_python(tmp_path)
    assert result.returncode == 1
    assert "Parley needs Python 3.11 or newer" in result.stderr
    assert "python3 is 3.9.2" in result.stderr


def test_says_what_to_install_when_venv_is_missing(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3", "3.11.2", makes_venvs=False)
    result = find_python(tmp_path)
    assert result.returncode == 1
    assert "python3 (3.11.2) cannot make a virtual environment" in result.stderr
    assert "apt install python3-venv" in result.stderr


def test_says_that_there_is_none(tmp_path: Path) -> None:
    result = find_python(tmp_path)
    assert result.returncode == 1
    assert "found none under: python3 python3.13" in result.stderr
    assert "PYTHON=/path/to/python3" in result.stderr
