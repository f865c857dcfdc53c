"""docs/wait-audio.md says what the code does."""

import re
from pathlib import Path

from server.prompts import (
    beeps,
    clips,
    decode,
    decode_child,
    documents,
    music,
    pages,
    player,
    shelf,
    steps,
    turns,
    twiml,
)
from server.prompts.errors import PROMPT_ERRORS
from server.urls.limits import PROMPT

PAGE = (Path(__file__).parents[3] / "docs" / "wait-audio.md").read_text()
TEXT = " ".join(PAGE.split())


def test_every_code_is_explained_and_no_other() -> None:
    assert sorted(re.findall(r"^\| `(prompt_\w+)` \|", PAGE, re.MULTILINE)) == sorted(PROMPT_ERRORS)


def test_limits_of_files_are_those_of_the_code() -> None:
    rows = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \| [^|]+ \|$", PAGE, re.MULTILINE))
    assert PROMPT.max_body_bytes == decode.MAX_FILE_BYTES
    assert rows["bytes fetched, after decompression"] == f"{decode.MAX_FILE_BYTES >> 20} MiB"
    assert rows[f"fetching, redirects (at most {PROMPT.max_redirects}) included"] == f"{PROMPT.total_s} s"
    assert rows["length"] == f"{decode_child.MAX_DURATION_S // 60} minutes"
    assert rows["channels"] == str(decode_child.MAX_CHANNELS)
    lowest, highest = decode_child.LOWEST_RATE_HZ, decode_child.HIGHEST_RATE_HZ
    assert rows["sample rate"] == f"{lowest}-{highest:,} Hz".replace(",", " ")
    assert rows["memory of the decoder"] == f"{decode_child.MEMORY_BYTES >> 20} MiB of address space"
    assert rows["computing of the decoder"] == f"{decode_child.CPU_S} s of CPU, {decode.DEADLINE_S:.0f} s in all"


def test_other_figures_are_those_of_the_code() -> None:
    for sentence in (
        f"{music.DURATION_S} s in D major, at {music.LEVEL_DBOV:.0f} dBov, no peak beyond {music.PEAK_DBFS:.0f} dBFS",
        f"two notes in {beeps.DURATION_MS} ms at {beeps.LEVEL_DBOV:.0f} dBov",
        f"at most {documents.MAX_BYTES >> 10} KiB and {steps.MAX_STEPS} steps, XML at most {twiml.MAX_DEPTH} levels",
        f"{steps.MAX_PAUSE_S:.0f} at most",
        f"After more than {player.MOST_SILENT_REDIRECTS} redirects in a row",
        f"and {pages.UNTOLD_FRESH_S:.0f} s if it says nothing",
        f"the server keeps {shelf.MAX_BYTES >> 20} MiB or {shelf.MAX_CLIPS} clips",
        f"At most {turns.MOST} fetches are under way, {turns.MOST_OF_A_HOST} to one host",
        f"ends after {turns.PATIENCE_S:.0f} s",
    ):
        assert sentence in TEXT
    assert player.LEAST_BETWEEN_DOCUMENTS_S == 1
    assert pages.LONGEST_FRESH_S == 86_400
    assert clips.FAILURE_LASTS_S == 60


def test_the_examples_are_read_without_a_remark() -> None:
    [xml] = re.findall(r"```xml\n(.*?)```", PAGE, re.DOTALL)
    [json] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    for example, expected in ((xml, 3), (json, 3)):
        document = documents.parse("https://example.com/", "", example.encode())
        assert (len(document.steps), document.notes) == (expected, ())
