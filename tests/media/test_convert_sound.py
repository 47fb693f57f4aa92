"""Audio files and voice notes as WhatsApp wants them."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from actors.media.errors import Code, MediaError
from actors.media.kinds import Kind
from actors.media.worker.sound import OPUS
from tests.media.conftest import Make
from tests.media.files import RATE, cut, film, picture, tone

FORMS = {
    "a.mp3": ("libmp3lame", RATE, None, "audio/mpeg"),
    "a.m4a": ("aac", RATE, None, "audio/mp4"),
    "a.aac": ("aac", RATE, "adts", "audio/aac"),
    "a.ogg": ("libopus", RATE, None, OPUS),
    "a.amr": ("libopencore_amrnb", 8000, None, "audio/amr"),
    "a.wav": ("pcm_s16le", RATE, None, None),
    "a.flac": ("flac", RATE, None, None),
    "a.webm": ("libopus", RATE, None, None),
    "a.aiff": ("pcm_s16be", RATE, None, None),
}
"""Codec, rate, container, and the MIME type if it stays as it is."""


def sample(folder: Path, name: str, **options: object) -> Path:
    codec, rate, form, _ = FORMS[name]
    return tone(folder / name, codec, rate=rate, format=form, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FORMS)
async def test_audio_that_phones_play_stays_and_other_becomes_aac(
    make: Make, tmp_path: Path, name: str
) -> None:
    source = sample(tmp_path, name)
    made = await make(Kind.AUDIO, source)
    kept = FORMS[name][3]
    assert (made.path == source, made.mime_type) == (kept is not None, kept or "audio/mp4")
    assert made.seconds == pytest.approx(2, abs=0.15)
    if kept is None:
        with av.open(str(made.path)) as out:
            assert [stream.codec_context.name for stream in out.streams] == ["aac"]
            assert (out.duration or 0) / av.time_base == pytest.approx(2, abs=0.15)


@pytest.mark.parametrize("name", FORMS)
async def test_a_voice_note_is_opus_of_one_channel_with_a_waveform(
    make: Make, tmp_path: Path, name: str
) -> None:
    source = sample(tmp_path, name)
    made = await make(Kind.VOICE, source)
    assert made.mime_type == OPUS
    assert (made.path == source) == (name == "a.ogg")
    assert made.seconds == pytest.approx(2, abs=0.15)
    with av.open(str(made.path)) as out:
        (stream,) = out.streams.audio
        assert (out.format.name, stream.codec_context.name) == ("ogg", "opus")
        assert stream.codec_context.layout.nb_channels == 1
        assert (out.duration or 0) / av.time_base == pytest.approx(2, abs=0.15)
    waveform = made.waveform
    assert waveform is not None
    assert (len(waveform), max(waveform)) == (64, 100)
    # A tone, and nothing after it; encoders need a moment at each end.
    assert min(waveform[4:28]) > 40
    assert max(waveform[38:60]) < 10


async def test_two_channels_become_one(make: Make, tmp_path: Path) -> None:
    source = sample(tmp_path, "a.ogg", layout="stereo")
    assert (await make(Kind.AUDIO, source)).path == source
    made = await make(Kind.VOICE, source)
    with av.open(str(made.path)) as out:
        assert out.streams.audio[0].codec_context.layout.nb_channels == 1


async def test_silence_and_an_instant_have_a_waveform_too(make: Make, tmp_path: Path) -> None:
    short = await make(Kind.VOICE, tone(tmp_path / "a.wav", "pcm_s16le", seconds=0.05))
    assert short.waveform is not None
    assert len(short.waveform) == 64
    data = bytearray(tone(tmp_path / "b.wav", "pcm_s16le").read_bytes())
    begin = data.index(b"data") + 8
    data[begin:] = bytes(len(data) - begin)
    (tmp_path / "b.wav").write_bytes(data)
    assert (await make(Kind.VOICE, tmp_path / "b.wav")).waveform == bytes(64)


async def test_the_sound_of_a_film_is_a_voice_note(make: Make, tmp_path: Path) -> None:
    made = await make(Kind.VOICE, film(tmp_path / "a.mp4"))
    assert made.mime_type == OPUS
    audio = await make(Kind.AUDIO, film(tmp_path / "b.mp4"))
    with av.open(str(audio.path)) as out:
        assert [stream.type for stream in out.streams] == ["audio"]


@pytest.mark.parametrize("name", ["a.mp3", "a.m4a", "a.ogg", "a.wav", "a.flac", "a.webm", "a.aiff"])
@pytest.mark.parametrize("share", [0.1, 0.6])
async def test_sound_that_was_cut_off_is_refused(make: Make, tmp_path: Path, name: str, share: float) -> None:
    source = cut(sample(tmp_path, name, seconds=10), share)
    for kind in (Kind.AUDIO, Kind.VOICE):
        with pytest.raises(MediaError, match="damaged or was cut off") as refused:
            await make(kind, source)
        assert refused.value.code is Code.UNREADABLE


async def test_sound_with_a_hole_in_it_is_refused(make: Make, tmp_path: Path) -> None:
    source = sample(tmp_path, "a.mp3", seconds=10)
    data = bytearray(source.read_bytes())
    data[2000:-2000] = bytes(len(data) - 4000)
    source.write_bytes(data)
    with pytest.raises(MediaError) as refused:
        await make(Kind.AUDIO, source)
    assert refused.value.code is Code.UNREADABLE


async def test_what_has_no_sound_is_refused_with_what_would_do(make: Make, tmp_path: Path) -> None:
    for source in (picture(tmp_path / "a.png"), film(tmp_path / "a.mp4", audio=None)):
        for kind in (Kind.AUDIO, Kind.VOICE):
            with pytest.raises(MediaError, match=rf"for .*'{kind}' send MP3") as refused:
                await make(kind, source)
            assert refused.value.code is Code.WRONG_TYPE
