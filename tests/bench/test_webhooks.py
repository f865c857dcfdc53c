"""What is said of events on their way follows from what was measured, and the processes that measure it work."""

from typing import Any

from bench.outbox import Job, run
from bench.sink import Sink
from bench.webhooks import Times, describe

TIMES = {"p50_ms": 8.0, "p99_ms": 20.0, "max_ms": 31.0, "count": 900}
REPORT: dict[str, Any] = {
    "journal": {
        "conferences": 64,
        "alone": {"events_per_s": 900.0},
        "at_once": {"events_per_s": 2000.0},
        "with_deliveries": {"events_per_s": 1800.0},
    },
    "deliveries": {"deliveries": 9728, "deliveries_per_s": 999.0, "core": 0.97},
    "hanging": {"healthy": TIMES, "hanging": TIMES | {"p99_ms": 23.0}, "p99_change": 0.15},
    "told": TIMES | {"events_per_s": 40.0},
}


def test_what_was_measured_is_told() -> None:
    said = "\n".join(describe(REPORT))
    assert "900 one after the other, 2000 of 64 conferences at once" in said
    assert "webhooks delivered a second: 999 with 97 % of a core" in said
    assert "p99 20.0, max 31.0 ms; p50 8.0, p99 23.0, max 31.0 ms while a tenth hangs: p99 +15.0 %" in said


def test_nothing_is_said_of_what_was_not_measured() -> None:
    assert list(describe({"told": {"error": "no"}})) == []


def test_times_are_summed_up() -> None:
    assert Times.of([float(ms) for ms in range(1, 201)]) == Times(100.5, 198.99, 200.0, 200)


def test_what_waits_arrives_at_a_receiver_of_its_own() -> None:
    with Sink(2) as sink:
        sent = run(Job("deliver", 2, tuple(sink.urls), events=5))
        arrived = sink.collect()
    # Two conferences of each endpoint; each has a join and a start besides.
    assert sent["deliveries"] == len({told.event_id for told in arrived}) == 28
    assert sorted(told.endpoint for told in arrived) == [0] * 14 + [1] * 14


def test_an_endpoint_that_hangs_takes_nothing_and_the_other_everything() -> None:
    with Sink(2) as sink:
        sink.hang(1)
        paced = run(Job("pace", 1, tuple(sink.urls), seconds=0.2, rate=20))
        arrived = sink.collect()
    assert len(arrived) == paced["delivered"] > 5
    assert {told.endpoint for told in arrived} == {0}
    assert all(told.took_ms > 0 for told in arrived)
    assert 0 < sum(told.happened_at >= paced["counted_from"] for told in arrived) < len(arrived)
