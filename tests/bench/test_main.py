from typing import Any, cast

import pytest

from bench import __main__ as bench
from bench.machine import Cores
from bench.rows import Row
from bench.target import Server
from server.caller.errors import NoAnswerError


class Restarting:
    def __init__(self) -> None:
        self.restarts = 0

    def restart(self) -> None:
        self.restarts += 1


@pytest.mark.parametrize("fails", [True, False])
def test_a_row_that_fails_leaves_nothing_to_the_next(monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    def measure(server: Server, row: Row, seconds: float, cores: Cores) -> dict[str, Any]:
        if fails:
            raise NoAnswerError("too slow")
        return {"row": row.name}

    monkeypatch.setattr(bench.rows, "measure", measure)
    monkeypatch.setattr(bench, "SETTLE_S", 0)
    server = Restarting()
    result = bench.measured(cast(Server, server), Row("pcmu", None, 10), 1, Cores(None, None))
    assert server.restarts == fails
    assert result == ({"row": "pcmu-all-10", "error": "NoAnswerError: too slow"} if fails else {"row": "pcmu-all-10"})
    assert bench.failed({"rows": [result]}) is fails


def test_without_janus_the_rest_is_measured_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "--compare", "janus", "--rows", "janus-*"])
    monkeypatch.setattr(bench.janus, "installed", lambda: False)
    assert bench.main() == 2  # of these rows nothing is left
    assert "Janus is not installed" in capsys.readouterr().err


def test_names_are_listed_also_where_they_cannot_be_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "--compare", "janus", "--list"])
    monkeypatch.setattr(bench.janus, "installed", lambda: False)
    assert bench.main() == 0
    names = capsys.readouterr().out.split()
    assert {"idle", "pcmu-all-2000", "opus-3-2000", "opus-all-150", "pcmu-80x2", "janus-opus-all-50"} <= set(names)
