"""API keys: reading credentials and checking them."""

import base64

import pytest

from server.keys import ApiKey, credentials, parse_api_keys, verify


def keys(text: str) -> tuple[ApiKey, ...]:
    parsed = parse_api_keys(text)
    assert isinstance(parsed, tuple)
    return parsed


def test_a_key_is_id_and_secret_and_the_secret_may_hold_colons() -> None:
    (key,) = keys("anna:one:two:three")
    assert key.key_id == "anna"
    assert verify([key], "anna", "one:two:three")
    assert "one:two" not in repr(key)


def test_a_key_can_be_rotated_with_both_secrets_valid() -> None:
    both = keys("anna:old-secret-1, anna:new-secret-2,")
    assert verify(both, "anna", "old-secret-1") and verify(both, "anna", "new-secret-2")
    assert not verify(both, "anna", "other-secret")


@pytest.mark.parametrize(
    ("key_id", "secret"), [("anna", "ben-secret"), ("ben", "anna-secret"), ("", ""), ("Anna", "anna-secret")]
)
def test_id_and_secret_belong_together(key_id: str, secret: str) -> None:
    assert not verify(keys("anna:anna-secret,ben:ben-secret"), key_id, secret)


def test_nothing_is_verified_without_keys() -> None:
    assert not verify([], "anna", "anna-secret")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Bearer a:b", ("a", "b")),
        ("bearer a:b:c", ("a", "b:c")),
        ("Basic " + base64.b64encode(b"a:b").decode(), ("a", "b")),
        ("Basic " + base64.b64encode(b"\xff:b").decode(), None),
        ("Basic ###", None),
        ("Bearer ab", None),
        ("Bearer :b", None),
        ("Bearer a:", None),
        ("Token a:b", None),
        ("", None),
    ],
)
def test_credentials_of_a_header(header: str, expected: tuple[str, str] | None) -> None:
    assert credentials(header) == expected
