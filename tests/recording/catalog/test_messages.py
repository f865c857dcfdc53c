import json

import pytest

from recording.catalog import (
    Failed,
    Finish,
    Finished,
    MalformedError,
    Note,
    Progress,
    RecorderCommand,
    RecorderReport,
    Started,
    dump,
    dump_config,
    load_command,
    load_config,
    load_report,
)
from tests.recording.making import config_in


@pytest.mark.parametrize(
    "command", [Note(1.5, "joined", "anna", "Anna"), Note(2.0, "uncoached", "ben"), Finish("conference_ended")]
)
def test_commands_arrive_as_they_were_sent(command: RecorderCommand) -> None:
    assert load_command(dump(command)) == command


@pytest.mark.parametrize(
    "report",
    [
        Started("id", 12),
        Progress("id", -1, 0, 0),
        Failed("id", "disk_full", 1200, "No space left on device"),
        Finished("id", "completed", "stopped", 3.25, 1234),
    ],
)
def test_reports_arrive_as_they_were_sent(report: RecorderReport) -> None:
    assert load_report(dump(report)) == report


def test_a_config_arrives_as_it_was_sent(tmp_path: object) -> None:
    config = config_in(tmp_path, trim=True)  # type: ignore[arg-type]
    assert load_config(json.loads(json.dumps(dump_config(config)))) == config


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"type":"stop"}',
        b'{"type":["finish"]}',
        b'{"type":"finish"}',
        b'{"type":"finish","reason":7}',
        b'{"type":"finish","reason":"x","more":1}',
        b'{"type":"note","unix_s":true,"kind":"joined","call_id":"a"}',
        b'{"type":"note","unix_s":NaN,"kind":"joined","call_id":"a"}',
        b'{"type":"note","unix_s":1,"kind":"flew","call_id":"a"}',
        b'{"type":"note","unix_s":1,"kind":["joined"],"call_id":"a"}',
        b'{"type":"note","unix_s":1,"kind":"joined","call_id":"a","label":5}',
    ],
)
def test_what_is_no_command_is_refused(packet: bytes) -> None:
    with pytest.raises(MalformedError):
        load_command(packet)


def test_the_refusal_names_the_field() -> None:
    with pytest.raises(MalformedError, match=r"Note\.kind can't be 'flew'"):
        load_command(b'{"type":"note","unix_s":1,"kind":"flew","call_id":"a"}')
