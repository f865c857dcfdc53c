from typing import Any

from bench.__main__ import chosen
from bench.compare import PAIRS
from bench.rows import ROWS, SWITCHES
from bench.table import comparison, remarks, table

RESULT: dict[str, Any] = {
    "row": "pcmu-all-10",
    "cpu_ms_per_participant_s": {"server": 0.01, "mixers": 0.25, "total": 0.26},
    "work_ms": {"p50": 1.0, "p99": 2.0, "max": 3.0},
    "lateness_ms": {"p50": 0.05, "p99": 0.1, "max": 0.2},
    "late_ticks": 0,
    "ticks": 500,
    "delivered": 0.99987,
    "delay": {"p50_ms": 30.0, "p95_ms": None, "heard": 49, "sent": 50},
    "participants_unserved": 0,
    "packets_dropped_here": 0,
    "packets_refused": 0,
    "generator_cpu": 0.4,
}


def test_a_row_shows_its_figures_under_their_headings() -> None:
    first, second, rule, row = table([RESULT]).splitlines()
    for cell in ("0.260 = 0.010 + 0.250", "1.00/2.00/3.00", "0.05/0.10/0.20", "0/500", "99.987", "30.00/-", "49/50"):
        at = row.index(cell)
        assert rule[at] == "-"
        assert at == 0 or rule[at - 1] == " "
    assert first.startswith("row")
    assert "server + mixers" in second


def test_a_failed_row_says_why_and_spoils_no_other() -> None:
    failed = {"row": "opus-all-100", "error": "ServerError: POST /v1: 503\n  log"}
    lines = table([RESULT, failed]).splitlines()
    assert lines[-1] == "opus-all-100  failed: ServerError: POST /v1: 503"
    assert remarks(failed) == ["opus-all-100: ServerError: POST /v1: 503\n  log"]
    assert table([failed]).splitlines()[-1].startswith("opus-all-100")


def test_trouble_of_the_load_generator_is_told() -> None:
    assert remarks(RESULT) == []
    spoilt = RESULT | {"packets_dropped_here": 3, "participants_unserved": 1, "generator_cpu": 0.97}
    said = "\n".join(remarks(spoilt))
    assert "3 packets were lost in the load generator's own sockets" in said
    assert "1 participants were sent nothing" in said
    assert "97 % of its core" in said


def test_everything_is_measured_unless_names_say_otherwise() -> None:
    everything = chosen(None, quick=False)
    once = ["start", "idle", "waiting", "journal", "deliveries", "hanging", "told", "recording-pcmu", "recording-opus"]
    assert (everything.once, everything.rows, everything.pairs) == (once, list(ROWS), [])
    assert chosen(None, quick=False, beside=True).pairs == list(PAIRS)


def test_rows_are_chosen_by_name() -> None:
    assert chosen("opus-3-*, pcmu-all-10", quick=True).names() == ["pcmu-all-10", "opus-3-10", "opus-3-100"]
    assert chosen("*-all-1000", quick=False).names() == ["pcmu-all-1000"]
    assert chosen("idle,janus-pcmu*", quick=False, beside=True).names() == ["idle", "janus-pcmu-all-200"]
    assert chosen("janus-*", quick=False).names() == []
    assert chosen("nothing-like-this", quick=False).names() == []


def test_a_quick_run_has_no_large_conferences() -> None:
    quick = chosen(None, quick=True, beside=True)
    assert all(row.load.participants <= 100 for row in [*quick.rows, *(pair.row for pair in quick.pairs)])
    assert "pcmu-10x2" in quick.names() and "pcmu-80x2" not in quick.names()
    assert not {"hanging", "recording-opus", "opus-3-100-burst300", "opus-3-100-unshared"} & set(quick.names())


def test_names_of_rows_are_unique_and_talkers_are_participants() -> None:
    names = chosen(None, quick=False, beside=True).names()
    assert len(set(names)) == len(names)
    assert all(1 <= row.load.talkers <= row.load.participants for row in ROWS)


def side(cpu: float, core: float) -> dict[str, Any]:
    delay = {"p50_ms": 21.0, "p95_ms": 30.0, "heard": 9, "sent": 10}
    figures = {"cpu_ms_per_participant_s": cpu, "core": core, "delivered": 0.9999, "delay": delay}
    return figures | {"mouth_to_ear_p50_ms": 41.0, "generator_cpu": 0.2, "coding": "G.711"}


def test_two_servers_stand_under_each_other() -> None:
    pair = {"row": "janus-pcmu-all-200", "parley": side(0.3, 0.06), "janus": side(2.4, 0.48), "ratio": 8.0}
    failed = {"row": "janus-opus-3-100", "error": "JanusError: no\n  log"}
    text = comparison([pair, failed])
    assert "janus-pcmu-all-200: Janus / Parley = 8.00" in text
    assert "parley  0.300  6 %  99.990 %  41.00 ms  (G.711)" in text
    idle = pair | {"ratio": None, "janus": side(0.1, 0.02) | {"mouth_to_ear_p50_ms": None, "delivered": 0.0}}
    assert "Janus / Parley = -\n" in comparison([idle])
    assert text.splitlines()[-1] == "janus-opus-3-100  failed: JanusError: no"


def test_each_saving_is_shown_beside_a_row_that_has_it() -> None:
    names = chosen(None, quick=False).names()
    for switch in SWITCHES:
        assert {switch.on_row.name, switch.off_row.name} <= set(names)
        assert dict(switch.off_row.settings) == {switch.setting: switch.off}
        assert switch.off_row.load == switch.on_row.load
