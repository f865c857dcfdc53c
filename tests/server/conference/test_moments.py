import pytest

from server.conference.moments import rfc3339_ms


@pytest.mark.parametrize(
    ("unix_s", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_795_369_500.25, "2026-11-22T17:45:00.250Z"),
        (1_795_369_500.9996, "2026-11-22T17:45:00.999Z"),
        (951_782_399.0, "2000-02-28T23:59:59.000Z"),
        (951_782_400.0, "2000-02-29T00:00:00.000Z"),
    ],
)
def test_utc_with_milliseconds(unix_s: float, text: str) -> None:
    assert rfc3339_ms(unix_s) == text
