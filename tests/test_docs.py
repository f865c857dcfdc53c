"""What users are promised is written down: every setting, every error code, every route."""

import re
from pathlib import Path

import pytest

from server.api.app import describe
from server.errors import ERRORS
from server.settings import Settings, env_name

DOCS = Path(__file__).parent.parent / "docs"
SETTINGS_PAGE = (DOCS / "settings.md").read_text()
ERRORS_PAGE = (DOCS / "errors.md").read_text()
API_PAGE = (DOCS / "api.md").read_text()


def rows(page: str) -> list[list[str]]:
    """Return the cells of all table rows that begin with code."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| `")
    ]


def test_every_setting_has_its_row_and_no_row_is_of_a_setting_that_is_gone() -> None:
    documented = [row[0].strip("`") for row in rows(SETTINGS_PAGE)]
    assert sorted(documented) == sorted(env_name(name) for name in Settings.model_fields)


def test_documented_defaults_are_the_defaults() -> None:
    for name, default, *_ in rows(SETTINGS_PAGE):
        field = Settings.model_fields[name.strip("`").removeprefix("PARLEY_").lower()]
        value = field.default
        shown = "-".join(map(str, value)) if field is Settings.model_fields["rtp_ports"] else str(value)
        expected = "none" if value in (None, ()) else f"`{shown.lower() if isinstance(value, bool) else shown}`"
        assert default == expected, name


def test_every_error_code_has_its_row_with_its_status() -> None:
    documented = {row[0].strip("`"): int(row[1]) for row in rows(ERRORS_PAGE)}
    assert documented == {code: kind.status for code, kind in ERRORS.items()}


@pytest.mark.parametrize("fault", ["caller", "far_end", "us"])
def test_errors_stand_under_whose_fault_they_are(fault: str) -> None:
    sections = dict(zip(["caller", "far_end", "us"], ERRORS_PAGE.split("\n## ")[1:], strict=True))
    assert {row[0].strip("`") for row in rows(sections[fault])} == {
        code for code, kind in ERRORS.items() if kind.fault == fault
    }


def test_every_route_has_an_example_or_a_mention_in_the_guide() -> None:
    for path, methods in describe()["paths"].items():
        pattern = re.sub(r"\{\w+\}", r"[^/\\s]+", re.escape(path).replace(r"\{", "{").replace(r"\}", "}"))
        assert re.search(pattern, API_PAGE), path
        for method in {"delete", "patch"} & methods.keys():
            assert re.search(rf"-X {method.upper()} \S*{pattern}", API_PAGE), (method, path)
        for operation in methods.values():
            assert operation["summary"]
