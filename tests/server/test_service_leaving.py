"""The event of a leave tells what the call's media did, and does not wait long for it."""

from typing import Any

import pytest

from mixer.protocol import MOST_ASKED
from server import service_leaving
from tests.support.api import Api

FIGURES = {
    "packets_in": 100,
    "packets_out": 101,
    "lost": 1,
    "late": 2,
    "duplicates": 3,
    "concealed": 4,
    "jitter_ms": 5.5,
    "buffer_ms": 20.0,
    "added_delay_ms": 25.0,
    "accelerated_ms": 40.0,
    "stretched_ms": 2.5,
    "far_end_loss": 0.125,
    "round_trip_ms": None,
}
"""What a fake mixer says of every leg."""


async def leaves(api: Api, conference_id: str) -> list[dict[str, Any]]:
    events = (await api.get(f"/v1/conferences/{conference_id}/events?limit=1000"))["events"]
    return [event["params"] for event in events if event["params"]["status"] == "participant-leave"]


@pytest.mark.parametrize("how", ["leave", "kick", "hang up"])
async def test_a_leave_tells_what_the_media_did(api: Api, how: str) -> None:
    call_id = await api.call()
    await api.join(call_id, "x")
    conference_id = (await api.enter("x", 40002))["conference_id"]
    match how:
        case "leave":
            await api.post(f"/v1/calls/{call_id}/leave_conference", {"conference_id": conference_id})
        case "kick":
            await api.delete(f"/v1/conferences/x/participants/{call_id}")
        case "hang up":
            await api.delete(f"/v1/calls/{call_id}")
    (left,) = await leaves(api, conference_id)
    assert (left["call_id"], left["media"]) == (call_id, FIGURES)
    assert call_id not in api.mixer_of(conference_id).legs


async def test_all_who_go_at_the_end_have_their_figures_however_many_they_are(api: Api) -> None:
    count = 2 * MOST_ASKED + 3
    joined = [await api.enter("x", 40000 + 2 * number) for number in range(count)]
    await api.post("/v1/conferences/x/end")
    left = await leaves(api, joined[0]["conference_id"])
    assert [params["call_id"] for params in left] == [body["call_id"] for body in joined]
    assert all(params["media"] == FIGURES for params in left)


async def test_a_leave_does_not_wait_for_a_mixer_that_does_not_answer(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert service_leaving.FIGURES_WITHIN_S <= 0.3
    monkeypatch.setattr(service_leaving, "FIGURES_WITHIN_S", 0.01)
    joined = await api.enter("x")
    await api.enter("x", 40002)
    api.mixer_of(joined["conference_id"]).keeps_figures = True
    await api.delete(f"/v1/conferences/x/participants/{joined['call_id']}")
    (left,) = await leaves(api, joined["conference_id"])
    assert "media" not in left


async def test_what_is_known_in_time_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_leaving, "FIGURES_WITHIN_S", 0.05)
    joined = [await api.enter("x", 40000 + 2 * number) for number in range(MOST_ASKED + 1)]
    mixer = api.mixer_of(joined[0]["conference_id"])
    leg_stats = mixer.leg_stats

    async def once(call_ids: list[str]) -> Any:
        found = await leg_stats(call_ids)
        mixer.keeps_figures = True
        return found

    monkeypatch.setattr(mixer, "leg_stats", once)
    await api.post("/v1/conferences/x/end")
    left = await leaves(api, joined[0]["conference_id"])
    assert ["media" in params for params in left] == [True] * MOST_ASKED + [False]


async def test_a_leave_from_a_dead_mixer_has_no_figures(api: Api) -> None:
    joined = await api.enter("x")
    api.mixer_of(joined["conference_id"]).die()
    await api.settle()
    (left,) = await leaves(api, joined["conference_id"])
    assert left["reason_left"] == "mixer_died"
    assert "media" not in left


async def test_a_call_that_never_had_a_leg_has_no_figures(api: Api) -> None:
    body = {"media": {"rtp": {"codec": "pcmu", "ip": "127.0.0.1", "port": 40002}}}
    joined = await api.enter("x")
    api.mixer_of(joined["conference_id"]).refuse_legs = True
    await api.refused("POST", "/v1/conferences/x/participants", body, 503, "mixer_unavailable")
    (left,) = await leaves(api, joined["conference_id"])
    assert left["reason_left"] == "participant_add_failed"
    assert "media" not in left


async def test_json_webhooks_have_the_figures_and_forms_do_not(api: Api) -> None:
    for number, kind in enumerate(("relay", "cxml")):
        fields = {"status_callback": "https://example.org/hook", "status_callback_event": "leave"}
        joined = await api.enter(kind, 40000 + 2 * number, **fields, status_callback_event_type=kind)
        await api.enter(kind, 40010 + 2 * number)
        await api.delete(f"/v1/conferences/{kind}/participants/{joined['call_id']}")
    await api.delivered(2)
    relay, form = (request.content.decode() for request in api.receiver.requests)
    assert '"buffer_ms"' in relay
    assert "ReasonParticipantLeft" in form and "buffer" not in form.lower()
