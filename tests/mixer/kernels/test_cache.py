"""When what was compiled ahead is used, where it is kept, and what happens where that can not be."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from mixer import kernels
from mixer.kernels import __main__ as command
from mixer.kernels import cache

ROOT = Path(kernels.__file__).parents[2]
FEW = """
import sys
from mixer.kernels import __main__ as command, cache, registry

cache._MODULES = ("leaving",)
code = command.main()
loops = cache.functions()
assert set(loops) == set(registry.LOOPS)
print(code, cache.ready(), sum(sum(each.stats.cache_misses.values()) for each in loops.values()))
"""
"""Compiles a few loops only, which takes two seconds, and says whether anything is left to be compiled then."""
needs_numba = pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")


def python(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python, loops being kept at `place`."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "NUMBA_CACHE_DIR": str(place), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def few_compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a few loops were compiled to."""
    place = tmp_path_factory.mktemp("few")
    done = python(place, "-c", FEW)
    assert (done.stdout, done.stderr, done.returncode) == ("0 True 0\n", "", 0)
    return place


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sources, compiled by all appearances."""
    copy = tmp_path / "mixer"
    for file in (*sorted((ROOT / "mixer/kernels").glob("*.py")), *(ROOT / "mixer" / name for name in cache._CONSTANTS)):
        target = copy / file.relative_to(ROOT / "mixer")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, target)
    monkeypatch.setattr(cache, "_HERE", copy / "kernels")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kept"))
    cache.directory().mkdir(parents=True)
    (cache.directory() / "stamp").write_text(cache._stamp())
    assert cache.ready()
    return copy


@needs_numba
def test_all_is_kept_where_the_environment_says(few_compiled: Path) -> None:
    names = {path.name.split(".")[1].split("-")[0] for path in few_compiled.rglob("*.nbc")}
    assert {"write", "advance", "own_rows", "point"} <= names
    assert (few_compiled / "parley" / "stamp").is_file()


@needs_numba
def test_what_is_compiled_is_not_compiled_again(few_compiled: Path) -> None:
    kept = {path: path.stat().st_mtime_ns for path in few_compiled.rglob("*") if path.is_file()}
    done = python(few_compiled, "-c", FEW)
    assert (done.stdout, done.stderr) == ("0 True 0\n", "")
    assert {path: path.stat().st_mtime_ns for path in few_compiled.rglob("*") if path.is_file()} == kept


@needs_numba
def test_what_is_there_of_old_sources_is_thrown_away(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cache.directory() / "stamp").write_text("of another version")
    (cache.directory() / "leftover.nbi").touch()
    seen = []
    monkeypatch.setattr(cache, "functions", lambda: seen.append(sorted(cache.directory().iterdir())))
    assert command.main() == 0
    assert seen == [[]], "gone before anything is compiled"
    assert cache.ready()


@needs_numba
@pytest.mark.parametrize("name", ["numba", "llvmlite"])
def test_another_version_is_not_ready(sources: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(cache, "version", lambda asked: "0.1" if asked == name else version(asked))
    assert not cache.ready()
    assert command_would_compile(monkeypatch)


@needs_numba
def test_another_python_is_not_ready(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version", "4.0")
    assert not cache.ready()


@needs_numba
def test_another_processor_is_not_ready(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_text = Path.read_text

    def another(path: Path, encoding: str | None = None) -> str:
        text = read_text(path, encoding)
        return "model name: another\n" if path == Path("/proc/cpuinfo") else text

    monkeypatch.setattr(Path, "read_text", another)
    assert not cache.ready()


@needs_numba
@pytest.mark.parametrize(
    "file", ["kernels/arriving.py", "kernels/sounding.py", "kernels/leaving.py", "dsp/limiter.py", "dsp/speech.py"]
)
def test_other_sources_are_not_ready(sources: Path, file: str) -> None:
    state = (sources / file).stat()
    os.utime(sources / file, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert not cache.ready()
    os.utime(sources / file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert cache.ready()
    with (sources / file).open("a") as end:
        end.write("\n")
    os.utime(sources / file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert not cache.ready()


@needs_numba
def test_what_can_not_be_written_is_not_ready(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """numba writes even where it only reads."""
    access: Callable[..., bool] = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))
    assert not cache.ready()


def test_nothing_is_loaded_that_is_not_ready(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kernels, "loops", None)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert not kernels.load()
    assert kernels.loops is None


def test_unload_leaves_everything_to_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "loops", kernels.Loops({}))
    assert kernels.load(), "what is loaded stays"
    kernels.unload()
    assert kernels.loops is None


@needs_numba
def test_where_nothing_can_be_kept_the_command_says_so(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.touch()
    done = python(place, "-m", "mixer.kernels")
    assert done.returncode == 1
    assert done.stderr == f"nothing can be kept in {place}/parley: File exists\n"


def test_without_numba_the_command_is_content_and_nothing_is_loaded(tmp_path: Path) -> None:
    """`-S`: a Python that knows of no packages but its own."""
    done = python(tmp_path, "-S", "-m", "mixer.kernels")
    assert done.returncode == 0
    assert done.stderr.startswith("numba is not installed")
    asked = python(tmp_path, "-S", "-c", "from mixer import kernels; print(kernels.load(), kernels.loops)")
    assert (asked.stdout, asked.stderr) == ("False None\n", "")


@needs_numba
def test_what_is_ready_is_not_loaded_by_a_python_without_numba(few_compiled: Path) -> None:
    asked = python(few_compiled, "-S", "-c", "from mixer import kernels; print(kernels.load(), kernels.loops)")
    assert (asked.stdout, asked.stderr) == ("False None\n", "")


def command_would_compile(monkeypatch: pytest.MonkeyPatch) -> bool:
    compiled = []
    monkeypatch.setattr(cache, "compile_all", lambda: compiled.append(True))
    assert command.main() == 0
    return bool(compiled)


@needs_numba
def test_what_was_cut_off_is_not_ready_and_not_taken(few_compiled: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    shutil.copytree(few_compiled, place)
    check = "from mixer import kernels; from mixer.kernels import cache; print(cache.ready(), kernels.load())"
    one = next(place.rglob("*.nbc"))
    one.write_bytes(one.read_bytes()[:100])
    assert python(place, "-c", check).stdout == "False False\n"
    one.unlink()
    assert python(place, "-c", check).stdout == "False False\n"


def test_what_cannot_be_loaded_is_done_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*, checked: bool) -> None:
        raise EOFError("Ran out of input")

    monkeypatch.setattr(kernels, "loops", None)
    monkeypatch.setattr(cache, "ready", lambda: True)
    monkeypatch.setattr(cache, "functions", broken)
    assert not kernels.load()
    assert "EOFError" in capsys.readouterr().err
