"""The table of refusals."""

import ast
from pathlib import Path
from typing import get_args

import pytest

import server
from server.conference.refusals import REFUSAL_CODES
from server.errors import ERRORS, ParleyError, invalid
from server.urls.errors import RefusalCode as UrlRefusalCode


def test_every_refusal_of_a_conference_has_a_status() -> None:
    assert ERRORS.keys() >= REFUSAL_CODES


@pytest.mark.parametrize("code", ERRORS)
def test_an_error_carries_what_the_table_says(code: str) -> None:
    error = ParleyError(code, "why")
    assert (error.status, error.title, error.fault) == (ERRORS[code].status, ERRORS[code].title, ERRORS[code].fault)
    assert (error.retry_after_s is not None) == (error.status == 503)
    assert 400 <= error.status < 600


def test_every_code_is_raised_somewhere_and_every_one_raised_is_in_the_table() -> None:
    raised: set[str] = {*REFUSAL_CODES, *get_args(UrlRefusalCode)}
    for path in Path(server.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ParleyError":
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    raised.add(str(first.value))
    by_status = {"method_not_allowed"}
    assert raised | by_status == set(ERRORS)


def test_an_invalid_field_is_named() -> None:
    error = invalid("media.rtp.port", "too high")
    assert (error.code, error.fields) == ("invalid_request", (("media.rtp.port", "too high"),))
    assert error.detail == "media.rtp.port: too high"
