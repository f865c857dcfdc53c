"""Media negotiation: defaults, choices, refusals (which the API's bad-input tests show in full)."""

import pytest

from mixer.protocol import Address, Codec
from server.calls.media import PLAYOUTS, PTIME_MS, rtp_media
from server.errors import ParleyError


@pytest.mark.parametrize(
    ("codec", "payload_type", "sample_rate"),
    [("pcmu", 0, 8000), ("pcma", 8, 8000), ("g722", 9, 16000), ("l16", 96, 16000), ("opus", 111, 48000)],
)
def test_defaults_of_each_codec(codec: Codec, payload_type: int, sample_rate: int) -> None:
    media = rtp_media(codec=codec, ip="192.0.2.1", port=4000)
    assert (media.format.payload_type, media.format.sample_rate) == (payload_type, sample_rate)
    assert media.format.dtmf_payload_type is None
    assert media.remote == Address("192.0.2.1", 4000)
    assert media.receives and media.sends and media.ssrc is None
    assert media.ptime_ms == PTIME_MS == 20


def test_without_an_address_it_is_learnt() -> None:
    assert rtp_media(codec="opus").remote is None


@pytest.mark.parametrize(
    ("direction", "receives", "sends"), [("sendrecv", True, True), ("sendonly", True, False), ("recvonly", False, True)]
)
def test_direction_is_the_callers_view(direction: str, receives: bool, sends: bool) -> None:
    media = rtp_media(codec="pcmu", ip="192.0.2.1", port=4000, direction=direction)  # type: ignore[arg-type]
    assert (media.receives, media.sends) == (receives, sends)


@pytest.mark.parametrize("payload_type", [*range(64, 96), -1, 128])
def test_payload_types_that_look_like_rtcp_or_do_not_exist(payload_type: int) -> None:
    with pytest.raises(ParleyError, match="payload_type"):
        rtp_media(codec="opus", payload_type=payload_type)


@pytest.mark.parametrize("payload_type", [0, 8, 9])
def test_static_payload_types_mean_one_codec(payload_type: int) -> None:
    with pytest.raises(ParleyError, match="RFC 3551"):
        rtp_media(codec="opus", payload_type=payload_type)


@pytest.mark.parametrize("payload_type", [63, 96, 127, 35])
def test_dynamic_payload_types_are_the_callers(payload_type: int) -> None:
    assert rtp_media(codec="pcmu", payload_type=payload_type).format.payload_type == payload_type


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
def test_l16_has_a_choice_of_rates(rate: int) -> None:
    assert rtp_media(codec="l16", sample_rate=rate).format.sample_rate == rate


def test_jitter_buffers_grow_with_their_names() -> None:
    sizes = [PLAYOUTS[name] for name in ("off", "small", "medium", "large")]  # type: ignore[index]
    assert [p.max_ms for p in sizes] == sorted({p.max_ms for p in sizes})
    assert [p.margin_ms for p in sizes] == sorted({p.margin_ms for p in sizes})
