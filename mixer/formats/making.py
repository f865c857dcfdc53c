"""Which table has the legs of which wire format."""

from typing import Final

from mixer.clips import Clips
from mixer.formats.base import FormatTable
from mixer.formats.g711 import G711Table
from mixer.formats.g722 import G722Table
from mixer.formats.l16 import L16Table
from mixer.formats.opus import OpusTable
from mixer.protocol import MediaFormat, MixerConfig

FIRST_ROWS: Final = 16
"""Rows a table starts with; it doubles when full."""


class UnknownCodecError(Exception):
    """A leg's codec or rate is none this mixer has."""


def make_table(form: MediaFormat, clips: Clips, config: MixerConfig) -> FormatTable:
    """Return an empty table for legs of this format. Raises UnknownCodecError."""
    table = _empty(form, clips, config)
    table.enhance(config.auto_gain, config.noise_suppression)
    return table


def _empty(form: MediaFormat, clips: Clips, config: MixerConfig) -> FormatTable:
    match form.codec, form.sample_rate:
        case (("pcmu" | "pcma"), 8000):
            return G711Table(FIRST_ROWS, clips, form.codec == "pcmu")
        case "g722", 16000:
            return G722Table(FIRST_ROWS, clips)
        case "opus", 48000:
            return OpusTable(FIRST_ROWS, clips, config)
        case "l16", 8000 | 16000 | 24000 | 48000:
            return L16Table(FIRST_ROWS, clips, form.sample_rate)
    raise UnknownCodecError(f"{form.codec} at {form.sample_rate} Hz")
