import socket
from collections.abc import Iterator

import pytest

from server.caller.client import ParleyClient, local_ip
from server.caller.errors import CallerError
from server.caller.session import RtpCaller
from tests.server.caller.far_end import FarEnd, far_end


@pytest.fixture
def server() -> Iterator[FarEnd]:
    with far_end() as state:
        yield state


def test_joins_in_one_request_with_the_key(server: FarEnd) -> None:
    with ParleyClient(server.url, "me:secret") as client, RtpCaller("pcmu") as caller:
        joined = client.join("big hall?", caller.media(), muted=True, label=None)
        assert (joined.call_id, joined.conference_id) == ("c-1", "conf-1")
        assert joined.answer["rtp"]["port"] == server.rtp.address[1]
        body = {"media": caller.media(), "muted": True}
        assert server.requests == [("POST", "/v1/conferences/big hall?/participants", body)]
        assert server.authorization == ["Bearer me:secret"]


def test_a_name_with_a_slash_takes_two_requests(server: FarEnd) -> None:
    with ParleyClient(server.url) as client, RtpCaller("pcmu") as caller:
        joined = client.join("a/b", caller.media(), label="Anna", muted=True)
        assert joined.conference_id == "conf-1"
        assert server.requests == [
            ("POST", "/v1/calls", {"media": caller.media(), "label": "Anna"}),
            ("POST", "/v1/calls/c-1/join_conference", {"name": "a/b", "muted": True}),
        ]
        assert server.authorization[0] is None


def test_a_refused_join_leaves_no_call_behind(server: FarEnd) -> None:
    problem = {"code": "conference_full", "detail": "'a/b' has its 2 participants", "status": 409}
    server.refusals["POST", "/v1/calls/c-1/join_conference"] = (409, problem)
    with ParleyClient(server.url) as client, RtpCaller("pcmu") as caller:
        with pytest.raises(CallerError, match=r"conference_full\): 'a/b' has its 2 participants"):
            client.join("a/b", caller.media())
        assert server.requests[-1][:2] == ("DELETE", "/v1/calls/c-1")


def test_hanging_up_twice_is_fine(server: FarEnd) -> None:
    with ParleyClient(server.url) as client:
        client.hang_up("c-1")
        server.refusals["DELETE", "/v1/calls/c-1"] = (404, {"code": "not_found", "detail": "no such call"})
        client.hang_up("c-1")
    assert [request[:2] for request in server.requests] == [("DELETE", "/v1/calls/c-1")] * 2


def test_asks_for_events_and_figures(server: FarEnd) -> None:
    with ParleyClient(server.url) as client:
        assert client.events("conf-1", after=3) == [{"sequence": 1}]
        assert client.stats("conf-1")["path"] == "/v1/conferences/conf-1/stats"
        assert client.conference("the name")["path"] == "/v1/conferences/the name"
        assert server.requests[0][1] == "/v1/conferences/conf-1/events?after=3"


@pytest.mark.parametrize(
    ("status", "answer", "text"),
    [
        (401, {"code": "unauthorized", "detail": "no key"}, "no key\nGive an API key with --key id:secret"),
        (503, {"code": "draining", "detail": "about to stop"}, "about to stop\nTry again in 5 s"),
        (409, {"title": "The conference has ended"}, r"\(409\): The conference has ended"),
        (500, "<html>", "The server answered 500 Internal Server Error"),
        (200, "<html>", "is not a Parley server: /v1/conferences/x gave no JSON"),
    ],
)
def test_refusals_are_told_in_the_servers_words(
    server: FarEnd, status: int, answer: dict[str, str] | str, text: str
) -> None:
    server.refusals["GET", "/v1/conferences/x"] = (status, answer)
    with ParleyClient(server.url) as client, pytest.raises(CallerError, match=text):
        client.conference("x")


def test_a_server_that_is_not_there_says_how_to_start_one() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with ParleyClient(url) as client, pytest.raises(CallerError, match=r"python -m server --dev"):
            client.conference("x")


def test_a_server_that_does_not_answer_is_not_waited_for() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        with (
            ParleyClient(url, timeout_s=0.2) as client,
            pytest.raises(CallerError, match="does not answer in time"),
        ):
            client.conference("x")


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://host", "http://", ""])
def test_what_is_no_server_address_is_refused(url: str) -> None:
    with pytest.raises(CallerError, match="not the address of a server"):
        ParleyClient(url)


def test_a_key_without_a_colon_is_refused() -> None:
    with pytest.raises(CallerError, match="id:secret"):
        ParleyClient("http://127.0.0.1", "secret")


def test_the_address_that_faces_the_server() -> None:
    assert local_ip("http://127.0.0.1:8080") == "127.0.0.1"
    assert local_ip("http://localhost") == "127.0.0.1"
    with pytest.raises(CallerError, match=r"no way to no-such-host\.invalid"):
        local_ip("http://no-such-host.invalid")
