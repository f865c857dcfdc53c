"""Wait documents in TwiML: what of each verb is understood, and what XML is not read."""

import pytest

from server.prompts.errors import PromptError
from server.prompts.steps import MAX_LOOPS, MAX_PAUSE_S, Document, Pause, Play, Reading, Redirect, Step
from server.prompts.twiml import MAX_DEPTH, read_twiml

BASE = "https://example.com/d/doc.xml"
A = "https://example.com/d/a.mp3"


def read(data: bytes) -> Document:
    reading = Reading(BASE)
    read_twiml(data, reading)
    return reading.document()


@pytest.mark.parametrize(
    ("verb", "step", "notes"),
    [
        ("<Play>a.mp3</Play>", Play(A), 0),
        ("<Play>\n  a.mp3\n</Play>", Play(A), 0),
        ("<Play><![CDATA[a.mp3]]></Play>", Play(A), 0),
        ("<Play>a.mp3?x=1&amp;y=2</Play>", Play(A + "?x=1&y=2"), 0),
        ('<Play loop="3">a.mp3</Play>', Play(A, 3), 0),
        ('<Play loop="0">a.mp3</Play>', Play(A, None), 0),
        ('<Play loop="99999999999999999999">a.mp3</Play>', Play(A, MAX_LOOPS), 0),
        ('<Play loop="-1">a.mp3</Play>', Play(A), 1),
        ('<Play loop="many">a.mp3</Play>', Play(A), 1),
        ('<Play loop="&#178;">a.mp3</Play>', Play(A), 1),
        ("<Play></Play>", None, 1),
        ('<Play digits="12"/>', None, 1),
        ("<Pause/>", Pause(1.0), 0),
        ('<Pause length="10"/>', Pause(10.0), 0),
        ('<Pause length="0"/>', Pause(0.0), 0),
        ('<Pause length="1e9"/>', Pause(MAX_PAUSE_S), 0),
        ('<Pause length="-1"/>', Pause(1.0), 1),
        ('<Pause length="inf"/>', Pause(1.0), 1),
        ('<Pause length="nan"/>', Pause(1.0), 1),
        ('<Pause length=""/>', Pause(1.0), 1),
        ("<Redirect/>", Redirect(None, "POST"), 0),
        ("<Redirect> </Redirect>", Redirect(None, "POST"), 0),
        ('<Redirect method="GET">b.xml</Redirect>', Redirect("https://example.com/d/b.xml", "GET"), 0),
        ('<Redirect method="post">b.xml</Redirect>', Redirect("https://example.com/d/b.xml", "POST"), 0),
        ('<Redirect method="PUT">b.xml</Redirect>', Redirect("https://example.com/d/b.xml", "POST"), 1),
        ("<Say>hello</Say>", None, 1),
        ("<Dial>+1555</Dial>", None, 1),
        ("<Hangup/>", None, 1),
        ("<Record/>", None, 1),
        ("<Gather><Play>a.mp3</Play></Gather>", None, 1),
        ("<play>a.mp3</play>", None, 1),
        ("<!-- <Play>a.mp3</Play> -->", None, 0),
        ("hello", None, 0),
    ],
)
def test_verbs(verb: str, step: Step | None, notes: int) -> None:
    document = read(f"<Response>{verb}</Response>".encode())
    assert document.steps == ((step,) if step is not None else ())
    assert len(document.notes) == notes


def test_steps_come_in_order() -> None:
    document = read(
        b'<?xml version="1.0" encoding="UTF-8"?><Response><Play>a.mp3</Play><Pause length="2"/><Redirect/></Response>'
    )
    assert document.steps == (Play(A), Pause(2.0), Redirect(None, "POST"))


def test_forbidden_verbs_carry_the_vendors_number() -> None:
    assert read(b"<Response><Dial/></Response>").notes == (
        "13238: left out <Dial>, which a wait document may not hold",
    )


def test_other_encodings_are_read() -> None:
    text = '<?xml version="1.0" encoding="{}"?><Response><Play>ä.mp3</Play></Response>'
    expected = (Play("https://example.com/d/ä.mp3"),)
    assert read(text.format("ISO-8859-1").encode("latin-1")).steps == expected
    assert read(text.format("UTF-16").encode("utf-16")).steps == expected


BOMB = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">
<!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
<!ENTITY lol3 "&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;">]>
<Response><Play>&lol3;</Play></Response>"""


@pytest.mark.parametrize(
    "data",
    [
        BOMB,
        b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><Response><Play>&x;</Play></Response>',
        b'<!DOCTYPE r SYSTEM "http://127.0.0.1/x.dtd"><Response/>',
        b"<!DOCTYPE Response><Response/>",
        b"<Response><Play>&undefined;</Play></Response>",
        b"<Response>",
        b"",
        b"<Response/><Response/>",
        b"<html><body/></html>",
        b"<Play>a.mp3</Play>",
        b"<a>" * (MAX_DEPTH + 1),
        b"<Response>" + b"<a>" * 10_000 + b"</a>" * 10_000 + b"</Response>",
        b'<?xml version="1.0" encoding="no-such"?><Response/>',
        b'<?xml version="1.0" encoding="zlib_codec"?><Response/>',
        b"<Response>\x00</Response>",
        b"<Response>\xff\xff</Response>",
    ],
)
def test_what_is_not_read(data: bytes) -> None:
    with pytest.raises(PromptError) as refused:
        read(data)
    assert refused.value.code == "prompt_format"
