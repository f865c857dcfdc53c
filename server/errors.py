"""Every refusal the server can utter: a stable code, its HTTP status, its title and whose fault it is.

This file decides the codes and statuses; the sentence for one occasion (`detail`) is written where the refusal is
raised, and `server.api.problems` turns both into an RFC 9457 body. The rules of a conference refuse with
`server.conference.refusals.Refusal`, whose codes are all listed here.
"""

from dataclasses import dataclass
from typing import Final, Literal

Fault = Literal["caller", "far_end", "us"]


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """What is the same about an error on every occasion."""

    status: int
    title: str
    fault: Fault = "caller"
    """Who can mend it; ours are logged as errors, the others are not."""


ERRORS: Final[dict[str, ErrorKind]] = {
    # The request itself.
    "malformed_json": ErrorKind(400, "The body is not JSON"),
    "invalid_request": ErrorKind(422, "A part of the request is not valid"),
    "not_supported_yet": ErrorKind(422, "This version of the server cannot do that"),
    "media_ip_needed": ErrorKind(422, "The far end cannot be reached from a loopback address"),
    "far_end_refused": ErrorKind(422, "The system refuses to send to that address", "far_end"),
    "idempotency_key_reused": ErrorKind(422, "The Idempotency-Key was used with another request"),
    "url_invalid": ErrorKind(422, "That is no URL the server can use"),
    "url_forbidden": ErrorKind(422, "The URL leads where the server does not go"),
    "unauthorized": ErrorKind(401, "A valid API key is needed"),
    "not_found": ErrorKind(404, "There is no such thing"),
    "method_not_allowed": ErrorKind(405, "The path does not take this method"),
    "body_too_large": ErrorKind(413, "The body is too large"),
    "unsupported_media_type": ErrorKind(415, "The body has to be JSON"),
    "range_not_satisfiable": ErrorKind(416, "The file has no such part"),
    # The state of things forbids it.
    "conference_full": ErrorKind(409, "The conference is full"),
    "conference_ended": ErrorKind(409, "The conference has ended"),
    "conference_not_started": ErrorKind(409, "The conference has not started"),
    "coach_not_found": ErrorKind(409, "The call to coach is not in the conference"),
    "coach_required": ErrorKind(409, "Coaching needs a call to coach"),
    "call_already_in_conference": ErrorKind(409, "The call is in a conference already"),
    "not_in_conference": ErrorKind(409, "The call is not in that conference"),
    "call_ended": ErrorKind(409, "The call has ended"),
    "no_callback": ErrorKind(409, "The conference has no callback"),
    "label_in_use": ErrorKind(409, "Another participant has that label"),
    "too_many_announcements": ErrorKind(409, "Too many announcements are still to be played"),
    "recording_in_progress": ErrorKind(409, "The conference is being recorded"),
    "recording_ended": ErrorKind(409, "The recording has ended"),
    "recording_not_ready": ErrorKind(409, "The recording is still being made"),
    "tracks_not_recorded": ErrorKind(409, "The recording has no tracks"),
    # The server cannot take it now.
    "draining": ErrorKind(503, "The server is about to stop", "us"),
    "not_ready": ErrorKind(503, "The server is not ready", "us"),
    "no_media_ports": ErrorKind(503, "No media port is free", "us"),
    "journal_unavailable": ErrorKind(503, "Nothing can be written down now", "us"),
    "mixer_unavailable": ErrorKind(503, "No mixer could take the call", "us"),
    "recording_unavailable": ErrorKind(503, "The recording cannot be had from where it is kept", "us"),
    "render_failed": ErrorKind(503, "The recording cannot be had in that format now", "us"),
    "internal_error": ErrorKind(500, "The server made a mistake", "us"),
}

RETRY_AFTER_S: Final = 5
"""How soon a 503 invites the caller to try again."""


class ParleyError(Exception):
    """A refusal that reaches the caller as it is.

    `code` must be a key of `ERRORS`. `fields` names the parts of the request that are to blame, as
    (dotted path, what is wrong with it).
    """

    def __init__(self, code: str, detail: str, *, fields: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(f"{code}: {detail}")
        kind = ERRORS[code]
        self.code = code
        self.status = kind.status
        self.title = kind.title
        self.fault = kind.fault
        self.detail = detail
        self.fields = fields
        self.retry_after_s = RETRY_AFTER_S if kind.status == 503 else None


def invalid(field: str, problem: str) -> ParleyError:
    """Return the refusal of one field of a request."""
    return ParleyError("invalid_request", f"{field}: {problem}", fields=((field, problem),))
