from recording.attendance import Attendance, attendances
from recording.catalog import NoteKind
from recording.story import Happening


def of(*told: tuple[int, NoteKind, str, bool], end: int = 1000) -> dict[str, Attendance]:
    found = attendances([Happening(tick, kind, call_id, None, marked) for tick, kind, call_id, marked in told], end)
    return {call.call_id: call for call in found}


def test_marks_beat_notes_of_the_same_thing_and_other_notes_count() -> None:
    calls = of(
        (0, "joined", "anna", False),
        (510, "joined", "anna", False),
        (500, "joined", "anna", True),
        (300, "left", "anna", True),
        (310, "left", "anna", False),
    )
    assert (calls["anna"].joins, calls["anna"].leaves) == ([0, 500], [300])
    assert calls["anna"].present


def test_a_label_is_kept_also_from_a_note_that_says_nothing_else_new() -> None:
    happenings = [Happening(100, "joined", "anna", None, True), Happening(103, "joined", "anna", "Anna", False)]
    (anna,) = attendances(happenings, 200)
    assert (anna.label, anna.joins) == ("Anna", [100])


def test_who_leaves_without_having_come_was_there_from_the_beginning() -> None:
    calls = of((70, "left", "anna", True), (80, "left", "anna", True))
    assert (calls["anna"].joins, calls["anna"].leaves, calls["anna"].present) == ([0], [70], False)


def test_what_lasts_ends_with_leaving_or_with_the_recording() -> None:
    calls = of(
        (0, "joined", "anna", True),
        (10, "muted", "anna", True),
        (20, "muted", "anna", True),
        (50, "left", "anna", True),
        (90, "joined", "anna", True),
        (100, "held", "anna", True),
        (120, "unheld", "anna", True),
        (130, "coaching", "anna", True),
        end=200,
    )
    assert calls["anna"].spans == {"mutes": [(10, 50)], "holds": [(100, 120)], "coaching": [(130, 200)]}


def test_an_end_without_a_beginning_and_a_span_of_no_time_are_none() -> None:
    calls = of(
        (0, "joined", "anna", True),
        (5, "unmuted", "anna", True),
        (7, "held", "anna", True),
        (7, "unheld", "anna", True),
    )
    assert calls["anna"].spans == {"mutes": [], "holds": [], "coaching": []}


def test_calls_come_in_the_order_they_joined() -> None:
    calls = of((50, "joined", "zoe", True), (60, "joined", "anna", True), (20, "labelled", "ghost", False))
    assert list(calls) == ["zoe", "anna", "ghost"]
