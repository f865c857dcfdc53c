import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from server.caller.cli import call
from server.caller.codecs import as_int16
from server.caller.files import read_wav, write_wav
from tests.server.caller.far_end import TONE_HZ, FarEnd, far_end
from tests.support.tones import hears, level_at, tone

FILE_HZ = 430.0


@pytest.fixture
def server() -> Iterator[FarEnd]:
    with far_end() as state:
        yield state


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    path = tmp_path / "speech.wav"
    write_wav(path, as_int16(tone(FILE_HZ, 0.6, 16000, 6000)), 16000)
    return path


def run(*arguments: str | Path, env: dict[str, str] | None = None) -> Result:
    app = typer.Typer()
    app.command()(call)
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=env)


def test_plays_a_file_saves_what_it_hears_and_leaves(server: FarEnd, speech: Path, tmp_path: Path) -> None:
    saved = tmp_path / "heard.wav"
    options = ["--server", server.url, "--codec", "g722", "--muted"]
    result = run("team", "--play", speech, "--save", saved, *options)
    assert result.exit_code == 0, result.output
    assert "In conference team (conf-1) as call c-1, g722.\n" in result.output
    assert "Left team: the file is over." in result.output
    assert " 0 lost" in result.output
    assert f"s to {saved}." in result.output

    method, path, body = server.requests[0]
    assert (method, path, body["muted"]) == ("POST", "/v1/conferences/team/participants", True)
    assert server.requests[-1][:2] == ("DELETE", "/v1/calls/c-1")

    pcm, rate = read_wav(saved)
    assert rate == 16000
    assert len(pcm) / rate == pytest.approx(1.7, abs=0.6)  # the file, and the tail after it
    assert hears(pcm[rate // 5 :], rate, [TONE_HZ, FILE_HZ]) == {TONE_HZ: True, FILE_HZ: False}
    heard = server.rtp.heard()
    assert level_at(heard.pcm[: heard.rate], heard.rate, FILE_HZ) > 2000


def test_loops_the_file_for_as_long_as_asked(server: FarEnd, speech: Path) -> None:
    options = ["--seconds", "1.6", "--server", server.url, "--codec", "pcmu"]
    result = run("team", "--play", speech, "--loop", *options)
    assert result.exit_code == 0, result.output
    assert "Left team: 1.6 s are over." in result.output
    heard = server.rtp.heard()
    for begin_s in (0.1, 0.7, 1.2):
        begin = int(begin_s * heard.rate)
        part = heard.pcm[begin : begin + heard.rate // 5]
        assert level_at(part, heard.rate, FILE_HZ) == pytest.approx(6000, rel=0.1)


def test_presses_digits(server: FarEnd) -> None:
    options = ["--seconds", "0.8", "--server", server.url, "--codec", "pcma"]
    result = run("team", "--digits", "4#", *options)
    assert result.exit_code == 0, result.output
    assert server.rtp.digits_heard() == "4#"


def test_stops_when_the_server_hangs_up(server: FarEnd) -> None:
    server.hang_up_after_join = True
    result = run("team", "--server", server.url)
    assert result.exit_code == 0, result.output
    assert "the server hung up" in result.output
    assert [method for method, *_ in server.requests] == ["POST"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_cleanly_and_the_wav_is_whole(
    server: FarEnd, tmp_path: Path, number: signal.Signals
) -> None:
    saved = tmp_path / "heard.wav"
    code = "import typer; from server.caller.cli import call; typer.run(call)"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "team", "--save", str(saved), "--server", server.url, "--codec", "pcmu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert server.joined.wait(20)
        pause = threading.Event()
        while server.rtp.counts().received < 10 and process.poll() is None:
            pause.wait(0.02)
        os.kill(process.pid, number)
        output, _ = process.communicate(timeout=10)
    finally:
        process.kill()
    assert process.returncode == 0, output
    assert "Ctrl-C leaves." in output
    assert "Left team: interrupted." in output
    assert server.requests[-1][:2] == ("DELETE", "/v1/calls/c-1")
    pcm, rate = read_wav(saved)
    assert level_at(pcm[-1000:], rate, TONE_HZ) == pytest.approx(6000, rel=0.1)


def test_the_key_comes_from_the_environment(server: FarEnd) -> None:
    result = run("team", "--seconds", "0.1", "--server", server.url, env={"PARLEY_API_KEY": "id:secret"})
    assert result.exit_code == 0, result.output
    assert set(server.authorization) == {"Bearer id:secret"}


def refused(result: Result) -> str:
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)  # not a traceback
    return " ".join(result.output.split())


def test_a_missing_file_is_said_before_joining(server: FarEnd, tmp_path: Path) -> None:
    text = refused(run("team", "--play", tmp_path / "gone.wav", "--server", server.url))
    assert "There is no file" in text
    assert "gone.wav" in text
    assert server.requests == []


def test_a_refusal_is_told_in_the_servers_words(server: FarEnd, tmp_path: Path) -> None:
    problem: dict[str, object] = {"code": "conference_full", "detail": "the conference 'team' is full"}
    server.refusals["POST", "/v1/conferences/team/participants"] = (409, problem)
    text = refused(run("team", "--server", server.url, "--save", tmp_path / "a.wav"))
    assert text == "The server refused (conference_full): the conference 'team' is full"


def test_a_server_that_is_not_there_is_said() -> None:
    text = refused(run("team", "--server", "http://127.0.0.1:9"))
    assert "No server answers at http://127.0.0.1:9" in text
    assert "python -m server --dev" in text


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [("--codec", "speex", "--codec: unknown codec 'speex'"), ("--key", "secret", "with a colon")],
)
def test_options_that_cannot_be_used_are_said(server: FarEnd, option: str, value: str, text: str) -> None:
    assert text in refused(run("team", option, value, "--server", server.url))
    assert server.requests == []


def test_a_mistake_after_joining_hangs_up(server: FarEnd) -> None:
    text = refused(run("team", "--digits", "1x", "--server", server.url))
    assert "--digits: 'x' is not a telephone digit" in text
    assert server.requests[-1][:2] == ("DELETE", "/v1/calls/c-1")
