import hashlib
import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from server.urls.allowance import Allowance
from server.urls.check import check_url
from server.webhooks.envelope import WebhookRequest, request_of
from server.webhooks.forms import fields, parameters
from server.webhooks.model import Delivery
from server.webhooks.sign import Signer
from tests.server.webhooks.examples import AT, EVENT_ID, delivery

SIGNER = Signer("correct horse battery staple")


def request(of: Delivery) -> WebhookRequest:
    return request_of(of, check_url(of.url, Allowance(everything=True)), SIGNER, AT)


def query(of: WebhookRequest) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(of.url.url).query, keep_blank_values=True)


def test_relay_is_the_logged_event() -> None:
    made = request(delivery())
    assert made.method == "POST"
    assert made.content is not None
    assert json.loads(made.content) == delivery().event
    assert made.headers["Content-Type"] == "application/json"
    assert query(made) == [("bodySHA256", hashlib.sha256(made.content).hexdigest())]


def test_after_a_gap_the_event_says_so() -> None:
    body = request(delivery(gap=True)).content
    assert body is not None
    assert json.loads(body) == {**delivery().event, "gap": True}


def test_form_is_the_body() -> None:
    made = request(delivery(encoding="form", url="https://hooks.example/events?keep=this"))
    assert made.content is not None
    assert dict(parse_qsl(made.content.decode(), strict_parsing=True)) == parameters(delivery())
    assert made.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert query(made) == [("keep", "this")]


def test_get_puts_parameters_behind_the_query() -> None:
    made = request(delivery(encoding="form", method="GET", url="https://hooks.example/events?keep=this"))
    assert (made.method, made.content) == ("GET", None)
    assert "Content-Type" not in made.headers
    assert query(made)[0] == ("keep", "this")
    assert dict(query(made)[1:]) == parameters(delivery())


def test_relay_by_get_has_both_spellings() -> None:
    made = request(delivery(method="GET"))
    assert dict(query(made)) == parameters(delivery()) | fields(delivery())


@pytest.mark.parametrize("encoding", ["relay", "form"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_one_id_everywhere(encoding, method) -> None:
    made = request(delivery(encoding=encoding, method=method))
    assert made.headers["webhook-id"] == made.headers["I-Twilio-Idempotency-Token"] == EVENT_ID


def test_fragment_and_credentials_are_not_in_the_url() -> None:
    made = request(delivery(url="https://anna:secret@hooks.example/events#rc=1&rp=all"))
    assert made.url.url.partition("?")[0] == "https://hooks.example/events"
    assert made.url.authorization is not None


def test_a_body_hash_of_the_users_makes_way_for_ours() -> None:
    url = "https://hooks.example/?bodySHA256=00&a=1&bodySHA256=11"
    made = request(delivery(url=url))
    assert made.content is not None
    assert query(made) == [("a", "1"), ("bodySHA256", hashlib.sha256(made.content).hexdigest())]
    assert query(request(delivery(url="https://hooks.example/?bodySHA256=00", encoding="form"))) == []


def test_a_url_as_long_as_may_be_leaves_room_for_what_we_add() -> None:
    url = "https://hooks.example/" + "a" * (2048 - 22)
    assert len(request(delivery(url=url, method="GET")).url.url) > 2048


def test_headers_and_body_do_not_show_in_logs() -> None:
    made = request(delivery(url="https://hooks.example/?token=secret"))
    assert "secret" not in repr(made)
    assert made.headers["webhook-signature"] not in repr(made)
