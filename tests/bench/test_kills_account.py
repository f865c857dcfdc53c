"""The account finds every way in which events can go wrong; an account that found nothing would prove nothing."""

from typing import Any

import pytest

from bench.kills.account import account

STATUSES = {"participant-join", "participant-leave", "conference-end"}


def event(conference_id: str, sequence: int, status: str) -> dict[str, Any]:
    params = {"conference_id": conference_id, "status": status}
    if status.startswith("participant"):
        params["participant_call_id"] = f"{conference_id}-call"
    return {"id": f"{conference_id}{sequence}", "sequence": sequence, "params": params}


def log(conference_id: str) -> list[dict[str, Any]]:
    statuses = ["participant-join", "conference-start", "participant-leave", "conference-end"]
    return [event(conference_id, sequence, status) for sequence, status in enumerate(statuses, 1)]


A, B = log("a"), log("b")
LOGS = {"a": A, "b": B}
ACCEPTED = [("a", "participant-join", "a-call"), ("b", "conference-end", "")]


def told(*ids: str) -> list[dict[str, Any]]:
    by_id = {event["id"]: event for event in [*A, *B]}
    return [by_id[event_id] for event_id in ids]


ALL = ("a1", "b1", "b3", "a3", "b4", "a4")


def test_what_was_asked_for_and_came_in_order_is_faultless() -> None:
    found = account(LOGS, told(*ALL), STATUSES, ACCEPTED)
    assert found.faults() == {}
    assert (found.conferences, found.logged, found.subscribed, found.received) == (2, 8, 6, 6)
    assert (found.duplicates, found.accepted) == (0, 2)


def test_the_head_may_be_repeated() -> None:
    found = account(LOGS, told("a1", "a1", "b1", "b3", "a1", "a3", "b4", "a4", "a4"), STATUSES)
    assert found.faults() == {}
    assert (found.received, found.duplicates) == (6, 3)


@pytest.mark.parametrize(
    ("ids", "faults"),
    [
        (("a1", "b1", "b3", "b4", "a4"), {"lost": ["a3"]}),
        (("a1", "b1", "b3", "a4", "b4", "a3"), {"out_of_order": ["a3"]}),
        (("a1", "b1", "b3", "a3", "b4", "a4", "a3"), {"late_duplicates": ["a3"]}),
        ((*ALL, "a2"), {"unknown": ["a2"]}),
    ],
)
def test_what_came_otherwise_is_named(ids: tuple[str, ...], faults: dict[str, list[str]]) -> None:
    assert account(LOGS, told(*ids), STATUSES).faults() == faults


def test_another_content_under_a_known_id_is_a_fault() -> None:
    arrivals = told(*ALL)
    arrivals[0] = arrivals[0] | {"gap": True}
    assert account(LOGS, arrivals, STATUSES).faults() == {"altered": ["a1"]}


def test_logs_have_no_gap_and_come_to_an_end() -> None:
    assert account({"a": [A[0], *A[2:]]}, told("a1", "a3", "a4"), STATUSES).faults() == {"gaps": ["a"]}
    assert account({"a": A[:3]}, told("a1", "a3"), STATUSES).faults() == {"without_end": ["a"]}
    assert account({"a": []}, [], STATUSES).faults() == {"without_end": ["a"]}


def test_what_became_of_a_recording_may_follow_on_the_end() -> None:
    recorded = [*A, event("a", 5, "record-stop")]
    assert account({"a": recorded}, told("a1", "a3", "a4"), STATUSES).faults() == {}


def test_what_was_answered_with_success_has_to_be_in_the_log_as_often_as_it_was() -> None:
    twice = [*ACCEPTED, ACCEPTED[0]]
    assert account(LOGS, told(*ALL), STATUSES, twice).faults() == {"forgotten": ["a participant-join a-call"]}
