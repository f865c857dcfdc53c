"""The names of a recording's folder and files: made from its id alone, so that no name from outside meets a path."""

import re
import uuid
from typing import Final

PART_SUFFIX: Final = ".part"
"""On a folder that is not published yet."""
CACHE: Final = "cache"

_FOLDER: Final = re.compile(r"rec_([0-9a-f]{32})")
_PUBLISHED: Final = re.compile(
    r"manifest\.json|audio\.wav|room\.flac|track-\d{1,6}\.flac|(?:mix|track-\d{1,6})-\d{4,5}\.wav"
)
_RENDERED: Final = re.compile(r"(?:audio|split-\d{1,6})\.(?:wav|flac|ogg|mp3)")


def folder_name(recording_id: str) -> str:
    """`rec_` and the id's 32 hex digits. Raises ValueError if `recording_id` is no UUID."""
    return f"rec_{uuid.UUID(recording_id).hex}"


def recording_id_of(name: str) -> str | None:
    """Which recording a folder is of, published or not; None if it is none of ours."""
    matched = _FOLDER.fullmatch(name.removesuffix(PART_SUFFIX))
    return str(uuid.UUID(matched[1])) if matched else None


def is_published_file(name: str) -> bool:
    """Whether a finished recording's folder may have such a file."""
    return _PUBLISHED.fullmatch(name) is not None


def is_rendered_file(name: str) -> bool:
    """Whether its cache may."""
    return _RENDERED.fullmatch(name) is not None
