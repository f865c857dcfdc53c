"""`python -m server webhooks ls|replay` against a served API."""

import asyncio
import json
from typing import Any

import pytest

from server.watch import listing
from tests.server.watch import shell
from tests.support.api import Api

CALLBACK: dict[str, Any] = {
    "status_callback": "https://anna:secret@hooks.example/parley",
    "status_callback_event": "join start",
}


async def run(*arguments: str) -> int:
    return await shell.run("webhooks", *arguments)


async def sent(api: Api) -> None:
    for _ in range(1000):
        if not api.service.context.webhooks.backlog:
            return
        await asyncio.sleep(0.005)
    raise AssertionError("the sender does not come to rest")


async def test_deliveries_are_listed_with_what_came_of_them(
    api: Api, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    api.receiver.statuses = [204, 500]
    joined = await api.enter("standup", **CALLBACK)
    await sent(api)
    assert await run("ls", "--server", url) == 0
    head, start, join = capsys.readouterr().out.splitlines()
    assert head.split() == ["CREATED", "STATE", "TRIES", "ANSWER", "EVENT", "CONFERENCE", "URL"]
    assert "delivered" in join and "204" in join and "#1 participant-join" in join
    assert "pending, due 2027-01-15T08:00:0" in start and "500" in start and "#2 conference-start" in start
    assert joined["conference_id"] in start and "POST https://***@hooks.example/parley" in start
    assert "secret" not in start


async def test_they_can_be_of_one_conference_or_one_state_and_be_json(
    api: Api, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    api.receiver.statuses = [410]
    gone = await api.enter("a-b", **CALLBACK)
    await sent(api)
    await api.enter("standup", 40002, **CALLBACK)
    await sent(api)
    whole = await api.get("/v1/webhook-deliveries")
    assert len(whole["deliveries"]) == 4
    dead = {"deliveries": whole["deliveries"][2:]}
    for arguments, expected in [
        (("--limit", "9"), whole),
        (("--state", "dead"), dead),
        (("--conference", "a-b"), dead),
        (("--conference", gone["conference_id"]), dead),
    ]:
        assert await run("ls", *arguments, "--json", "--server", url) == 0
        assert json.loads(capsys.readouterr().out) == expected
    assert await run("ls", "--state", "pending", "--server", url) == 0
    assert capsys.readouterr().out == "No deliveries.\n"


async def test_more_deliveries_than_a_page_are_all_listed(
    api: Api, url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 2)
    for port in range(40000, 40008, 2):
        await api.enter("standup", port, **CALLBACK)
    await sent(api)
    for limit, count in [("100", 5), ("3", 3)]:
        assert await run("ls", "--json", "--limit", limit, "--server", url) == 0
        assert len(json.loads(capsys.readouterr().out)["deliveries"]) == count


async def test_events_are_sent_again(api: Api, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    joined = await api.enter("standup", **CALLBACK)
    await sent(api)
    assert await run("replay", "standup", "--server", url) == 0
    assert capsys.readouterr().out == "2 deliveries queued.\n"
    assert await run("replay", joined["conference_id"], "--after", "1", "--server", url) == 0
    assert capsys.readouterr().out == "1 delivery queued.\n"
    other = ("--url", "https://other.example/", "--until", "1")
    assert await run("replay", "standup", *other, "--server", url) == 0
    await sent(api)
    told = ["participant-join", "conference-start"]
    assert sorted(api.receiver.told()) == sorted([*told, *told, "conference-start", "participant-join"])
    elsewhere = [request for request in api.receiver.requests if request.url.startswith("https://other.example/")]
    assert [request.json["sequence"] for request in elsewhere] == [1]


async def test_what_is_wrong_is_said_in_a_sentence(api: Api, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    await api.enter("standup")
    assert await run("replay", "standup", "--server", url) == 1
    assert "no_callback" in capsys.readouterr().err
    for arguments in (("replay", "nowhere"), ("ls", "--conference", "nowhere")):
        assert await run(*arguments, "--server", url) == 1
        assert "There is no conference 'nowhere'" in capsys.readouterr().err
    assert await run("ls", "--server", "http://127.0.0.1:1") == 1
    assert "No server answers" in capsys.readouterr().err
    assert await run("ls", "--state", "lost", "--server", url) == 2


async def test_without_a_subcommand_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    await run()
    captured = capsys.readouterr()
    assert "replay" in captured.out + captured.err
