"""What is remembered of a URL, and for how long it holds."""

import pytest

from server.prompts.fetching import FetchedDocument
from server.prompts.pages import LONGEST_FRESH_S, UNTOLD_FRESH_S, Pages
from server.urls.caching import Validators

URL = "https://example.com/a.mp3"


@pytest.mark.parametrize(("told", "lasts"), [(None, UNTOLD_FRESH_S), (0, 0), (60, 60), (1e9, LONGEST_FRESH_S)])
def test_freshness(told: float | None, lasts: float) -> None:
    pages = Pages()
    validators = Validators(etag='"1"')
    pages.keep(URL, "clip_a", FetchedDocument(200, b"", validators=validators, fresh_s=told), now=1000.0)
    page = pages.get(URL)
    assert page is not None
    assert (page.content, page.validators, page.fresh_until) == ("clip_a", validators, 1000 + lasts)


def test_what_must_not_be_kept_is_not_and_replaces_what_was() -> None:
    pages = Pages()
    pages.keep(URL, "clip_a", FetchedDocument(200, b""), now=0)
    pages.keep(URL, "clip_b", FetchedDocument(200, b"", storable=False), now=0)
    assert pages.get(URL) is None


def test_the_url_asked_for_longest_ago_is_forgotten_first() -> None:
    pages = Pages(most=2)
    for name in "ab":
        pages.keep(name, f"clip_{name}", FetchedDocument(200, b""), now=0)
    pages.get("a")
    pages.keep("c", "clip_c", FetchedDocument(200, b""), now=0)
    assert len(pages) == 2
    assert pages.get("b") is None
    assert pages.get("a") is not None
