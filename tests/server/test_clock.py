import datetime

from server import clock


def test_now_is_unix_time_in_utc() -> None:
    before = datetime.datetime.now(datetime.UTC).timestamp()  # noqa: TID251
    assert before <= clock.now() <= before + 60.0


def test_monotonic_does_not_step_back() -> None:
    readings = [clock.monotonic() for _ in range(100)]
    assert readings == sorted(readings)


def test_moments_are_written_by_the_clock_too() -> None:
    assert clock.rfc3339_ms(1.5) == "1970-01-01T00:00:01.500Z"
