"""Signatures, as the vendors' own libraries see them."""

import time
from urllib.parse import parse_qsl

import pytest
from signalwire.core.security.webhook_validator import (
    validate_webhook_signature,
    validate_webhook_signature_sha256,
)
from standardwebhooks import Webhook, WebhookVerificationError
from twilio.request_validator import RequestValidator

from server.urls.allowance import Allowance
from server.urls.check import check_url
from server.webhooks.envelope import WebhookRequest, request_of
from server.webhooks.sign import Signer, whsec
from tests.server.webhooks.examples import PARTICIPANT, delivery, event

SECRET = "correct horse bättery staple"
SIGNER = Signer(SECRET)
URLS = [
    "https://hooks.example/events",
    "https://hooks.example",
    "http://hooks.example:80/events",
    "https://hooks.example:443/events?b=2&a=1",
    "https://hooks.example:8443/events?a=%20%C3%A9&empty=&flag#rc=1",
    "http://127.0.0.1:39000/hook;v=1?q",
    "http://[::1]:8080/hook",
    "https://anna:secret@hooks.example:8443/events",
    "https://bücher.example/grüße?name=jürgen&x=a+b",
]
every_url = pytest.mark.parametrize("url", URLS)
every_encoding = pytest.mark.parametrize("encoding", ["relay", "form"])
every_method = pytest.mark.parametrize("method", ["GET", "POST"])


@pytest.fixture
def now() -> float:
    # What is verified below looks at the machine's clock itself.
    return time.time()  # noqa: TID251


def sent(url: str, encoding, method, now: float) -> tuple[WebhookRequest, str, str]:
    """A request, with its URL and body as a receiver sees them."""
    joined = event(**PARTICIPANT, label="Jürgen & Zoë = 100 % ☎", tag="\u2028")
    made = request_of(
        delivery(joined, url=url, encoding=encoding, method=method, gap=True),
        check_url(url, Allowance(everything=True)),
        SIGNER,
        now,
    )
    seen = f"{made.url.scheme}://{made.url.host_header}{made.url.target}"
    return made, seen, (made.content or b"").decode()


@every_url
@every_encoding
@every_method
def test_twilio_takes_it(url: str, encoding, method, now: float) -> None:
    made, seen, body = sent(url, encoding, method, now)
    # As Twilio's own decorators do it: a form's parameters as a dict, any other body as text.
    params = dict(parse_qsl(body, keep_blank_values=True)) if encoding == "form" else body
    validator = RequestValidator(SECRET)
    assert validator.validate(seen, params, made.headers["X-Twilio-Signature"])
    assert not RequestValidator(SECRET + "!").validate(seen, params, made.headers["X-Twilio-Signature"])
    assert not validator.validate(seen + "&more=1", params, made.headers["X-Twilio-Signature"])


@every_encoding
def test_twilio_sees_a_changed_body(encoding, now: float) -> None:
    made, seen, body = sent(URLS[0], encoding, "POST", now)
    changed = body.replace("standup", "standing")
    assert changed != body
    params = dict(parse_qsl(changed)) if encoding == "form" else changed
    assert not RequestValidator(SECRET).validate(seen, params, made.headers["X-Twilio-Signature"])


@every_url
@every_encoding
@every_method
def test_signalwire_takes_it(url: str, encoding, method, now: float) -> None:
    made, seen, body = sent(url, encoding, method, now)
    of_sha1, of_sha256 = made.headers["X-SignalWire-Signature"], made.headers["X-SignalWire-Sha256-Signature"]
    assert validate_webhook_signature(SECRET, of_sha1, seen, body)
    assert validate_webhook_signature(SECRET, made.headers["X-Twilio-Signature"], seen, body)
    assert validate_webhook_signature_sha256(SECRET, of_sha256, seen, body)
    assert not validate_webhook_signature(SECRET + "!", of_sha1, seen, body)
    # Of a form by GET the validator looks at the URL alone.
    assert validate_webhook_signature(SECRET, of_sha1, seen, body + "x=y") == (encoding == "form" and method == "GET")
    assert not validate_webhook_signature_sha256(SECRET, of_sha256, seen, body + "x=y")


def test_signalwire_schemes_by_encoding(now: float) -> None:
    json_headers = sent(URLS[0], "relay", "POST", now)[0].headers
    assert len(bytes.fromhex(json_headers["X-SignalWire-Signature"])) == 20
    assert len(bytes.fromhex(json_headers["X-SignalWire-Sha256-Signature"])) == 32
    form_headers = sent(URLS[0], "form", "POST", now)[0].headers
    assert form_headers["X-SignalWire-Signature"] == form_headers["X-Twilio-Signature"]


@every_url
@every_encoding
@every_method
def test_standard_webhooks_takes_it(url: str, encoding, method, now: float) -> None:
    made, _, body = sent(url, encoding, method, now)
    Webhook(whsec(SECRET)).verify(body, made.headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(whsec(SECRET)).verify(body + " ", made.headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(whsec(SECRET + "!")).verify(body, made.headers, json_parse=False)


def test_standard_webhooks_returns_the_event(now: float) -> None:
    made, _, body = sent(URLS[0], "relay", "POST", now)
    assert Webhook(whsec(SECRET)).verify(body, made.headers)["params"]["label"] == "Jürgen & Zoë = 100 % ☎"


def test_an_old_request_is_refused(now: float) -> None:
    made, _, body = sent(URLS[0], "relay", "POST", now - 301)
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(whsec(SECRET)).verify(body, made.headers)


def test_the_timestamp_is_utc_wherever_the_machine_is(now: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    try:
        made, _, body = sent(URLS[0], "relay", "POST", now)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert made.headers["webhook-timestamp"] == str(int(now))
    Webhook(whsec(SECRET)).verify(body, made.headers)


def test_every_attempt_is_signed_anew_under_the_same_id(now: float) -> None:
    first, second = (sent(URLS[0], "relay", "POST", at)[0].headers for at in (now - 60, now))
    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-signature"] != second["webhook-signature"]


def test_an_empty_secret_signs_nothing() -> None:
    with pytest.raises(ValueError, match="empty"):
        Signer("")
