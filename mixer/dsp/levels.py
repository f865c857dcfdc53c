"""How loud a frame is, in dBov: the sense of RFC 6464 and RFC 6465, from 0 down to -127.

0 dBov is the level of a square wave at full scale, 32768 in our units, so a sine can't exceed -3.01. That
reference serves all codecs alike; the loudest mu-law square wave (RFC 6464 section 3 calls that 0 dBov) reads
-0.17 here.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

SILENCE_DBOV: Final = -127.0

FULL_SCALE_POWER: Final = 32768.0**2
SILENCE_POWER: Final = 10.0 ** (SILENCE_DBOV / 10)


def dbov(frames: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the RMS level of each row, (n,) float32 in dBov between -127 (silence and less) and 0.

    `frames`: (n, S) float32 in int16 units.
    """
    level: npt.NDArray[np.float32] = np.vecdot(frames, frames)
    level *= 1.0 / (FULL_SCALE_POWER * frames.shape[1])
    np.clip(level, SILENCE_POWER, 1.0, out=level)
    np.log10(level, out=level)
    level *= 10.0
    return level
