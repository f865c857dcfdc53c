import subprocess
import sys
from pathlib import Path

import pytest

from recording.catalog import (
    NothingToRenderError,
    folder_name,
    render_command,
    render_path,
    rendered_name,
    repair_command,
)
from tests.recording.catalog.test_manifest import FULL


def test_the_catalogue_brings_neither_numpy_nor_codecs() -> None:
    script = (
        "import sys, recording.catalog; print([name for name in ('numpy', 'av', 'pydantic') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_where_rendered_files_are() -> None:
    folder = Path("/recordings") / folder_name(FULL.recording_id)
    assert render_path(Path("/recordings"), FULL, "wav") == folder / "audio.wav"
    assert render_path(Path("/recordings"), FULL, "mp3") == folder / "cache" / "audio.mp3"
    assert render_path(Path("/recordings"), FULL, "wav", "a") == folder / "cache" / "split-0.wav"
    with pytest.raises(NothingToRenderError):
        rendered_name(FULL, "ogg", "b")


def test_a_call_id_from_outside_is_no_option_of_ours() -> None:
    assert render_command(Path("/r"), "id", "ogg", "--help")[-1] == "--left=--help"


def test_what_is_repaired_is_named() -> None:
    assert repair_command(Path("/r"))[1:] == ["-m", "recording.repair", "/r"]
    assert repair_command(Path("/r"), recording_id="x", until_unix_s=1.5)[4:] == ["--only=x", "--until=1.5"]
