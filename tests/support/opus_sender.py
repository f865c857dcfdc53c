"""An Opus far end that sends what ours never does: stereo, other rates and frame sizes, SILK, hybrid, FEC, DTX."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.codecs.libopus import FFI, LIBOPUS

APPLICATIONS: Final = {"voip": 2048, "audio": 2049, "lowdelay": 2051}
BITRATE, BANDWIDTH, COMPLEXITY, FEC, LOSS, DTX, FORCE_MODE = 4002, 4008, 4010, 4012, 4014, 4016, 11002
NARROWBAND, WIDEBAND, FULLBAND = 1101, 1103, 1105
SILK, HYBRID, CELT = 1000, 1001, 1002


class OpusSender:
    """libopus' encoder with all its settings; `frame_ms` may be 10, 20, 40 or 60."""

    def __init__(
        self,
        rate: int = 48000,
        channels: int = 1,
        application: str = "voip",
        frame_ms: int = 20,
        bitrate: int = 32_000,
        *,
        loss_percent: int = 0,
        dtx: bool = False,
        mode: int | None = None,
        bandwidth: int | None = None,
    ) -> None:
        error = FFI.new("int *")
        state = LIBOPUS.opus_encoder_create(rate, channels, APPLICATIONS[application], error)
        assert error[0] == 0
        self._state = FFI.gc(state, LIBOPUS.opus_encoder_destroy)
        self.rate, self.channels, self.samples = rate, channels, rate * frame_ms // 1000
        settings = {BITRATE: bitrate, COMPLEXITY: 5, FEC: int(loss_percent > 0), LOSS: loss_percent, DTX: int(dtx)}
        if mode is not None:
            settings[FORCE_MODE] = mode
        if bandwidth is not None:
            settings[BANDWIDTH] = bandwidth
        for request, value in settings.items():
            assert LIBOPUS.opus_encoder_ctl(self._state, request, FFI.cast("int", value)) == 0

    def encode(self, pcm: NDArray[np.int16]) -> bytes:
        """`pcm` (samples,) mono, sent alike on every channel, or (samples, channels)."""
        columns = np.broadcast_to(pcm.reshape(len(pcm), -1), (len(pcm), self.channels))
        scaled = np.ascontiguousarray(columns, np.float32) / np.float32(32768)
        out = np.zeros(4000, np.uint8)
        size = LIBOPUS.opus_encode_float(self._state, int(scaled.ctypes.data), len(pcm), int(out.ctypes.data), len(out))
        assert size > 0
        return out[:size].tobytes()

    def packets(self, pcm: NDArray[np.int16]) -> list[bytes]:
        """All whole frames of a sound, in order."""
        n = self.samples
        return [self.encode(pcm[at : at + n]) for at in range(0, len(pcm) - n + 1, n)]
