"""What waiting and held legs are played: when it begins and ends, and that nothing ever waits for it."""

import asyncio
from typing import Any

import pytest

from tests.support.api import EMPTY, RTP, Api
from tests.support.fake_mixers import FakeMixer

MUSIC = ("music", True)
"""The server's own music goes round and round."""
URL = "https://example.org/music.wav"


async def wait_in(api: Api, name: str, port: int = 40000, **fields: Any) -> tuple[str, FakeMixer]:
    """Let somebody wait; return its call id and the conference's mixer."""
    joined = await api.enter(name, port, **{"start_on_enter": False, **fields})
    await api.settle()
    return joined["call_id"], api.mixer_of(joined["conference_id"])


async def test_everybody_who_waits_hears_music_which_is_lent_once_for_each_rate(api: Api) -> None:
    first, mixer = await wait_in(api, "x", 40000)
    second, _ = await wait_in(api, "x", 40002)
    wide = await api.post(
        "/v1/conferences/x/participants",
        {"media": {"rtp": {**RTP, "port": 40004, "codec": "g722"}}, "start_on_enter": False},
        201,
    )
    await api.settle()
    assert mixer.programs == {first: MUSIC, second: MUSIC, wide["call_id"]: MUSIC}
    assert mixer.clips == {"music": {8000, 16000}} and mixer.lent == 2


async def test_the_start_ends_the_music_of_all_in_one_message_and_before_it_is_returned(api: Api) -> None:
    waiting = [(await wait_in(api, "x", port))[0] for port in (40000, 40002, 40004)]
    _, mixer = await wait_in(api, "x", 40006, wait_url=URL)
    mixer.log.clear()
    starter = await api.enter("x", 40008, beep=False)
    await api.settle()
    assert len(mixer.messages) == 1
    parts = mixer.messages[0]
    assert [part.call_id for part in parts][:3] == waiting and len(parts) == 4
    assert all(part.heard and part.hears for part in parts)
    assert mixer.legs[starter["call_id"]]["hears"]
    assert mixer.programs == {} and mixer.clips == {}
    assert [kind for kind, _ in mixer.log] == ["update_legs", "return_clip", "return_clip"]
    assert api.prompts.performing == [] and api.prompts.in_use == []


async def test_five_hundred_who_wait_start_on_one_message(api: Api) -> None:
    for start in range(0, 500, 50):
        joins = (api.enter("x", 20000 + 2 * n, start_on_enter=False) for n in range(start, start + 50))
        await asyncio.gather(*joins)
    await api.settle()
    (mixer,) = (mixer for name, mixer in api.mixers.running.items() if name != "lobby")
    assert len(mixer.programs) == 500 and mixer.lent == 1
    await api.enter("x", 40000)
    assert [len(parts) for parts in mixer.messages] == [500]
    await api.settle()
    assert mixer.programs == {} and api.prompts.performing == []


async def test_a_url_that_never_answers_delays_nobody(api: Api) -> None:
    api.prompts.hanging.add(URL)
    async with asyncio.timeout(30):
        hanging, mixer = await wait_in(api, "x", 40000, wait_url=URL)
        other, _ = await wait_in(api, "x", 40002)
        assert mixer.programs == {other: MUSIC}
        standing = await api.call(40004)
        await api.join(standing, "y", wait_url=URL, start_on_enter=False)
        await api.enter("x", 40006)
        assert all(leg["hears"] for leg in mixer.legs.values()) and hanging in mixer.legs
        await api.delete(f"/v1/calls/{hanging}")
        await api.delete(f"/v1/calls/{standing}")
        await api.settle()
    assert api.prompts.performing == []


async def test_each_hears_its_own_and_an_empty_url_is_silence(api: Api) -> None:
    music, mixer = await wait_in(api, "x", 40000)
    own, _ = await wait_in(api, "x", 40002, wait_url=URL)
    silent, _ = await wait_in(api, "x", 40004, wait_url="")
    assert mixer.programs == {music: MUSIC, own: (URL, False), silent: (None, False)}
    mixer.end_program(own)
    await api.settle()
    assert mixer.programs[own] == (None, False), "after it there is silence"
    await api.enter("x", 40006, start_on_enter=False)
    await api.settle()
    assert mixer.programs[own] == (None, False), "and it does not begin again when others come"


async def test_a_conference_that_has_started_plays_to_nobody(api: Api) -> None:
    await api.enter("x", 40000, wait_url=URL)
    await api.enter("x", 40002, start_on_enter=False, wait_url=URL)
    await api.settle()
    assert api.prompts.asked == ["enter"]


async def test_hold_plays_to_one_and_ends_with_the_hold(api: Api) -> None:
    held = (await api.enter("x", 40000))["call_id"]
    joined = await api.enter("x", 40002, beep=False)
    mixer = api.mixer_of(joined["conference_id"])
    path = f"/v1/conferences/x/participants/{held}"
    await api.patch(path, {"hold": True})
    await api.settle()
    assert mixer.programs == {held: MUSIC}
    assert not mixer.legs[held]["hears"] and mixer.legs[joined["call_id"]]["hears"]
    await api.patch(path, {"hold_url": URL})
    await api.settle()
    assert mixer.programs == {held: (URL, False)}
    await api.patch(path, {"hold": False})
    await api.settle()
    assert mixer.programs == {} and mixer.legs[held]["hears"]
    await api.patch(path, {"hold": True, "hold_url": ""})
    await api.settle()
    assert mixer.programs == {held: (None, False)}


async def test_an_update_that_changes_nothing_of_the_program_does_not_begin_it_again(api: Api) -> None:
    held, mixer = await wait_in(api, "x", 40000, wait_url=URL)
    mixer.log.clear()
    await api.patch(f"/v1/conferences/x/participants/{held}", {"muted": True, "wait_url": URL, "end_on_exit": True})
    await api.settle()
    assert [entry for entry in mixer.log if entry[0] == "play_program"] == []
    assert mixer.programs == {held: (URL, False)}


async def test_wait_audio_can_be_changed_and_null_is_the_servers_own_again(api: Api) -> None:
    waiting, mixer = await wait_in(api, "x", 40000)
    path = f"/v1/conferences/x/participants/{waiting}"
    await api.patch(path, {"wait_url": URL})
    await api.settle()
    assert mixer.programs == {waiting: (URL, False)}
    await api.patch(path, {"wait_url": None})
    await api.settle()
    assert mixer.programs == {waiting: MUSIC} and set(mixer.clips) == {"music"}


async def test_hold_goes_before_waiting_and_outlasts_the_start(api: Api) -> None:
    held, mixer = await wait_in(api, "x", 40000, wait_url=URL)
    path = f"/v1/conferences/x/participants/{held}"
    await api.patch(path, {"hold": True})
    await api.settle()
    assert mixer.programs == {held: MUSIC}
    await api.enter("x", 40002, beep=False)
    await api.settle()
    assert mixer.programs == {held: MUSIC}
    await api.patch(path, {"hold": False})
    await api.settle()
    assert mixer.programs == {} and mixer.legs[held]["hears"]


async def test_who_leaves_while_waiting_takes_its_music_along(api: Api) -> None:
    standing = await api.call(40000)
    await api.join(standing, "x", start_on_enter=False, wait_url=URL)
    staying, mixer = await wait_in(api, "x", 40002)
    await api.post(f"/v1/calls/{standing}/leave_conference", {"conference_id": "x"})
    await api.settle()
    assert mixer.programs == {staying: MUSIC} and set(mixer.clips) == {"music"}
    assert api.mixers.lobby.programs == {}, "a call that is in no conference hears silence"
    again = await api.join(standing, "x", start_on_enter=False, wait_url=URL)
    await api.settle()
    assert api.mixer_of(again["conference_id"]).programs[standing] == (URL, False)


@pytest.mark.parametrize("way", ["end", "die"])
async def test_nothing_is_left_of_music_when_its_conference_is_over(api: Api, way: str) -> None:
    _, mixer = await wait_in(api, "x", 40000)
    api.prompts.hanging.add(URL)
    await wait_in(api, "x", 40002, wait_url=URL)
    if way == "die":
        mixer.die()
    else:
        await api.post("/v1/conferences/x/end")
    await api.settle()
    assert api.prompts.performing == [] and api.prompts.in_use == []
    assert len(api.service.context.tasks) == 0
    assert api.footprint == EMPTY


async def test_the_servers_sounds_are_begun_at_start_and_let_go_at_the_end(api: Api) -> None:
    assert api.prompts.started
    await wait_in(api, "x", 40000)
    await api.service.stop()
    assert api.prompts.closed


async def test_a_program_that_a_mixer_refuses_harms_nobody(api: Api) -> None:
    def refuse(mixer: FakeMixer) -> None:
        mixer.refuse_programs = True

    api.mixers.prepare = refuse
    await wait_in(api, "x", 40000)
    await api.enter("x", 40002)
    assert len(await api.statuses("x")) == 3
