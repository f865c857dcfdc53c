import pytest

from bench import __main__ as bench
from bench import janus


def test_without_janus_the_rest_is_measured_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "--compare", "janus", "--rows", "janus-*"])
    monkeypatch.setattr(janus, "installed", lambda: False)
    assert bench.main() == 2  # of these rows nothing is left
    assert "Janus is not installed" in capsys.readouterr().err


def test_names_are_listed_also_where_they_cannot_be_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "--compare", "janus", "--list"])
    monkeypatch.setattr(janus, "installed", lambda: False)
    assert bench.main() == 0
    names = capsys.readouterr().out.split()
    assert {"idle", "pcmu-all-2000", "opus-3-2000", "opus-all-150", "pcmu-80x2", "janus-opus-all-50"} <= set(names)
