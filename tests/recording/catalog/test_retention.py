from hypothesis import given
from hypothesis import strategies as st

from recording.catalog import Kept, to_delete

OLD, MIDDLE, NEW = Kept("old", 100.0, 50), Kept("middle", 200.0, 30), Kept("new", 300.0, 20)
ALL = [NEW, OLD, MIDDLE]


def test_without_limits_all_stay() -> None:
    assert to_delete(ALL, 1e12) == []


def test_what_is_older_than_allowed_goes() -> None:
    assert to_delete(ALL, 300.0, max_age_s=100.0) == ["old"]
    assert to_delete(ALL, 1000.0, max_age_s=100.0) == ["old", "middle", "new"]


def test_the_oldest_go_until_the_rest_fits() -> None:
    assert to_delete(ALL, 300.0, max_total_bytes=100) == []
    assert to_delete(ALL, 300.0, max_total_bytes=99) == ["old"]
    assert to_delete(ALL, 300.0, max_total_bytes=49) == ["old", "middle"]
    assert to_delete(ALL, 300.0, max_total_bytes=0) == ["old", "middle", "new"]


def test_what_goes_by_age_counts_no_more() -> None:
    assert to_delete(ALL, 300.0, max_age_s=150.0, max_total_bytes=50) == ["old"]


def test_what_may_not_go_stays_and_still_takes_its_space() -> None:
    kept = [Kept("old", 100.0, 50, deletable=False), MIDDLE, NEW]
    assert to_delete(kept, 1000.0, max_total_bytes=60) == ["middle", "new"]
    assert to_delete(kept, 1000.0, max_age_s=1.0) == ["middle", "new"]


@given(
    st.lists(st.tuples(st.floats(0, 1000), st.integers(0, 100), st.booleans()), max_size=20),
    st.integers(0, 1000),
    st.floats(0, 1000),
)
def test_the_rest_keeps_both_limits_or_cannot(rows: list[tuple[float, int, bool]], total: int, age: float) -> None:
    recordings = [Kept(str(index), *row) for index, row in enumerate(rows)]
    deleted = to_delete(recordings, 1000.0, max_age_s=age, max_total_bytes=total)
    rest = [kept for kept in recordings if kept.recording_id not in deleted]
    assert sum(kept.used_bytes for kept in rest) <= total or not any(kept.deletable for kept in rest)
    assert all(1000.0 - kept.ended_at <= age for kept in rest if kept.deletable)
