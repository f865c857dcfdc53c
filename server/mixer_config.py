"""What the settings say to every mixer at its birth, a conference's or the lobby's.

What a mixer does with it is the mixer's.
"""

from mixer.protocol import MixerConfig
from server.settings import Settings


def mixer_config(settings: Settings, name: str) -> MixerConfig:
    """Return the birth message of a mixer called `name`: a conference id, or `lobby`."""
    return MixerConfig(
        name=name,
        opus_bitrate=settings.mixer_opus_bitrate,
        opus_complexity=None if settings.mixer_opus_complexity == "auto" else settings.mixer_opus_complexity,
        share_encodes=settings.mixer_share_encodes,
        skip_silent=settings.mixer_skip_silent,
        loudest=settings.mixer_loudest,
        protect_lossy=settings.mixer_protect_lossy,
        compiled=settings.mixer_compiled,
        auto_gain=settings.auto_gain,
        noise_suppression=settings.noise_suppression,
        scheduling=settings.mixer_scheduling,
        cores=settings.mixer_cores,
        lock_memory=settings.mixer_lock_memory,
    )
