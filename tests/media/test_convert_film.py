"""Films as WhatsApp wants them."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from actors.media.errors import Code, MediaError
from actors.media.kinds import Kind
from tests.media.conftest import Make
from tests.media.files import BLUE, RED, cut, film, halves, picture, read, tone, turned
from tests.media.test_convert_pictures import near

FORMS = {
    "a.mov": ("libx264", "aac", "yuv420p"),
    "a.mkv": ("libx264", "aac", "yuv420p"),
    "a.webm": ("libvpx", "libopus", "yuv420p"),
    "a.avi": ("mpeg4", "libmp3lame", "yuv420p"),
    "b.mp4": ("mpeg4", "aac", "yuv420p"),
    "c.mp4": ("libx264", "aac", "yuv444p"),
    "b.mkv": ("ffv1", "flac", "yuv420p"),
}
"""Video codec, audio codec, pixels: none of these is played by every phone as it is."""


async def test_a_film_that_phones_play_stays_as_it_is(make: Make, tmp_path: Path) -> None:
    for audio in ("aac", None):
        source = film(tmp_path / f"{audio}.mp4", audio=audio, size=(320, 240))
        made = await make(Kind.VIDEO, source, claimed="video/mp4")
        assert (made.path, made.mime_type, made.width, made.height) == (source, "video/mp4", 320, 240)
        assert made.seconds == pytest.approx(2, abs=0.1)
        assert made.thumbnail is not None
        assert read(made.thumbnail).size == (100, 75)
        assert not made.gif_playback


@pytest.mark.parametrize("name", FORMS)
async def test_another_film_becomes_one(make: Make, tmp_path: Path, name: str) -> None:
    video, audio, pixels = FORMS[name]
    source = film(tmp_path / name, video, audio, pixels=pixels, image=halves(), size=(64, 32))
    made = await make(Kind.VIDEO, source)
    assert (made.mime_type, made.width, made.height) == ("video/mp4", 64, 32)
    assert made.seconds == pytest.approx(2, abs=0.15)
    with av.open(str(made.path)) as out:
        assert out.format.name.startswith("mov,mp4")
        assert [stream.codec_context.name for stream in out.streams] == ["h264", "aac"]
        assert out.streams.video[0].codec_context.pix_fmt == "yuv420p"
        assert (out.duration or 0) / av.time_base == pytest.approx(2, abs=0.15)
        shown = list(out.decode(video=0))
    assert len(shown) == 20
    last = shown[-1].to_image()
    assert near(last.getpixel((5, 16)), RED)
    assert near(last.getpixel((58, 16)), BLUE)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
async def test_a_film_that_lies_on_its_side_is_measured_upright(
    make: Make, tmp_path: Path, codec: str
) -> None:
    source = turned(film(tmp_path / "a.mp4", codec, image=halves(), size=(64, 32)))
    made = await make(Kind.VIDEO, source)
    assert (made.width, made.height) == (32, 64)
    assert made.thumbnail is not None
    small = read(made.thumbnail)
    assert near(small.getpixel((16, 5)), RED)
    assert near(small.getpixel((16, 58)), BLUE)


async def test_a_film_that_is_encoded_anew_is_no_larger_than_phones_show(make: Make, tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", "mpeg4", None, seconds=0.5, size=(1922, 802), image=halves((1922, 802)))
    made = await make(Kind.VIDEO, source)
    assert (made.width, made.height) == (1280, 534)


@pytest.mark.parametrize("name", ["a.mp4", "fast.mp4", *FORMS])
@pytest.mark.parametrize("share", [0.1, 0.6])
async def test_a_film_that_was_cut_off_is_refused(
    make: Make, tmp_path: Path, name: str, share: float
) -> None:
    video, audio, pixels = FORMS.get(name, ("libx264", "aac", "yuv420p"))
    options = {"movflags": "faststart"} if name == "fast.mp4" else None
    source = cut(film(tmp_path / name, video, audio, pixels=pixels, seconds=4, options=options), share)
    with pytest.raises(MediaError, match="damaged or was cut off") as refused:
        await make(Kind.VIDEO, source)
    assert refused.value.code is Code.UNREADABLE


async def test_a_film_that_was_cut_off_between_two_pictures_is_refused(make: Make, tmp_path: Path) -> None:
    video, audio, pixels = FORMS["a.avi"]
    whole = film(tmp_path / "a.avi", video, audio, pixels=pixels, seconds=4)
    content = whole.read_bytes()
    (tmp_path / "cut.avi").write_bytes(content[: content.rindex(b"00dc", 0, len(content) * 6 // 10)])
    with pytest.raises(MediaError, match="damaged or was cut off"):
        await make(Kind.VIDEO, tmp_path / "cut.avi")


async def test_what_has_no_pictures_that_move_is_refused(make: Make, tmp_path: Path) -> None:
    for source in (picture(tmp_path / "a.jpg"), picture(tmp_path / "a.png"), tone(tmp_path / "a.m4a", "aac")):
        with pytest.raises(MediaError, match=r"for .*'video' send MP4") as refused:
            await make(Kind.VIDEO, source)
        assert refused.value.code is Code.WRONG_TYPE
