"""Files that strangers serve become clips or refusals; nothing else comes of them, and nothing of them is left."""

import asyncio
import fcntl
import gzip
import os
import signal
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from server.prompts import decode as decode_module
from server.prompts.clip import RATES, Clip
from server.prompts.decode import MAX_FILE_BYTES, Decoder
from server.prompts.decode_child import MAX_DURATION_S
from server.prompts.errors import PromptError
from tests.server.prompts.files import (
    AMPLITUDE,
    TONE_HZ,
    encoded,
    heard,
    memory_files,
    peak_hz,
    rms,
    tone,
    wav,
    wav_header,
)
from tests.support.processes import children

LEVEL_AT_RMS = AMPLITUDE / np.sqrt(2)


EARLIER: set[int] = set()
"""Children that this process had before a test, such as a database that all tests share."""


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    before = memory_files()
    EARLIER.clear()
    EARLIER.update(children())
    yield
    assert memory_files() == before


async def decoded(data: bytes) -> tuple[Clip, tuple[str, ...]]:
    result = await Decoder().decode("clip_x", data)
    return result.clip, result.notes


async def refusal(data: bytes) -> PromptError:
    with pytest.raises(PromptError) as refused:
        await Decoder().decode("clip_x", data)
    return refused.value


@pytest.mark.parametrize(
    ("kind", "layout"),
    [
        *((kind, layout) for kind in ("wav", "mp3", "opus", "flac") for layout in ("mono", "stereo")),
        ("vorbis", "stereo"),  # libav's Vorbis encoder makes no mono
    ],
)
async def test_every_format_is_heard_at_every_rate_at_its_own_level(kind: str, layout: str) -> None:
    clip, notes = await decoded(encoded(kind, layout=layout))
    try:
        assert notes == ()
        assert tuple(clip.samples) == RATES
        assert clip.duration_ms == pytest.approx(1000, abs=60)
        for rate in RATES:
            middle = heard(clip, rate)[rate // 4 : rate // 4 + rate // 2]
            assert peak_hz(middle, rate) == pytest.approx(TONE_HZ, abs=2)
            # LAME makes all it encodes 5 % softer.
            assert rms(middle) == pytest.approx(LEVEL_AT_RMS * (0.95 if kind == "mp3" else 1), rel=0.02)
    finally:
        clip.close()


@pytest.mark.parametrize("rate", [4000, 11_025, 44_100, 96_000, 192_000])
async def test_files_of_other_rates_last_as_long(rate: int) -> None:
    clip, _ = await decoded(wav(tone(0.5, rate), rate))
    try:
        assert clip.duration_ms == pytest.approx(500, abs=1)
        assert peak_hz(heard(clip, 48_000), 48_000) == pytest.approx(TONE_HZ, abs=3)
    finally:
        clip.close()


@pytest.mark.parametrize(("tag", "bits", "silence"), [(7, 8, 0xFF), (6, 8, 0xD5), (1, 8, 0x80)])
async def test_telephony_wav_is_played(tag: int, bits: int, silence: int) -> None:
    clip, _ = await decoded(wav_header(tag=tag, bits=bits, data_bytes=8000) + bytes([silence]) * 8000)
    try:
        assert clip.samples[8000] == 8000
        assert np.abs(heard(clip, 8000)).max() <= 8
    finally:
        clip.close()


async def test_nobody_can_change_a_clip() -> None:
    clip, _ = await decoded(wav(tone(0.1, 8000)))
    try:
        for fd in clip.fds.values():
            assert fcntl.fcntl(fd, fcntl.F_GET_SEALS) & fcntl.F_SEAL_WRITE
            with pytest.raises(PermissionError):
                os.pwrite(fd, b"\0\0", 0)
            with pytest.raises(PermissionError):
                os.ftruncate(fd, 0)
    finally:
        clip.close()


def playlist(tmp_path: Path) -> dict[str, bytes]:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(wav(tone(0.5, 8000)))
    return {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n".encode(),
        "concat": f"ffconcat version 1.0\nfile '{secret}'\nfile '/etc/passwd'\n".encode(),
        "sdp": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 0\r\n",
    }


@pytest.mark.parametrize("kind", ["hls", "concat", "sdp"])
async def test_a_playlist_is_not_audio(kind: str, tmp_path: Path) -> None:
    assert (await refusal(playlist(tmp_path)[kind])).code == "prompt_format"


@pytest.mark.parametrize("kind", ["hls", "concat", "sdp"])
@pytest.mark.parametrize("magic", [b"ID3\x04\0\0\0\0\0\0", b"OggS", b"fLaC", b"RIFF\0\0\0\0WAVE", b"\xff\xfb\x90\x00"])
async def test_a_playlist_dressed_up_as_audio_opens_nothing(magic: bytes, kind: str, tmp_path: Path) -> None:
    document = magic + playlist(tmp_path)[kind]
    before = (tmp_path / "secret.wav").stat().st_atime_ns
    assert (await refusal(document)).code in {"prompt_decode_failed", "prompt_format"}
    assert (tmp_path / "secret.wav").stat().st_atime_ns == before


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "prompt_format"),
        (b"hello, I am a song", "prompt_format"),
        (b"<html><body>404</body></html>", "prompt_format"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "prompt_format"),
        (b"RIFF", "prompt_format"),
        (b"\xff\xfb", "prompt_format"),
        (gzip.compress(bytes(1 << 20)), "prompt_format"),
        (b"RIFF\x24\0\0\0WAVE", "prompt_decode_failed"),
        (wav_header(), "prompt_decode_failed"),
        (b"fLaC" + bytes(1000), "prompt_decode_failed"),
        (b"OggS" + bytes(1000), "prompt_decode_failed"),
        (b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(1000), "prompt_decode_failed"),
        (wav_header(channels=9, data_bytes=9 * 16_000) + bytes(9 * 16_000), "prompt_format"),
        (wav_header(rate=3999, data_bytes=8000) + bytes(8000), "prompt_format"),
        (wav_header(rate=192_001, data_bytes=8000) + bytes(8000), "prompt_format"),
        (wav_header(tag=0x0161, data_bytes=8000) + bytes(8000), "prompt_format"),
    ],
    ids=[
        *("empty", "text", "html", "png", "four bytes", "two bytes", "gzip", "wav of nothing", "wav without samples"),
        *("flac of zeros", "ogg of zeros", "endless tag", "nine channels", "slow", "fast", "wma"),
    ],
)
async def test_what_is_no_sound_is_refused_with_its_code(data: bytes, code: str) -> None:
    error = await refusal(data)
    assert error.code == code, error.detail
    assert error.fault == "caller"


async def test_a_wav_of_ten_thousand_channels_is_refused() -> None:
    data = wav_header(channels=10_000, data_bytes=100_000) + bytes(100_000)
    assert (await refusal(data)).code in {"prompt_format", "prompt_decode_failed"}


async def test_a_wav_that_claims_a_gigabyte_plays_what_it_has() -> None:
    clip, _ = await decoded(wav_header(data_bytes=1 << 30) + tone(0.5, 8000).tobytes())
    try:
        assert clip.samples[8000] == 4000
    finally:
        clip.close()


async def test_more_bytes_than_a_file_may_have_are_refused_undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_module, "run", None)
    error = await refusal(wav_header(data_bytes=1 << 30) + bytes(MAX_FILE_BYTES))
    assert error.code == "prompt_too_large"


@pytest.mark.parametrize("kind", ["wav", "mp3", "vorbis", "opus", "flac"])
async def test_a_file_that_breaks_off_is_played_so_far(kind: str) -> None:
    data = encoded(kind, seconds=4)
    clip, _ = await decoded(data[: len(data) * 3 // 4])
    try:
        # Ogg loses its last page, which may be long.
        assert 900 <= clip.duration_ms < 3600
    finally:
        clip.close()


async def test_damage_in_the_middle_is_left_out_with_a_remark() -> None:
    data = bytearray(encoded("flac", seconds=2))
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    clip, notes = await decoded(bytes(data))
    try:
        assert clip.duration_ms > 1500
        assert all("damaged" in note for note in notes)
    finally:
        clip.close()


async def test_a_day_of_silence_in_a_small_file_is_cut_with_a_remark() -> None:
    data = wav_header(rate=4000, bits=8, data_bytes=4000 * 700) + b"\x80" * (4000 * 700)
    clip, notes = await decoded(data)
    try:
        assert notes == (f"cut after {MAX_DURATION_S} s",)
        assert clip.samples == {rate: MAX_DURATION_S * rate for rate in RATES}
    finally:
        clip.close()


async def test_a_picture_in_a_tag_is_not_looked_at() -> None:
    # A PNG that claims 65 500 by 65 500 points: 17 GB if anyone decoded it.
    png = (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">IIBBBBB", 65_500, 65_500, 8, 6, 0, 0, 0)
    )
    picture = b"\0image/png\0\x03\0" + png + bytes(64)
    tag_frame = b"APIC" + struct.pack(">I", len(picture)) + b"\0\0" + picture
    size = bytes((len(tag_frame) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    clip, _ = await decoded(b"ID3\x03\0\0" + size + tag_frame + encoded("mp3"))
    try:
        assert clip.duration_ms == pytest.approx(1000, abs=60)
    finally:
        clip.close()


async def test_files_joined_to_one_are_played_through() -> None:
    clip, _ = await decoded(encoded("opus") + encoded("opus"))
    try:
        assert clip.duration_ms == pytest.approx(2000, abs=60)
    finally:
        clip.close()


async def test_a_change_of_rate_within_a_file_is_followed() -> None:
    clip, _ = await decoded(encoded("mp3", rate=48_000) + encoded("mp3", rate=32_000, layout="mono"))
    try:
        assert clip.duration_ms == pytest.approx(2000, abs=120)
        assert peak_hz(heard(clip, 16_000)[-12_000:-4000], 16_000) == pytest.approx(TONE_HZ, abs=3)
    finally:
        clip.close()


async def test_a_child_that_takes_too_long_is_killed() -> None:
    decoder = Decoder(deadline_s=0.001)
    with pytest.raises(PromptError) as refused:
        await decoder.decode("clip_x", encoded("wav"))
    assert refused.value.code == "prompt_timeout"
    assert refused.value.fault == "far_end"
    assert children() == EARLIER


async def test_a_child_that_is_no_longer_wanted_is_killed() -> None:
    decoding = asyncio.ensure_future(Decoder().decode("clip_x", encoded("wav")))  # noqa: TID251
    while children() == EARLIER:  # noqa: ASYNC110 - nobody tells when a child starts
        await asyncio.sleep(0.001)
    decoding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await decoding
    assert children() == EARLIER


async def test_no_more_children_than_agreed_run_at_once() -> None:
    decoder = Decoder(at_once=1)
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, len(children() - EARLIER))
            await asyncio.sleep(0.001)

    watching = asyncio.ensure_future(watch())  # noqa: TID251
    results = await asyncio.gather(*(decoder.decode(f"clip_{i}", encoded("wav", seconds=0.1)) for i in range(3)))
    watching.cancel()
    for result in results:
        result.clip.close()
    assert most == 1


@pytest.mark.parametrize(
    ("status", "code"), [(-signal.SIGXCPU, "prompt_timeout"), (-signal.SIGSEGV, "prompt_decode_failed")]
)
async def test_what_a_childs_end_means(status: int, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(*_: object, **__: object) -> None:
        raise decode_module.ChildFailed(status)

    monkeypatch.setattr(decode_module, "run", run)
    assert (await refusal(encoded("wav", seconds=0.1))).code == code
