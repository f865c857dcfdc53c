"""Why a prompt could not be had: stable codes, and whose fault each is.

A prompt is anything heard that nobody says. What follows from a failure (default music, a refused announcement)
is for whoever asked.
"""

from typing import Final

from server.errors import Fault

PROMPT_ERRORS: Final[dict[str, Fault]] = {
    "prompt_forbidden": "caller",
    "prompt_too_large": "caller",
    "prompt_format": "caller",
    "prompt_decode_failed": "caller",
    "prompt_timeout": "far_end",
    "prompt_fetch_failed": "far_end",
    "prompt_store_full": "us",
    "prompt_unavailable": "us",
}
"""Code -> who can mend it.

prompt_forbidden: the URL leads where the server may not go. prompt_too_large: more bytes than are taken.
prompt_format: neither audio nor a document that can be played. prompt_decode_failed: audio, but damaged or made to
cost too much memory. prompt_timeout: fetching or decoding took too long. prompt_fetch_failed: no answer, or one that
is not a success. prompt_store_full: everything that the store may hold is in use. prompt_unavailable: the server
could not make a sound of its own.
"""


class PromptError(Exception):
    """A prompt could not be had. `code` is a key of PROMPT_ERRORS; `detail` is a sentence for the occasion."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.fault = PROMPT_ERRORS[code]
        self.detail = detail
