"""Which language a wait or hold document is written in, and what is read of it.

Decides the size of a document, and that its content type tells the language unless that type says nothing, in which
case the first character does. The languages are in `twiml` and `swml`. Pure.
"""

from typing import Final

from server.prompts.errors import PromptError
from server.prompts.steps import Document, Reading
from server.prompts.swml import read_swml
from server.prompts.twiml import read_twiml

MAX_BYTES: Final = 64 << 10

_READERS: Final = {"xml": read_twiml, "json": read_swml}
_UNTOLD: Final = frozenset({"", "text/plain", "application/octet-stream", "binary/octet-stream"})
_BEGINNINGS: Final = {b"<": "xml", b"{": "json"}
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def parse(url: str, content_type: str, data: bytes) -> Document:
    """Return the steps of the document `data`, which came from `url`; what they name is resolved against it.

    `content_type` is in lower case and without parameters. Raises PromptError prompt_format or prompt_too_large.
    """
    syntax = _syntax(content_type, data)
    if syntax is None:
        raise PromptError(
            "prompt_format", f"it is neither audio nor an XML or JSON document (type {content_type[:100] or 'unknown'})"
        )
    if len(data) > MAX_BYTES:
        raise PromptError("prompt_too_large", f"the document has {len(data)} bytes; up to {MAX_BYTES} are read")
    reading = Reading(url)
    _READERS[syntax](data, reading)
    return reading.document()


def _syntax(content_type: str, data: bytes) -> str | None:
    subtype = content_type.rpartition("/")[2].rpartition("+")[2]
    if subtype in _READERS:
        return subtype
    if content_type not in _UNTOLD:
        return None
    return _BEGINNINGS.get(data[:256].removeprefix(_BYTE_ORDER_MARK).lstrip()[:1])
