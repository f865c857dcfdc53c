"""docs/webhooks.md names every parameter, header and error there is; the receiver in `examples/` takes all of it."""

import http.client
import re
import subprocess
import sys
from pathlib import Path

from server.conference.callbacks import RECORDING_EVENTS, STATUSES_OF
from server.conference.sample import sample
from server.urls.allowance import Allowance
from server.urls.check import check_url
from server.webhooks import outcome, schedule
from server.webhooks.envelope import request_of
from server.webhooks.forms import parameters
from server.webhooks.model import Delivery, DeliveryKind
from server.webhooks.sign import Signer
from tests.server.webhooks.examples import PARTICIPANT, RECORDING, delivery, event

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "webhooks.md").read_text()
NAMES = set(re.findall(r"`([^`\n]+)`", PAGE))
SECRET = "a-secret-of-this-test"


def test_every_parameter_of_a_form_is_on_the_page() -> None:
    seldom = [
        event(**PARTICIPANT, coach=PARTICIPANT["call_id"], label="a"),
        event("record-stop", **RECORDING, recovered=True, lost_ms=1, reason="x"),
    ]
    told = [delivery(wire, gap=True, kind=kind) for wire in [*sample(), *seldom] for kind in DeliveryKind]
    found = {name for each in told for name in parameters(each)}
    documented = {
        name
        for row in re.findall(r"^\| (`[A-Z].*?) \|", PAGE[PAGE.index("## Forms") :], re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert found == documented


def test_every_header_is_on_the_page() -> None:
    headers = Signer(SECRET).headers("id", 1.8e9, "http://x/", b"{}", None)
    assert headers.keys() <= NAMES


def test_every_token_is_on_the_page() -> None:
    assert " ".join(STATUSES_OF) in NAMES
    assert " ".join(RECORDING_EVENTS) in NAMES


def test_every_word_for_a_failure_is_on_the_page_and_no_other() -> None:
    words = {
        match
        for source in (outcome.__file__, str(ROOT / "server/webhooks/attempt.py"))
        for match in re.findall(r'error(?:, failure)? ?=? ?\(?"([a-z_0-9]+)"', Path(source).read_text())
    }
    table = PAGE[PAGE.index("| `last_error`") : PAGE.index("## Is it from Parley?")]
    documented = {
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    known = {*outcome._OF_FETCH_ERRORS.values(), *outcome._OF_TIMEOUTS.values()}
    assert documented - {"last_error"} >= words | {word for word, _ in known}


def test_the_default_waits_are_on_the_page() -> None:
    assert schedule.DEFAULT_SCHEDULE_S == (5, 30, 120, 600, 3600, 3 * 3600, 8 * 3600, 24 * 3600)
    assert "after 5 s, 30 s, 2 min, 10 min, 1 h, 3 h, 8 h and 24 h" in PAGE


def test_the_receiver_of_the_examples_takes_genuine_events_once_and_refuses_others() -> None:
    command = [sys.executable, str(ROOT / "examples" / "webhook_receiver.py"), "0"]
    environment = {"PARLEY_SIGNING_SECRET": SECRET, "PATH": ""}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as receiver:
        assert receiver.stdout is not None
        try:
            port = int(receiver.stdout.readline().strip().rpartition(":")[2].strip("/"))
            url = f"http://127.0.0.1:{port}/events"
            as_json = delivery(url=url, gap=True)
            form = delivery(event("conference-start", event_id="another"), url=url, encoding="form")
            assert [post(port, told, SECRET) for told in (as_json, as_json, form)] == [204] * 3
            assert post(port, as_json, "another secret") == 403
            assert receiver.stdout.readline().startswith(f"   3 standup: participant-join {PARTICIPANT['call_id']}   (")
            assert receiver.stdout.readline().startswith("   3 standup: conference-start")
            assert "refused" in receiver.stdout.readline()
        finally:
            receiver.kill()


def post(port: int, told: Delivery, secret: str) -> int:
    request = request_of(told, check_url(told.url, Allowance(everything=True)), Signer(secret), 1.8e9)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(request.method, request.url.target, request.content, request.headers)
        return connection.getresponse().status
    finally:
        connection.close()
