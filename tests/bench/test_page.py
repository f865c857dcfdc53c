"""The published page is what the published results make of it."""

import json
from typing import Any

from bench.page import PAGE, RESULTS, page

REPORT: dict[str, Any] = json.loads(RESULTS.read_text())


def test_the_page_is_made_of_the_results() -> None:
    assert PAGE.read_text() == page(REPORT), "make it anew: python -m bench.page"


def test_every_row_is_on_the_page_and_says_when_and_on_what() -> None:
    text = page(REPORT)
    for row in REPORT["rows"]:
        assert f"| `{row['row']}` |" in text
    assert REPORT["commit"] in text and REPORT["date"] in text and REPORT["machine"]["cpu"] in text


def test_rows_that_failed_are_told_and_not_shown_as_figures() -> None:
    failed = {"row": "opus-all-150", "error": "ServerError: POST /v1: 503\n    log"}
    text = page(REPORT | {"rows": [failed]})
    assert "* opus-all-150: ServerError: POST /v1: 503\n" in text
    assert "| `opus-all-150` | late ticks at most 0 | - | not measured |" in text


def test_without_a_comparison_there_is_none_on_the_page() -> None:
    alone = {key: value for key, value in REPORT.items() if key != "compared"}
    assert "## Beside Janus" not in page(alone)
    assert "## Claims" in page(alone)
