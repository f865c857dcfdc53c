"""What responses say about being kept and asked for again."""

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.urls.caching import Freshness, Validators, retry_after_s


@pytest.mark.parametrize(
    ("headers", "conditions"),
    [
        ({}, {}),
        ({"ETag": '"a"'}, {"If-None-Match": '"a"'}),
        ({"etag": 'W/"a"'}, {"If-None-Match": 'W/"a"'}),
        (
            {"ETag": '"a"', "Last-Modified": "Sun, 01 Nov 2026 10:00:00 GMT"},
            {"If-None-Match": '"a"', "If-Modified-Since": "Sun, 01 Nov 2026 10:00:00 GMT"},
        ),
        ({"ETag": ""}, {}),
        ({"ETag": '"' + "a" * 2000 + '"'}, {}),
        ({"ETag": '"\xfc"'}, {}),
        ({"ETag": "a\tb"}, {}),
    ],
)
def test_validators_are_sent_back_as_they_came(headers: dict[str, str], conditions: dict[str, str]) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    assert Validators.of(httpx2.Headers(raw)).conditions() == conditions


def test_what_a_304_leaves_out_stays_as_it_was() -> None:
    first = Validators.of(httpx2.Headers({"ETag": '"a"', "Last-Modified": "yesterday"}))
    assert Validators.of(httpx2.Headers({"ETag": '"b"'}), first) == Validators('"b"', "yesterday")


@pytest.mark.parametrize(
    ("headers", "freshness"),
    [
        ({}, Freshness()),
        ({"Cache-Control": ""}, Freshness()),
        ({"Cache-Control": "public"}, Freshness()),
        ({"Cache-Control": "max-age=60"}, Freshness(fresh_s=60)),
        ({"Cache-Control": "public, Max-Age = 60 , immutable"}, Freshness(fresh_s=60)),
        ({"Cache-Control": 'max-age="60"'}, Freshness(fresh_s=60)),
        ({"Cache-Control": "max-age=60, max-age=600"}, Freshness(fresh_s=60)),
        ({"Cache-Control": "max-age=60", "Age": "20"}, Freshness(fresh_s=40)),
        ({"Cache-Control": "max-age=60", "Age": "100"}, Freshness(fresh_s=0)),
        ({"Cache-Control": "max-age=60", "Age": "x"}, Freshness(fresh_s=60)),
        ({"Cache-Control": "max-age=-1"}, Freshness(fresh_s=0)),
        ({"Cache-Control": "max-age=1.5"}, Freshness(fresh_s=0)),
        ({"Cache-Control": "max-age"}, Freshness(fresh_s=0)),
        ({"Cache-Control": "max-age=soon"}, Freshness(fresh_s=0)),
        ({"Cache-Control": "max-age=" + "9" * 500}, Freshness(fresh_s=1 << 31)),
        ({"Cache-Control": "max-age=60, no-cache"}, Freshness(fresh_s=0)),
        ({"Cache-Control": 'no-cache="set-cookie"'}, Freshness(fresh_s=0)),
        ({"Cache-Control": "max-age=60,no-store"}, Freshness(storable=False, fresh_s=0)),
        ({"Cache-Control": 'x="no-store, max-age=5"'}, Freshness()),
        ({"Cache-Control": "x-max-age=5"}, Freshness()),
    ],
)
def test_freshness(headers: dict[str, str], freshness: Freshness) -> None:
    assert Freshness.of(httpx2.Headers(headers)) == freshness


@given(st.text(max_size=80))
def test_any_header_can_be_read(value: str) -> None:
    headers = {"cache-control": value, "age": value, "etag": value, "last-modified": value, "retry-after": value}
    assert (Freshness.of(headers).fresh_s or 0) >= 0
    assert (retry_after_s(headers, 0) or 0) >= 0
    assert all(name.isascii() and value.isascii() for name, value in Validators.of(headers).conditions().items())


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        (" 120 ", 120),
        ("-5", None),
        ("soon", None),
        ("1.5", None),
        ("9" * 400, 1 << 31),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 20),
        ("Thu, 01 Jan 1970 00:02:00 -0000", 20),
        ("Thu, 01 Jan 1970 00:01:00 GMT", 0),
        ("Thu, 99 Jan 1970 00:01:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    headers = httpx2.Headers({} if value is None else {"Retry-After": value})
    assert retry_after_s(headers, now=100) == seconds
