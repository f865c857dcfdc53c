"""Response bodies as they were before they were compressed, never more of them than asked for.

Decides which content codings are undone. We ask for none, but files that are stored compressed are served so all the
same. Pure.
"""

import zlib
from typing import Final, Protocol

from server.urls.errors import FetchError

_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS


class Decoder(Protocol):
    """Undoes a content coding piece by piece."""

    def feed(self, data: bytes, room_bytes: int) -> bytes:
        """Return what `data` stands for; more than `room_bytes` means that there is no room for it, so stop."""

    def finish(self) -> None:
        """Raise `FetchError` if the body is over too early."""


class Identity:
    """No coding."""

    def feed(self, data: bytes, room_bytes: int) -> bytes:
        """Return `data`."""
        return data

    def finish(self) -> None:
        """Do nothing: how long the body is, HTTP itself knows."""


class Gzip:
    """One gzip member (RFC 1952); what comes behind it is refused, as each further one costs more than it brings."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_GZIP_WINDOW)
        self._began = False

    def feed(self, data: bytes, room_bytes: int) -> bytes:
        """Return the decompressed bytes, at most one more than `room_bytes`, whatever `data` would grow to."""
        self._began = self._began or bool(data)
        try:
            inflated = self._inflate.decompress(data, room_bytes + 1)
        except zlib.error:
            raise FetchError("protocol_error", "the body is not the gzip it is said to be") from None
        if self._inflate.unused_data:
            raise FetchError("protocol_error", "there is more behind the end of the gzip body")
        return inflated

    def finish(self) -> None:
        """Raise `FetchError` if a body began and its end, which holds the checksum, did not come."""
        if self._began and not self._inflate.eof:
            raise FetchError("protocol_error", "the gzip body ends too early")


def decoder(content_encoding: str) -> Decoder:
    """Return what undoes the codings of a Content-Encoding header; raise `FetchError` for unknown or stacked ones."""
    coding = content_encoding.strip().lower()
    if coding in ("", "identity"):
        return Identity()
    if coding in ("gzip", "x-gzip"):
        return Gzip()
    raise FetchError("protocol_error", "the body has a content coding that was not asked for")
