"""What URLs had to say when they were last asked, and for how long that holds. Time is an argument; pure.

Decides the freshness of answers that do not tell theirs, and how many URLs are remembered.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from server.prompts.fetching import FetchedDocument
from server.prompts.steps import Document
from server.urls.caching import Validators

MOST: Final = 1024
UNTOLD_FRESH_S: Final = 10.0
"""Enough that a crowd which begins to wait together asks once (RFC 9111 section 4.2.2 lets us choose)."""
LONGEST_FRESH_S: Final = 86_400.0

Content = Document | str
"""A document, or the id of a clip, which may have been dropped meanwhile."""


@dataclass(frozen=True, slots=True)
class Page:
    """What was found at a URL."""

    content: Content
    validators: Validators
    fresh_until: float


class Pages:
    """Remembers the URLs asked last."""

    def __init__(self, *, most: int = MOST) -> None:
        self._most = most
        self._pages: OrderedDict[str, Page] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pages)

    def get(self, url: str) -> Page | None:
        """Return what is remembered of `url`, fresh or not."""
        page = self._pages.get(url)
        if page is not None:
            self._pages.move_to_end(url)
        return page

    def keep(self, url: str, content: Content, answer: FetchedDocument, now: float) -> None:
        """Remember what `answer` brought, unless it must not be kept."""
        self.forget(url)
        if not answer.storable:
            return
        fresh_s = UNTOLD_FRESH_S if answer.fresh_s is None else min(answer.fresh_s, LONGEST_FRESH_S)
        self._pages[url] = Page(content, answer.validators, now + fresh_s)
        if len(self._pages) > self._most:
            self._pages.popitem(last=False)

    def forget(self, url: str) -> None:
        """Remember nothing of `url`."""
        self._pages.pop(url, None)
