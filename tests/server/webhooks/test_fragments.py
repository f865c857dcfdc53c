import pytest

from server.urls.limits import WEBHOOK
from server.webhooks.fragments import NO_OVERRIDES, Overrides, check_fragment, split_overrides
from server.webhooks.outcome import Failure

URL = "https://hooks.example/events?a=b"


def test_everything_a_fragment_can_say() -> None:
    url, overrides = split_overrides(f"{URL}#rc=2&rp=5xx,ct&ct=100&rt=15000&tt=900")
    assert url == URL
    assert overrides == Overrides(2, frozenset({Failure.SERVER, Failure.CONNECTING}), 100, 15_000, 900)


def test_limits_take_what_is_given_and_keep_the_rest() -> None:
    _, overrides = split_overrides(f"{URL}#ct=100&tt=900")
    limits = overrides.limits(WEBHOOK)
    assert (limits.connect_s, limits.read_s, limits.total_s) == (0.1, WEBHOOK.read_s, 0.9)
    assert limits.max_body_bytes == WEBHOOK.max_body_bytes
    assert NO_OVERRIDES.limits(WEBHOOK) == WEBHOOK


@pytest.mark.parametrize("fragment", ["", "#", "#section", "#sni=a.example&e=ashburn", "#RC=9", "#rcs=9&", "#=5"])
def test_what_is_not_ours_changes_nothing(fragment: str) -> None:
    assert split_overrides(URL + fragment) == (URL, NO_OVERRIDES)


def test_connect_timeout_has_two_names() -> None:
    assert split_overrides(f"{URL}#ot=250")[1] == Overrides(connect_ms=250)


@pytest.mark.parametrize(
    ("rp", "retried"),
    [
        ("all", None),
        ("4xx,all", None),
        ("rt", frozenset({Failure.READING})),
        ("4xx%2C5XX", frozenset({Failure.CLIENT, Failure.SERVER})),
    ],
)
def test_policies(rp: str, retried: frozenset[Failure] | None) -> None:
    assert split_overrides(f"{URL}#rp={rp}")[1] == Overrides(retried=retried)


@pytest.mark.parametrize("edge", ["rc=0", "rc=5", "ct=100", "ct=10000", "ot=10000", "rt=15000", "tt=100", "tt=15000"])
def test_edges_of_the_ranges_are_inside(edge: str) -> None:
    check_fragment(f"{URL}#{edge}")


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("rc=6", "retries from 0 to 5"),
        ("rc=-1", "retries from 0 to 5"),
        ("rc=", "#rc="),
        ("rc", "#rc="),
        ("rc=two", "#rc="),
        ("rc=²", "#rc="),
        ("ct=99", "milliseconds from 100 to 10000"),
        ("ot=10001", "#ot="),
        ("rt=15001", "milliseconds from 100 to 15000"),
        ("tt=1e3", "#tt="),
        ("tt=" + "9" * 5000, "#tt="),
        ("rp=", "4xx, 5xx, ct, rt, all"),
        ("rp=other", "#rp="),
        ("rp=4xx,,5xx", "#rp="),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(bad: str, says: str) -> None:
    with pytest.raises(ValueError, match="in the URL must be") as refused:
        check_fragment(f"{URL}#sni=x&{bad}")
    assert says in str(refused.value)
    assert len(str(refused.value)) < 150
