"""What a conference, a label and a region may be called."""

import re
from typing import Final
from unicodedata import category

from server.conference.refusals import Refusal

MAX_NAME_LENGTH: Final = 128

_UNPRINTABLE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Controls, lone surrogates (which are not text), line and paragraph separators."""
_LIKE_A_CALL_ID: Final = re.compile(r"(CA)?[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_REGION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


def check_name(name: str) -> None:
    """Refuse a conference name that is blank, longer than 128 characters or not plain text."""
    _check_text("name", name)


def check_label(label: str) -> None:
    """Refuse a label by the rules for names, and one that a path could not tell from other things."""
    _check_text("label", label)
    if "/" in label:
        raise Refusal("invalid_request", "label: must not contain '/'")
    if _LIKE_A_CALL_ID.fullmatch(label):
        raise Refusal("invalid_request", "label: must not look like a call id")


def check_region(region: str) -> None:
    """Refuse a region that is not one short word; which word it is matters to nobody but the user."""
    if not _REGION.fullmatch(region):
        raise Refusal("invalid_request", "region: must be 1 to 32 letters, digits, '-' or '_'")


def _check_text(what: str, text: str) -> None:
    if not text.strip():
        raise Refusal("invalid_request", f"{what}: must not be blank")
    if len(text) > MAX_NAME_LENGTH:
        raise Refusal("invalid_request", f"{what}: has {len(text)} characters, at most {MAX_NAME_LENGTH} are allowed")
    if any(category(character) in _UNPRINTABLE for character in text):
        raise Refusal("invalid_request", f"{what}: must not contain control characters")
