"""Reads wait and hold documents in TwiML or cXML: a Response of Play, Pause and Redirect.

Decides what of the verbs and their attributes is understood. Other verbs are left out with the warning that the
vendors number 13238, and Say too, as there is no engine to speak. Nothing of XML that could make a small document
large or lead to another file is read: no document type, no entities, no depth. Pure.
"""

import math
from typing import Final
from xml.parsers import expat

from server.prompts.errors import PromptError
from server.prompts.steps import MAX_LOOPS, Method, Reading

MAX_DEPTH: Final = 20
_PAUSE_S: Final = 1.0


def read_twiml(data: bytes, reading: Reading) -> None:
    """Tell `reading` the steps of a document. Raises PromptError prompt_format."""
    response = _Response(reading)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = response.start
    parser.EndElementHandler = response.end
    parser.CharacterDataHandler = response.text
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise PromptError("prompt_format", f"the XML is not well-formed ({error})") from error
    except (LookupError, ValueError) as error:
        raise PromptError("prompt_format", "the XML is in an encoding that is not read") from error


def _refuse_doctype(*_: object) -> None:
    raise PromptError("prompt_format", "XML with a document type is not read")


class _Response:
    """Follows the parser through the document; a verb is understood when it ends."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._depth = 0
        self._attributes: dict[str, str] = {}
        self._text: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise PromptError("prompt_format", f"the XML is more than {MAX_DEPTH} elements deep")
        if self._depth == 1 and name != "Response":
            raise PromptError("prompt_format", "the XML is no TwiML: its first element is not Response")
        if self._depth == 2:
            self._attributes, self._text = attributes, []

    def text(self, text: str) -> None:
        if self._depth == 2:
            self._text.append(text)

    def end(self, name: str) -> None:
        if self._depth == 2:
            self._verb(name, self._attributes, "".join(self._text).strip())
        self._depth -= 1

    def _verb(self, name: str, attributes: dict[str, str], text: str) -> None:
        match name:
            case "Play" if text:
                self._reading.play(text, self._loops(attributes.get("loop")))
            case "Play":
                self._reading.note("left out a Play without a URL")
            case "Pause":
                self._reading.pause(self._length_s(attributes.get("length")))
            case "Redirect":
                self._reading.redirect(text, self._method(attributes.get("method")))
            case "Say":
                self._reading.note("left out Say: the server has no engine that speaks")
            case _:
                self._reading.note(f"13238: left out <{name[:50]}>, which a wait document may not hold")

    def _loops(self, value: str | None) -> int | None:
        if value is None:
            return 1
        if not (value.isascii() and value.isdecimal()):
            self._reading.note("took the loop of a Play for 1: it is no whole number")
            return 1
        return min(int(value[:10]), MAX_LOOPS) or None

    def _length_s(self, value: str | None) -> float:
        try:
            seconds = _PAUSE_S if value is None else float(value)
        except ValueError:
            seconds = math.nan
        if not (math.isfinite(seconds) and seconds >= 0):
            self._reading.note("took the length of a Pause for 1: it is no number of seconds")
            return _PAUSE_S
        return seconds

    def _method(self, value: str | None) -> Method:
        match (value or "POST").upper():
            case "GET":
                return "GET"
            case "POST":
                return "POST"
        self._reading.note("took the method of a Redirect for POST: it is neither GET nor POST")
        return "POST"
