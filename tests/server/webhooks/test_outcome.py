import pytest

from server.urls.errors import FetchError, UrlRefused
from server.webhooks.outcome import Failure, Outcome, answered, failed


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_two_hundred_somethings_are_good(status: int) -> None:
    assert answered(status, retry_after_s=5) == Outcome(status)


@pytest.mark.parametrize(
    ("status", "error", "failure"),
    [
        (301, "redirect", Failure.OTHER),
        (304, "redirect", Failure.OTHER),
        (308, "redirect", Failure.OTHER),
        (400, "http_4xx", Failure.CLIENT),
        (429, "http_4xx", Failure.CLIENT),
        (500, "http_5xx", Failure.SERVER),
        (599, "http_5xx", Failure.SERVER),
        (199, "protocol_error", Failure.OTHER),
        (600, "protocol_error", Failure.OTHER),
    ],
)
def test_all_else_is_a_failure(status: int, error: str, failure: Failure) -> None:
    assert answered(status, 7.5) == Outcome(status, error, failure, 7.5)


def test_only_410_says_never_again() -> None:
    assert answered(410).gone
    assert not answered(404).gone
    assert not Outcome(error="read_timeout").gone


@pytest.mark.parametrize(
    ("error", "word", "failure"),
    [
        (FetchError("timeout", "", phase="connect"), "connect_timeout", Failure.CONNECTING),
        (FetchError("timeout", "", phase="read"), "read_timeout", Failure.READING),
        (FetchError("timeout", ""), "total_timeout", Failure.READING),
        (FetchError("connect_failed", ""), "connection_refused", Failure.CONNECTING),
        (FetchError("dns_failed", ""), "dns_failed", Failure.CONNECTING),
        (FetchError("tls_failed", ""), "tls_failed", Failure.CONNECTING),
        (FetchError("connection_lost", ""), "connection_lost", Failure.READING),
        (FetchError("too_large", ""), "too_large", Failure.OTHER),
        (FetchError("protocol_error", ""), "protocol_error", Failure.OTHER),
        (UrlRefused("url_forbidden", ""), "url_forbidden", Failure.CONNECTING),
        (UrlRefused("url_invalid", ""), "url_invalid", Failure.CONNECTING),
    ],
)
def test_no_answer_has_a_word(error: FetchError | UrlRefused, word: str, failure: Failure) -> None:
    assert failed(error) == Outcome(None, word, failure)
