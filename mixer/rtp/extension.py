"""The client-to-mixer audio level of RFC 6464, read out of RTP header extensions (RFC 8285, one-byte form).

It says how loud a packet is without decoding it: one byte, the top bit for voice activity, the rest minus the level in
dBov. It is only a hint: whoever forges it costs us a decode or loses his own voice.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

UNKNOWN: Final = -1
_ONE_BYTE: Final = 0xBEDE
_MOST_ELEMENTS: Final = 6
"""Looked at per packet; senders put two or three."""


def audio_levels(
    data: NDArray[np.uint8], rows: NDArray[np.int64], extension_id: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The level byte of each packet, UNKNOWN where there is none.

    `data`: (B, stride) uint8, well-formed RTP datagrams by row; `rows`: (n,) which of them; `extension_id`: (n,) the
    element id of the audio level in each, 0 for none. Returns (n,) int64, 0..255 or UNKNOWN.
    """
    found = np.full(len(rows), UNKNOWN, np.int64)
    first = data[rows, 0]
    looking = ((first & 0x10) != 0) & (extension_id > 0)
    if not looking.any():
        return found
    at = np.minimum(12 + 4 * (first & 0x0F).astype(np.int64), data.shape[1] - 4)
    profile = data[rows, at].astype(np.int64) << 8 | data[rows, at + 1]
    end = at + 4 + 4 * (data[rows, at + 2].astype(np.int64) << 8 | data[rows, at + 3])
    looking &= profile == _ONE_BYTE
    end = np.minimum(end, data.shape[1] - 1)
    at = at + 4
    for _ in range(_MOST_ELEMENTS):
        looking &= at < end
        if not looking.any():
            break
        here = np.minimum(at, data.shape[1] - 2)
        element = data[rows, here].astype(np.int64)
        number, length = element >> 4, (element & 0x0F) + 1
        padding = element == 0
        looking &= padding | (number != 15)  # RFC 8285 section 4.2: 15 ends the list
        mine = looking & ~padding & (number == extension_id) & (length == 1) & (here + 1 < end)
        found[mine] = data[rows[mine], here[mine] + 1]
        looking &= ~mine
        at = at + np.where(padding, 1, 1 + length)
    return found
