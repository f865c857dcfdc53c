"""Liveness and readiness; what a draining or starting server still does."""

import asyncio
from pathlib import Path

import httpx2

from server.api.app import create_app
from server.journal import Journal
from tests.support.api import EMPTY, RTP, Api, HandClock, make_service, settings_for
from tests.support.fake_mixers import FakeMixers
from tests.support.fake_prompts import FakePrompts
from tests.support.fake_receiver import FakeReceiver

BODY = {"media": {"rtp": RTP}}


async def test_a_server_that_runs_is_ready(api: Api) -> None:
    assert await api.get("/healthz") == {"status": "ok"}
    assert await api.get("/readyz") == {"status": "ready", "reasons": []}


async def test_a_starting_server_is_alive_but_not_ready(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    service = make_service(settings, HandClock(), FakeMixers(), FakePrompts(), FakeReceiver())
    transport = httpx2.ASGITransport(create_app(service))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        assert (await http.get("/healthz")).status_code == 200
        ready = await http.get("/readyz")
        assert (ready.status_code, ready.json()["reasons"]) == (503, ["starting"])
        refused = await http.post("/v1/calls", json=BODY)
        assert (refused.status_code, refused.json()["code"]) == (503, "not_ready")
    await service.context.journal.close()


async def test_draining_takes_nothing_new_but_lets_running_conferences_go_on(api: Api) -> None:
    standing = await api.call(40000)
    running = await api.enter("running", 40002)
    drained = asyncio.create_task(api.service.drain(60))  # noqa: TID251
    await asyncio.sleep(0)
    response = await api.request("GET", "/readyz")
    assert (response.status_code, response.json()["reasons"]) == (503, ["draining"])
    assert await api.get("/healthz") == {"status": "ok"}
    await api.refused("POST", "/v1/calls", BODY, 503, "draining")
    await api.refused("POST", "/v1/conferences/new/participants", BODY, 503, "draining")
    await api.refused("POST", f"/v1/calls/{standing}/join_conference", {"name": "new"}, 503, "draining")
    await api.join(standing, "running")
    await api.enter("running", 40004)
    assert not drained.done()
    await api.post(f"/v1/conferences/{running['conference_id']}/end")
    await asyncio.wait_for(drained, 5)
    await api.service.stop()
    assert api.footprint == (0, 0, 0, 0)


async def test_draining_an_idle_server_is_done_at_once(api: Api) -> None:
    await api.call()
    await asyncio.wait_for(api.service.drain(60), 5)


async def test_a_drain_ends_at_its_deadline(api: Api) -> None:
    joined = await api.enter("running")
    await api.service.drain(0)
    assert api.footprint == (1, 1, 1, 2)
    await api.service.stop()
    assert api.footprint == (0, 0, 0, 0)
    assert api.mixers.launched[-1].byes == [joined["call_id"]]


async def test_stopping_ends_every_conference_with_its_events(api: Api, tmp_path: Path) -> None:
    one, two = await api.enter("one", 40000), await api.enter("two", 40002)
    call_id = await api.call(40004)
    await api.join(call_id, "two")
    await api.service.stop()
    assert (await api.request("POST", "/v1/calls", BODY)).status_code == 503
    journal = Journal(str(tmp_path / "parley.db"))
    await journal.open()
    for joined in (one, two):
        events = await journal.events(joined["conference_id"])
        assert events[-1]["params"]["status"] == "conference-end"
        assert events[-1]["params"]["reason_ended"] == "server-stopped"
    assert await journal.open_conferences() == []
    await journal.close()
    assert api.footprint == (0, 0, 0, 0)


async def test_readiness_follows_the_lobby(api: Api) -> None:
    api.mixers.fail_launches = True
    api.mixers.lobby.die()
    assert (await api.request("GET", "/readyz")).status_code == 503
    await api.service.stop()
    assert api.footprint == (0, 0, 0, 0) != EMPTY
