"""The command line."""

import json
import os
import sys

import pytest

from server import cli


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PARLEY_")]:
        monkeypatch.delenv(name)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    return int(ended.value.code or 0)


def test_check_prints_the_settings_without_secrets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_API_KEYS", "anna:the-marker-1,ben:the-marker-2")
    monkeypatch.setenv("PARLEY_SIGNING_SECRET", "the-marker-3")
    monkeypatch.setenv("PARLEY_RELAY_PORT", "8443")
    assert run("check", "--port", "81") == 0
    captured = capsys.readouterr()
    assert "PARLEY_PORT = 81\n" in captured.out and "PARLEY_API_KEYS = anna:***,ben:***\n" in captured.out
    assert "PARLEY_RTP_PORTS = 20000-21999\n" in captured.out
    assert "the-marker" not in captured.out
    assert "PARLEY_RELAY_PORT has no effect" in captured.err


@pytest.mark.parametrize("arguments", [("check",), ("run",), ()])
def test_settings_that_cannot_be_used_end_the_program_with_a_reason(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert run(*arguments) == cli.EXIT_BAD_SETTINGS
    assert "PARLEY_API_KEYS" in capsys.readouterr().err


def test_flags_without_a_command_are_those_of_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--dev", "--port", "70000") == cli.EXIT_BAD_SETTINGS
    assert capsys.readouterr().err.startswith("parley: PARLEY_PORT")


def test_an_unknown_flag_or_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--nonsense") == 2
    assert run("chekc") == 2
    assert "check" in capsys.readouterr().err


def test_openapi_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("openapi") == 0
    assert "/v1/calls" in json.loads(capsys.readouterr().out)["paths"]


def test_help_names_every_command_and_imports_none_of_the_heavy_ones(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("server.caller.cli", "server.demo", "server.watch.ls", "server.watch.watch", "server.watch.webhooks"):
        monkeypatch.setitem(sys.modules, name, None)
    assert run("--help") == 0
    text = capsys.readouterr().out
    assert all(name in text for name in ("run", "check", "openapi", "call", "ls", "watch", "webhooks", "demo"))


def test_a_lazy_command_is_imported_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("call", "--help") == 0
    assert "--play" in capsys.readouterr().out


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out[0].isdigit()
