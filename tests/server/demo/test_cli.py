"""The demo's output and exit code, with a conversation that took place on paper."""

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

import server.demo.cli as cli
from server import clock
from server.caller.codecs import as_int16
from server.caller.errors import CallerError
from server.caller.files import read_wav, write_wav
from server.caller.session import Counts
from server.caller.timeline import Sound
from server.demo.receiver import Told
from server.demo.server_process import ServerStartError
from server.demo.talk import CODECS, Recorded, Talk
from server.demo.voices import RATE, conversation


class PaperServer:
    """Stands where `ServerProcess` stands."""

    exit_code: int | None = 0
    start_error: str | None = None
    url = "http://127.0.0.1:1"
    signing_secret = "a secret"

    def __init__(self, data_dir: Path, log: Path) -> None:
        assert data_dir.is_dir()
        self.stops = 0

    def start(self) -> float:
        if self.start_error:
            raise ServerStartError(self.start_error)
        return 0.5

    def stop(self) -> int | None:
        return self.exit_code

    def log_tail(self) -> str:
        return "[the last] words"


def paper_recording(voices: dict[str, NDArray[np.int16]], call_ids: dict[str, str]) -> Recorded:
    """All voices together, from half a second before they were said by this machine's clock."""
    mix = as_int16(sum((pcm.astype(np.float32) for pcm in voices.values()), np.zeros(4 * RATE, np.float32)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mix.wav"
        write_wav(path, np.concatenate([np.zeros(RATE // 2, np.int16), mix]), RATE)
        audio = path.read_bytes()
    began_at = clock.now() - clock.monotonic() + 9.5
    recording = {
        "status": "completed",
        "started_at": datetime.fromtimestamp(began_at, UTC).isoformat(),
        "duration_s": 4.5,
        "sha256": sha256(audio).hexdigest(),
        "tracks": [{"call_id": call_id, "sha256": sha256(b"x").hexdigest()} for call_id in call_ids.values()],
    }
    return Recorded(recording, 0.0, audio, dict.fromkeys(call_ids.values(), b"x"))


def paper_talk(hears_own: str = "") -> Talk:
    voices = {name: as_int16(pcm) for name, pcm in conversation(4.0).items()}
    said = {name: Sound(pcm, RATE, 10.0) for name, pcm in voices.items()}
    heard = {}
    for listener in voices:
        mix = sum(
            (pcm.astype(np.float32) for name, pcm in voices.items() if name != listener or name == hears_own),
            np.zeros(4 * RATE, np.float32),
        )
        heard[listener] = Sound(as_int16(mix), RATE, 10.05)
    call_ids = {name: f"call-{name}" for name in voices}
    story = [(status, call_id) for status in ("participant-join", "participant-leave") for call_id in call_ids.values()]
    story = [story[0], ("conference-start", ""), *story[1:], ("conference-end", ""), ("record-stop", "")]
    events: list[dict[str, Any]] = [
        {"id": f"e-{number}", "sequence": number, "params": {"status": status, "call_id": call_id}}
        for number, (status, call_id) in enumerate(story, 1)
    ]
    lateness = {"p50": 0.1, "p99": 0.2, "max": 0.3}
    stats: dict[str, Any] = {
        "mixer": {"ticks": 200, "late_ticks": 0, "lateness_ms": lateness},
        "calls": [{"call_id": call_id, "lost": 0} for call_id in call_ids.values()],
    }
    return Talk(
        conference_id="conf-1",
        join_ms=dict.fromkeys(voices, 5.0),
        said=said,
        heard=heard,
        counts=dict.fromkeys(voices, Counts(200, 200, 0, 0, 0, 0, 0)),
        call_ids=call_ids,
        stats=stats,
        events=events,
        told=Told("http://127.0.0.1:1/", list(events)),
        recording=paper_recording(voices, call_ids),
    )


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Talk | Exception], Result]:
    monkeypatch.setattr(cli, "ServerProcess", PaperServer)

    def run(outcome: Talk | Exception) -> Result:
        def talk(url: str, told: Told) -> Talk:
            assert url == PaperServer.url
            assert told.url.startswith("http://127.0.0.1:")
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setattr(cli, "talk", talk)
        app = typer.Typer()
        app.command()(cli.demo)
        return CliRunner().invoke(app, ["--folder", str(tmp_path / "demo")])

    return run


def test_all_of_it_held(run: Callable[[Talk | Exception], Result], tmp_path: Path) -> None:
    happened = paper_talk()
    result = run(happened)
    assert result.exit_code == 0, result.output
    assert "9 of 9 cells right" in result.output
    assert "70 to 70 ms" in result.output, result.output
    assert "All of it held" in result.output
    assert "✗" not in result.output
    assert (tmp_path / "demo" / "recording.wav").read_bytes() == happened.recording.audio
    assert (tmp_path / "demo" / "track-anna.flac").read_bytes() == b"x"
    for name in CODECS:
        pcm, rate = read_wav(tmp_path / "demo" / f"heard-by-{name}.wav")
        assert rate == RATE
        assert np.array_equal(pcm, happened.heard[name].pcm)


def test_an_echo_fails_by_name_and_shows_the_log(run: Callable[[Talk | Exception], Result]) -> None:
    result = run(paper_talk(hears_own="ben"))
    assert result.exit_code == 1
    assert "✗ who heard whom  ben hears their own voice" in result.output
    assert "Failed: who heard whom." in result.output
    assert "[the last] words" in result.output
    assert "All of it held" not in result.output


def test_a_server_that_does_not_stop_fails(
    run: Callable[[Talk | Exception], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PaperServer, "exit_code", None)
    result = run(paper_talk())
    assert result.exit_code == 1
    assert "Failed: server stopped." in result.output


def test_a_server_that_does_not_start_fails(
    run: Callable[[Talk | Exception], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PaperServer, "start_error", "the server ended with exit code 2")
    result = run(paper_talk())
    assert result.exit_code == 1
    assert "the server ended with exit code 2" in result.output
    assert "[the last] words" in result.output


def test_a_refused_join_fails(run: Callable[[Talk | Exception], Result]) -> None:
    result = run(CallerError("The server refused (no_media_ports): none is free"))
    assert result.exit_code == 1
    assert "no_media_ports" in result.output
