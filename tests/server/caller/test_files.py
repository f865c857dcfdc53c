import wave
from pathlib import Path

import av
import numpy as np
import pytest

from server.caller.codecs import as_int16
from server.caller.errors import CallerError
from server.caller.files import WavWriter, read_sound, read_wav, write_wav
from tests.support.tones import level_at, tone


def test_a_wav_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    sound = as_int16(tone(440, 0.5, 16000))
    write_wav(tmp_path / "new folder" / "a.wav", sound, 16000)
    pcm, rate = read_wav(tmp_path / "new folder" / "a.wav")
    assert rate == 16000
    assert np.array_equal(pcm, sound)


def test_a_wav_is_whole_after_each_write(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with WavWriter(path, 8000) as wav:
        for count in (0, 1, 2):
            if count:
                wav.write(np.full(160, count, np.int16))
            with wave.open(str(path)) as read:
                assert read.getnframes() == 160 * count
        assert wav.samples == 320
    assert read_wav(path)[0].tolist() == [1] * 160 + [2] * 160


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_a_file_is_read_at_the_rate_that_is_asked_for(tmp_path: Path, rate: int) -> None:
    write_wav(tmp_path / "a.wav", as_int16(tone(440, 1.0, 44100, 8000)), 44100)
    pcm = np.concatenate(list(read_sound(tmp_path / "a.wav", rate)))
    assert len(pcm) == pytest.approx(rate, abs=2)
    assert level_at(pcm, rate, 440) == pytest.approx(8000, rel=0.01)


@pytest.mark.parametrize(
    ("suffix", "codec", "layout"),
    [("flac", "flac", "stereo"), ("ogg", "libopus", "mono"), ("mp3", "libmp3lame", "mono")],
)
def test_other_kinds_of_file(tmp_path: Path, suffix: str, codec: str, layout: str) -> None:
    path = tmp_path / f"a.{suffix}"
    channels = 2 if layout == "stereo" else 1
    sound = np.repeat(as_int16(tone(440, 1.0, 48000, 8000)), channels).reshape(1, -1)
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=48000, layout=layout)
        frame = av.AudioFrame.from_ndarray(sound, format="s16", layout=layout)
        frame.sample_rate = 48000
        fit = av.AudioResampler(stream.format, layout, 48000, frame_size=stream.frame_size or None)
        for part in fit.resample(frame) + fit.resample(None):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    pcm = np.concatenate(list(read_sound(path, 16000)))
    assert level_at(pcm[1600:-1600], 16000, 440) == pytest.approx(8000, rel=0.06)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match=r"There is no file .*gone\.wav"):
        read_sound(tmp_path / "gone.wav", 8000)
    (tmp_path / "text.wav").write_text("this is not sound")
    with pytest.raises(CallerError, match=r"Cannot read .*text\.wav as a sound file"):
        read_sound(tmp_path / "text.wav", 8000)
    with pytest.raises(CallerError, match="Cannot read"):
        read_sound(tmp_path, 8000)


def test_a_file_without_sound_is_said(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    with av.open(path, "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream("png", rate=1)
        stream.width = stream.height = 16
        stream.pix_fmt = "rgb24"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))))
        container.mux(stream.encode(None))
    with pytest.raises(CallerError, match="There is no sound in"):
        read_sound(path, 8000)


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="Cannot write"):
        WavWriter(tmp_path, 8000)
    (tmp_path / "file").write_text("")
    with pytest.raises(CallerError, match="Cannot write"):
        WavWriter(tmp_path / "file" / "a.wav", 8000)
