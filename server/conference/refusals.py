"""Why a rule of a conference says no. The status each code has on HTTP is the affair of `server.errors`."""

from typing import Final, Literal, get_args

RefusalCode = Literal[
    "call_already_in_conference",
    "coach_not_found",
    "coach_required",
    "conference_ended",
    "conference_full",
    "conference_not_started",
    "invalid_request",
    "label_in_use",
    "not_found",
    "not_in_conference",
    "recording_ended",
    "recording_in_progress",
    "too_many_announcements",
]

REFUSAL_CODES: Final[frozenset[str]] = frozenset(get_args(RefusalCode))


class Refusal(Exception):  # noqa: N818 - it is no error: the rules say no
    """A command was not carried out; nothing changed and nothing happened."""

    def __init__(self, code: RefusalCode, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code: RefusalCode = code
        self.detail = detail
