"""The clips that are kept: who uses which, how much memory all take, and which one is dropped when that is too much.

A clip in use is never dropped. Of the others, those go first that nobody has taken for longest. Clips that the server
made itself stay.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from server.prompts.clip import Clip
from server.prompts.errors import PromptError

MAX_BYTES: Final = 512 << 20
"""Ten minutes at all four rates are 110 MiB, a minute is 11."""
MAX_CLIPS: Final = 256


@dataclass(slots=True)
class _Kept:
    clip: Clip
    users: int = 0
    pinned: bool = False


class Shelf:
    """Owns clips and closes their descriptors when they are dropped."""

    def __init__(self, *, max_bytes: int = MAX_BYTES, max_clips: int = MAX_CLIPS) -> None:
        self._max_bytes = max_bytes
        self._max_clips = max_clips
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        """The one taken last is at the end."""
        self._closed = False

    def __contains__(self, clip_id: str) -> bool:
        return clip_id in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size_bytes(self) -> int:
        """Memory of all clips that are kept."""
        return sum(kept.clip.size_bytes for kept in self._kept.values())

    def put(self, clip: Clip, *, pinned: bool = False) -> None:
        """Keep a clip, which is the shelf's from now on; drop unused ones if there are too many.

        One of the same id stays, and the new one is closed. Raises PromptError prompt_store_full, with the clip
        closed, if all that could be dropped is in use.
        """
        if self._closed or clip.clip_id in self._kept:
            clip.close()
            return
        if not pinned and not self._make_room(clip.size_bytes):
            clip.close()
            raise PromptError("prompt_store_full", "too much other audio is in use")
        self._kept[clip.clip_id] = _Kept(clip, pinned=pinned)

    def take(self, clip_id: str) -> Clip | None:
        """Return a clip that is kept, in use from now on until it is released as often as it was taken."""
        kept = self._kept.get(clip_id)
        if kept is None:
            return None
        kept.users += 1
        self._kept.move_to_end(clip_id)
        return kept.clip

    def release(self, clip_id: str) -> None:
        """One user fewer. Raises ValueError if it had none; does nothing once the shelf is closed."""
        if self._closed:
            return
        kept = self._kept.get(clip_id)
        if kept is None or kept.users == 0:
            raise ValueError(f"{clip_id} is not in use")
        kept.users -= 1

    def close(self) -> None:
        """Close all clips, whoever uses them."""
        self._closed = True
        for kept in self._kept.values():
            kept.clip.close()
        self._kept.clear()

    def _make_room(self, size_bytes: int) -> bool:
        """Drop unused clips until another one fits; drop none if that would not do."""
        counted = [kept for kept in self._kept.values() if not kept.pinned]
        bytes_over = sum(kept.clip.size_bytes for kept in counted) + size_bytes - self._max_bytes
        clips_over = len(counted) + 1 - self._max_clips
        dropped = []
        for kept in counted:
            if bytes_over <= 0 and clips_over <= 0:
                break
            if kept.users == 0:
                dropped.append(kept.clip)
                bytes_over -= kept.clip.size_bytes
                clips_over -= 1
        if bytes_over > 0 or clips_over > 0:
            return False
        for clip in dropped:
            del self._kept[clip.clip_id]
            clip.close()
        return True
