import dataclasses
from pathlib import Path
from typing import get_args

from server.conference.events import Event
from server.conference.events_page import ENVELOPE, MEDIA, PARAMS, SELDOM, page
from server.conference.media import CallMedia
from server.conference.sample import sample

ROOT = Path(__file__).parents[3]


def test_the_page_in_the_docs_is_the_one_the_events_make() -> None:
    assert (ROOT / "docs" / "events.md").read_text() == page()


def test_every_event_that_users_see_happens_in_the_sample() -> None:
    statuses = {wire["params"]["status"] for wire in sample()}
    assert statuses == {kind.status for kind in get_args(Event)} - {None}


def test_every_field_is_described_and_no_description_is_of_a_field_that_is_gone() -> None:
    wires = sample()
    assert {name for wire in wires for name in wire} == ENVELOPE.keys()
    fields = {name for wire in wires for name in wire["params"]}
    assert fields | SELDOM == PARAMS.keys()
    assert not fields & SELDOM
    assert [field.name for field in dataclasses.fields(CallMedia)] == list(MEDIA)


def test_seldom_fields_are_those_the_rendering_knows() -> None:
    source = (ROOT / "server" / "conference" / "wire.py").read_text()
    assert all(f'"{name}"' in source for name in SELDOM)
