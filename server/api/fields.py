"""The small types that request bodies are made of, each with its own rule and its own words when broken."""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from server.api.bodies import canonical
from server.conference.names import MAX_NAME_LENGTH, check_label, check_name, check_region
from server.conference.refusals import Refusal
from server.errors import invalid

MAX_METADATA_BYTES: Final = 4096
STATUS_EVENTS: Final = frozenset(["start", "end", "join", "leave", "mute", "hold", "modify", "speaker", "announcement"])
RECORDING_EVENTS: Final = frozenset(["in-progress", "completed", "absent", "failed"])


class Request(BaseModel):
    """Base of all request bodies: no unknown field, no conversion between types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _by_rule(rule: Callable[[str], None]) -> AfterValidator:
    """Check a text by a rule of the conference, so that a refusal names the field of the body."""

    def check(text: str) -> str:
        try:
            rule(text)
        except Refusal as refusal:
            raise ValueError(refusal.detail.partition(": ")[2] or refusal.detail) from refusal
        return text

    return AfterValidator(check)


def _tokens(allowed: frozenset[str]) -> AfterValidator:
    def check(text: str) -> str:
        unknown = [token for token in text.split() if token not in allowed]
        if unknown:
            raise ValueError(f"{' '.join(unknown)} is none of: {' '.join(sorted(allowed))}")
        return text

    return AfterValidator(check)


def _beep(value: object) -> object:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else value


def _metadata(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if len(canonical(value)) > MAX_METADATA_BYTES:
        raise ValueError(f"must not be larger than {MAX_METADATA_BYTES} bytes of JSON")
    return value


Name = Annotated[
    str,
    _by_rule(check_name),
    Field(description="Name of the conference: 1 to 128 characters, no control characters.", examples=["standup"]),
]
CallId = Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH)]
Label = Annotated[
    str, _by_rule(check_label), Field(description="Unique in the conference; shown in PARTICIPANT.", examples=["anna"])
]
Metadata = Annotated[
    dict[str, JsonValue],
    AfterValidator(_metadata),
    Field(description="Anything of yours, up to 4 KiB of JSON; given back with the participant."),
]
CallbackUrl = Annotated[str, Field(max_length=4096)]
"""An http or https URL to be told of events; whether the server may go there is the service's affair."""
SoundUrl = Annotated[str, Field(max_length=4096)]
"""An http or https URL of something to be heard; whether the server may go there is the service's affair."""
Beep = Annotated[Literal["true", "false", "onEnter", "onExit"], BeforeValidator(_beep)]
Region = Annotated[str, _by_rule(check_region)]
StatusEvents = Annotated[str, _tokens(STATUS_EVENTS)]
RecordingEvents = Annotated[str, _tokens(RECORDING_EVENTS)]
CallbackType = Literal["relay", "cxml", "laml", "application/json", "application/x-www-form-urlencoded"]
Method = Literal["GET", "POST"]


def rendered(value: Any) -> bool:
    """True if a JSON value says something: not null, false, empty text or an empty object."""
    return value not in (None, False, "", {})


def checked_name(name: str) -> str:
    """Return a conference name that came in a path; raise `ParleyError` if no conference can have it."""
    try:
        check_name(name)
    except Refusal as refusal:
        raise invalid("name", refusal.detail.partition(": ")[2]) from refusal
    return name
