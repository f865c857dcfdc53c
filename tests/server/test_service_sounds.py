"""Beeps: to whom, when, and never in anybody's way. The rules themselves are tested with the conference's."""

import asyncio
from typing import Any

from server.service_sounds import MOST_BEEPS
from tests.support.api import Api
from tests.support.fake_mixers import FakeMixer


def beeps(mixer: FakeMixer) -> list[tuple[str, Any, Any]]:
    """Return what was played: clip, to whom, and to whom not."""
    return [(play["clip_id"], play["to"], play["except_call_id"]) for play in mixer.played]


async def test_who_comes_and_goes_is_heard_by_the_others(api: Api) -> None:
    first = await api.enter("x", 40000)
    second = await api.enter("x", 40002)
    third = await api.enter("x", 40004)
    mixer = api.mixer_of(first["conference_id"])
    await api.settle()
    await api.delete(f"/v1/calls/{second['call_id']}")
    await api.settle()
    assert beeps(mixer) == [
        ("enter", "mix", second["call_id"]),
        ("enter", "mix", third["call_id"]),
        ("leave", "mix", second["call_id"]),
    ]


async def test_a_beep_is_lent_at_the_rate_of_each_who_is_there_and_returned_when_it_is_over(api: Api) -> None:
    await api.enter("x", 40000)
    body = {"media": {"rtp": {"codec": "opus", "ip": "127.0.0.1", "port": 40002}}}
    joined = await api.post("/v1/conferences/x/participants", body, 201)
    await api.settle()
    mixer = api.mixer_of(joined["conference_id"])
    (play_id,) = mixer.plays
    assert mixer.plays[play_id]["rates"] == {8000, 48000}
    assert mixer.plays[play_id].get("duck", False) is False
    mixer.end_clip(play_id)
    await api.settle()
    assert mixer.clips == {} and api.prompts.in_use == [] and len(api.service.context.tasks) == 0


async def test_the_beep_of_the_one_who_starts_it_comes_after_the_music(api: Api) -> None:
    waiting = await api.enter("x", 40000, start_on_enter=False)
    mixer = api.mixer_of(waiting["conference_id"])
    starter = await api.enter("x", 40002)
    await api.settle()
    assert beeps(mixer) == [("enter", "mix", starter["call_id"])]
    kinds = [kind for kind, _ in mixer.log]
    assert kinds.index("update_legs") < kinds.index("play_clip")


async def test_modes_are_kept_and_beep_on_exit_can_be_changed(api: Api) -> None:
    first = await api.enter("x", 40000)
    silent = await api.enter("x", 40002, beep=False)
    exiting = await api.enter("x", 40004, beep="onExit")
    entering = await api.enter("x", 40006, beep="onEnter")
    mixer = api.mixer_of(first["conference_id"])
    await api.patch(f"/v1/conferences/x/participants/{exiting['call_id']}", {"beep_on_exit": False})
    await api.patch(f"/v1/conferences/x/participants/{silent['call_id']}", {"beep_on_exit": True})
    for joined in (exiting, entering, silent):
        await api.delete(f"/v1/calls/{joined['call_id']}")
        await api.settle()
    assert beeps(mixer) == [("enter", "mix", entering["call_id"]), ("leave", "mix", silent["call_id"])]


async def test_many_who_come_together_do_not_make_one_loud_beep(api: Api) -> None:
    joined = await asyncio.gather(*(api.enter("x", 40000 + 2 * n) for n in range(10)))
    mixer = api.mixer_of(joined[0]["conference_id"])
    await api.settle()
    assert len(mixer.plays) == MOST_BEEPS
    for play_id in list(mixer.plays):
        mixer.end_clip(play_id)
    await api.settle()
    await api.enter("x", 40100)
    await api.settle()
    assert len(mixer.plays) == 1


async def test_a_beep_that_cannot_be_had_is_left_out(api: Api) -> None:
    api.prompts.broken["enter"] = "prompt_unavailable"
    await api.enter("x", 40000)
    joined = await api.enter("x", 40002)
    mixer = api.mixer_of(joined["conference_id"])
    await api.settle()
    assert mixer.played == []
    mixer.refuse_plays = True
    await api.delete(f"/v1/calls/{joined['call_id']}")
    await api.settle()
    assert len(api.service.context.tasks) == 0 and api.prompts.in_use == []
