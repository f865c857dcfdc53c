"""What URLs can fail of is written down for users."""

from pathlib import Path
from typing import get_args

import pytest

from server.urls.addresses import Kind
from server.urls.errors import FetchCode, FetchError, RefusalCode, UrlError, UrlRefused

PAGE = (Path(__file__).parents[3] / "docs" / "url-safety.md").read_text()


def test_every_code_has_its_row_and_no_row_is_of_a_code_that_is_gone() -> None:
    section = PAGE.split("## When it fails")[1]
    documented = [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")]
    assert sorted(documented) == sorted(get_args(RefusalCode) + get_args(FetchCode))


def test_every_kind_of_address_is_documented() -> None:
    section = PAGE.split("## Where it may lead")[1].split("###")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| ") and "Refused as" not in line]
    documented = [kind.strip() for row in rows for kind in row.split(",")]
    assert sorted(documented) == sorted(kind.value for kind in Kind)


@pytest.mark.parametrize("error", [UrlRefused("url_invalid", "why"), FetchError("timeout", "why")])
def test_both_families_have_a_code_and_a_detail(error: UrlError) -> None:
    assert error.detail == "why"
    assert str(error) == f"{error.code}: why"
