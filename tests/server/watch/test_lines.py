from typing import Any

from server.watch.lines import event_line


def event(**params: Any) -> dict[str, Any]:
    return {
        "id": "e-1",
        "sequence": 7,
        "timestamp": 1_800_000_000.25,
        "size": 2,
        "params": {"conference_id": "conf-1", "name": "standup", "size": 2, "node_id": "here", **params},
    }


def test_a_participants_line_has_when_where_what_who_and_the_flags_that_are_on() -> None:
    line = event_line(
        event(status="participant-leave", call_id="c-1", participant_call_id="c-1", muted=True, hold=False,
              label="anna", reason_left="participant_hung_up")
    )  # fmt: skip
    assert line == (
        "2027-01-15T08:00:00.250Z standup #7 participant-leave  c-1 size=2 muted label=anna "
        "reason_left=participant_hung_up"
    )


def test_a_conferences_line_names_no_call_if_none_ended_it() -> None:
    line = event_line(event(status="conference-end", participant_call_id=None, reason_ended="conference-ended-via-api"))
    assert line.endswith("conference-end     size=2 reason_ended=conference-ended-via-api")


def test_what_users_wrote_cannot_break_the_line() -> None:
    line = event_line(event(status="participant-join", name="a b\u2028c", label="x\x1b[31m y=1"))
    assert line.isprintable() and len(line.splitlines()) == 1
    assert r"'a b\u2028c'" in line and r"label='x\x1b[31m y=1'" in line
