"""Which callback is told of which event, by table."""

from typing import Any

import pytest

from server.conference.callbacks import RECORDING_EVENTS, STATUSES_OF, Callback
from server.conference.model import ConferenceSettings
from server.webhooks.model import DeliveryKind, NewDelivery
from server.webhooks.plan import has_callback, plan

EVERY_TOKEN = tuple(STATUSES_OF)
STATUS_URL, RECORDING_URL = "https://one.example/status?a=1#rc=2", "https://two.example/recordings"


def event(status: str, event_id: str = "e-1", **params: Any) -> dict[str, Any]:
    return {"id": event_id, "params": {"status": status, **params}}


def settings(tokens: tuple[str, ...] | None = None, recording: tuple[str, ...] | None = None) -> ConferenceSettings:
    return ConferenceSettings(
        callback=None if tokens is None else Callback(STATUS_URL, tokens, "form", "GET"),
        recording_callback=None if recording is None else Callback(RECORDING_URL, recording),
    )


@pytest.mark.parametrize(
    ("status", "token"),
    [
        ("conference-start", "start"),
        ("conference-end", "end"),
        ("participant-join", "join"),
        ("participant-leave", "leave"),
        ("participant-mute", "mute"),
        ("participant-unmute", "mute"),
        ("participant-hold", "hold"),
        ("participant-unhold", "hold"),
        ("participant-modify", "modify"),
        ("participant-speech-start", "speaker"),
        ("participant-speech-stop", "speaker"),
        ("announcement-end", "announcement"),
        ("announcement-fail", "announcement"),
    ],
)
def test_a_status_goes_to_who_has_its_token_and_to_nobody_else(status: str, token: str) -> None:
    told = NewDelivery("e-1", DeliveryKind.STATUS, STATUS_URL, "GET", "form")
    assert plan(settings((token,), RECORDING_EVENTS), [event(status)]) == [told]
    others = tuple(other for other in EVERY_TOKEN if other != token)
    assert plan(settings(others, RECORDING_EVENTS), [event(status)]) == []


@pytest.mark.parametrize(
    "status",
    [
        "participant-dtmf",
        "participant-lost",
        "conference-interrupted",
        "conference-resumed",
        "stream-start",
    ],
)
def test_what_no_token_names_is_told_to_nobody(status: str) -> None:
    assert plan(settings(EVERY_TOKEN, RECORDING_EVENTS), [event(status)]) == []


@pytest.mark.parametrize(
    ("status", "params", "token"),
    [
        ("record-start", {"recording_status": "in-progress"}, "in-progress"),
        ("record-pause", {"recording_status": "paused"}, "in-progress"),
        ("record-resume", {"recording_status": "in-progress"}, "in-progress"),
        ("record-stop", {"recording_status": "completed"}, "completed"),
        ("record-stop", {"recording_status": "absent"}, "absent"),
        ("record-stop", {"recording_status": "failed"}, "failed"),
    ],
)
def test_a_recordings_event_goes_to_the_recording_callback_only(
    status: str, params: dict[str, Any], token: str
) -> None:
    told = NewDelivery("e-1", DeliveryKind.RECORDING, RECORDING_URL, "POST", "relay")
    assert plan(settings(EVERY_TOKEN, (token,)), [event(status, **params)]) == [told]
    others = tuple(other for other in RECORDING_EVENTS if other != token)
    assert plan(settings(EVERY_TOKEN, others), [event(status, **params)]) == []


def test_a_record_that_no_one_knows_is_told_to_nobody() -> None:
    assert plan(settings(EVERY_TOKEN, RECORDING_EVENTS), [event("record-rename")]) == []


def test_the_order_of_events_is_kept() -> None:
    wires = [
        event("conference-start", "e-1"),
        event("record-start", "e-2", recording_status="in-progress"),
        event("participant-dtmf", "e-3"),
        event("conference-end", "e-4"),
        event("record-stop", "e-5", recording_status="completed"),
    ]
    told = plan(settings(("start", "end"), RECORDING_EVENTS), wires)
    assert [delivery.event_id for delivery in told] == ["e-1", "e-2", "e-4", "e-5"]


def test_without_callbacks_there_is_nothing_to_deliver() -> None:
    assert plan(settings(), [event("conference-start"), event("record-start")]) == []
    assert not has_callback(settings())
    assert has_callback(settings(("start",))) and has_callback(settings(None, ("completed",)))


def test_forms_are_told_of_a_recordings_end_the_old_way_unless_somebody_else_is_told() -> None:
    form = Callback(STATUS_URL, ("start",), "form")
    done = event("record-stop", recording_status="completed")
    (told,) = plan(ConferenceSettings(callback=form), [done])
    assert (told.url, told.kind) == (STATUS_URL, DeliveryKind.STATUS)
    assert plan(ConferenceSettings(callback=form), [event("record-stop", recording_status="absent")]) == []
    (told,) = plan(
        ConferenceSettings(callback=form, recording_callback=Callback(RECORDING_URL, ("completed",))), [done]
    )
    assert told.url == RECORDING_URL
