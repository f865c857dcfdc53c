"""`python -m server ls` against a served API."""

import json

import pytest

from server.watch import listing
from tests.server.watch.shell import run
from tests.support.api import Api


async def test_lists_the_conferences_in_progress(api: Api, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    standup = await api.enter("stand[red]up", 40000)
    waiting = await api.enter("waiting", 40002, start_on_enter=False)
    over = await api.enter("over", 40004)
    await api.post("/v1/conferences/over/end")
    assert await run("ls", "--server", url) == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    assert rows["NAME"] == ["STATUS", "SIZE", "CREATED", "ID"]
    assert rows["stand[red]up"][:2] == ["in-progress", "1"] and rows["stand[red]up"][-1] == standup["conference_id"]
    assert rows["waiting"][:2] == ["init", "1"] and rows["waiting"][-1] == waiting["conference_id"]
    assert over["conference_id"] not in out


async def test_all_has_those_that_ended_too_and_json_is_the_apis(
    api: Api, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    over = await api.enter("over", 40004)
    await api.post("/v1/conferences/over/end")
    assert await run("ls", "--server", url) == 0
    assert capsys.readouterr().out == "No conferences.\n"
    assert await run("ls", "--all", "--server", url) == 0
    assert "completed (conference-ended-via-api)" in capsys.readouterr().out
    assert await run("ls", "--all", "--json", "--server", url) == 0
    assert json.loads(capsys.readouterr().out) == await api.get("/v1/conferences")
    assert await run("ls", over["conference_id"], "--all", "--json", "--server", url) == 0
    path = f"/v1/conferences/{over['conference_id']}/participants?all=true"
    assert json.loads(capsys.readouterr().out) == await api.get(path)


async def test_lists_the_participants_of_one(api: Api, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    anna = await api.enter("a name", 40000, label="anna")
    ben = await api.enter("a name", 40002, muted=True, end_on_exit=True)
    gone = await api.enter("a name", 40004)
    await api.delete(f"/v1/calls/{gone['call_id']}")
    assert await run("ls", "a name", "--server", url) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1].split()[:2] == [anna["call_id"], "anna"]
    assert ben["call_id"] in lines[2] and "muted end_on_exit" in lines[2]
    assert await run("ls", "a name", "--all", "--server", url) == 0
    assert "left (participant_hung_up)" in capsys.readouterr().out


async def test_a_name_with_a_slash_is_found(api: Api, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    call_id = await api.call()
    await api.join(call_id, "a/b")
    assert await run("ls", "a/b", "--server", url) == 0
    assert call_id in capsys.readouterr().out


async def test_more_conferences_than_a_page_are_all_listed(
    api: Api, url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 2)
    for number in range(5):
        api.clock.pass_s(number % 2)  # some began at the same moment
        await api.enter(f"c{number}", 40000)
    assert await run("ls", "--json", "--server", url) == 0
    listed = json.loads(capsys.readouterr().out)["conferences"]
    assert sorted(conference["name"] for conference in listed) == [f"c{number}" for number in range(5)]
    assert await run("ls", "--json", "--limit", "3", "--server", url) == 0
    assert len(json.loads(capsys.readouterr().out)["conferences"]) == 3


async def test_what_is_not_there_is_said_in_a_sentence(api: Api, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run("ls", "nowhere", "--server", url) == 1
    assert "There is no conference 'nowhere'" in capsys.readouterr().err
    assert await run("ls", "--server", "http://127.0.0.1:1") == 1
    assert "No server answers" in capsys.readouterr().err
