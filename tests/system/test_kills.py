"""A server that is killed again and again under load loses no event; `python -m bench.kills` does it fifty times."""

from pathlib import Path

from bench.kills.run import Plan, run


def test_no_event_is_lost_though_the_server_is_killed_and_the_receiver_unreliable(tmp_path: Path) -> None:
    result = run(Plan(kills=3, seed=2, requests=30), tmp_path)
    assert result.faults() == {}
    assert result.kills == 3
    counted = result.account
    assert counted.received == counted.subscribed >= counted.conferences > 0
    # The receiver did what makes it hard.
    assert {"lose", "break", "later", "close"} <= result.answers.keys()
    assert counted.duplicates >= result.answers["lose"]
