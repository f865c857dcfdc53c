"""The published page of sound quality is what the published figures make of it."""

import json
from dataclasses import asdict
from typing import Any

from bench.quality import NETWORKS, hour
from bench.quality_page import OPUS_LEAST, PAGE, RESULTS, claims, page

REPORT: dict[str, Any] = json.loads(RESULTS.read_text())


def test_the_page_is_made_of_the_figures() -> None:
    assert PAGE.read_text() == page(REPORT), "make it anew: python -m bench.quality --page"


def test_page_says_when_and_on_what_and_has_every_row() -> None:
    text = page(REPORT)
    assert REPORT["commit"] in text and REPORT["date"] in text and REPORT["machine"]["cpu"] in text
    measured = [{key: row[key] for key in asdict(network)} for network in NETWORKS for row in [asdict(network)]]
    published = [{key: row[key] for key in measured[0]} for row in REPORT["opus"] if row["said"] == "voices"]
    assert published == measured
    for row in REPORT["opus"]:
        assert f"| **{row['server']['pesq']:.2f}** / {row['server']['least_pesq']:.2f} |" in text


def test_every_loss_has_a_claim_and_only_what_is_short_of_it_is_missed() -> None:
    made = {claim.what: claim for claim in claims(REPORT)}
    assert sum(name.startswith("Opus, ") for name in made) == len(OPUS_LEAST)
    bad = json.loads(json.dumps(REPORT))
    for row in bad["opus"]:
        row["server"]["pesq"] = 1.0
    bad["hour"][0]["late"] = 1
    missed = [claim.what for claim in claims(bad) if not claim.held]
    assert sum(name.startswith("Opus, ") for name in missed) == len(OPUS_LEAST)
    assert "an hour of drift, late packets and gaps" in missed


def test_figures_without_words_make_a_page_without_them() -> None:
    silent = REPORT | {"opus": [row for row in REPORT["opus"] if row["said"] == "voices"]}
    assert "### Words" not in page(silent)
    assert "### Voices" in page(silent)


def test_a_short_hour_is_measured_as_the_long_one() -> None:
    for row in hour(24):
        assert (row["late"], row["concealed"], row["seconds"]) == (0, 0, 24)
        assert row["worst_step"] < 0.03
        assert 0 < row["least_wait_ms"] <= row["first_wait_ms"] <= row["most_wait_ms"] < 40
