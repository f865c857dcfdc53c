"""Prompts fetched through the real guarded client from a real server on this machine."""

import pytest

from server.prompts.errors import PromptError
from server.prompts.fetching import NO_BODY, FetchedDocument, RequestBody
from server.prompts.guarded import GuardedFetcher
from server.prompts.steps import Method
from server.urls.allowance import PUBLIC_ONLY, Allowance
from server.urls.caching import Validators
from server.urls.limits import Limits
from tests.server.urls.world import Site, guarded, redirect, response, site

LOCAL = Allowance(everything=True)
LIMITS = Limits(connect_s=2, read_s=0.2, total_s=1, max_body_bytes=1000, max_redirects=3)


async def ask(
    there: Site,
    path: str = "/",
    *,
    method: Method = "GET",
    body: RequestBody = NO_BODY,
    validators: Validators | None = None,
) -> FetchedDocument:
    async with guarded(LOCAL) as client:
        url = f"http://127.0.0.1:{there.port}{path}"
        return await GuardedFetcher(client, LIMITS).fetch(url, method=method, body=body, validators=validators)


async def refusal(there: Site, path: str = "/") -> PromptError:
    with pytest.raises(PromptError) as refused:
        await ask(there, path)
    return refused.value


async def test_a_get_brings_the_answer_and_what_it_says_of_itself() -> None:
    headers = {
        "Content-Type": "Audio/WAV; x=y",
        "ETag": '"1"',
        "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT",
        "Cache-Control": "max-age=60",
    }
    async with site(response(b"RIFF", headers=headers)) as there:
        answer = await ask(there, "/a.wav", body=RequestBody(form={"not": "sent"}))
    assert answer == FetchedDocument(
        status=200,
        body=b"RIFF",
        content_type="audio/wav",
        final_url=f"http://127.0.0.1:{there.port}/a.wav",
        validators=Validators('"1"', "Sun, 06 Nov 1994 08:49:37 GMT"),
        fresh_s=60,
    )
    [asked] = there.asked
    assert (asked.method, asked.body) == ("GET", b"")


async def test_a_conditional_get_learns_that_nothing_has_changed() -> None:
    validators = Validators('"1"')
    async with site(response(status="304 Not Modified", headers={"Cache-Control": "max-age=5"})) as there:
        answer = await ask(there, validators=validators)
    assert (answer.not_modified, answer.body, answer.validators, answer.fresh_s) == (True, b"", validators, 5)
    assert there.asked[0].headers["If-None-Match"] == '"1"'


@pytest.mark.parametrize(
    ("body", "content_type", "content"),
    [
        (NO_BODY, "application/x-www-form-urlencoded", b""),
        (RequestBody(form={"a": "b c", "d": "ä"}), "application/x-www-form-urlencoded", b"a=b+c&d=%C3%A4"),
        (RequestBody(json={"call": {}}), "application/json", b'{"call": {}}'),
    ],
)
async def test_a_post_carries_a_form_or_json(body: RequestBody, content_type: str, content: bytes) -> None:
    async with site(response(b"<Response/>")) as there:
        await ask(there, method="POST", body=body)
    [asked] = there.asked
    assert (asked.method, asked.headers["Content-Type"], asked.body) == ("POST", content_type, content)


async def test_a_redirect_is_followed_and_the_last_place_told() -> None:
    async with (
        site(response(b"RIFF")) as target,
        site(redirect(f"http://127.0.0.1:{target.port}/moved.wav")) as there,
    ):
        answer = await ask(there)
    assert answer.final_url == f"http://127.0.0.1:{target.port}/moved.wav"


async def test_the_body_of_a_failure_is_not_read() -> None:
    async with site(response(b"x" * 5000, status="404 Not Found")) as there:
        answer = await ask(there)
    assert (answer.status, answer.body) == (404, b"")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (response(b"x" * 1001), "prompt_too_large"),
        (response(length=1 << 40), "prompt_too_large"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000, "prompt_too_large"),
        (response(b"x" * 100, length=200), "prompt_timeout"),
        (b"HTTP/1.1 200 OK\r\n", "prompt_timeout"),
        (b"no HTTP\r\n\r\n", "prompt_fetch_failed"),
        (redirect("http://127.0.0.1:1/"), "prompt_forbidden"),
        (redirect("file:///etc/passwd"), "prompt_forbidden"),
        (redirect("/again"), "prompt_fetch_failed"),
    ],
)
async def test_hostile_answers(raw: bytes, code: str) -> None:
    async with site(raw) as there:
        assert (await refusal(there)).code == code


async def test_private_addresses_are_forbidden() -> None:
    async with site(response(b"RIFF")) as there, guarded(PUBLIC_ONLY) as client:
        with pytest.raises(PromptError) as refused:
            await GuardedFetcher(client).fetch(
                f"http://127.0.0.1:{there.port}/", method="GET", body=NO_BODY, validators=None
            )
    assert (refused.value.code, refused.value.fault) == ("prompt_forbidden", "caller")
    assert there.connections == 0
