"""Pictures, stickers and GIFs as WhatsApp wants them."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from PIL import Image

from actors.media.errors import Code, MediaError
from actors.media.kinds import Kind
from actors.media.worker.stickers import MOVING_BYTES, STILL_BYTES
from tests.media.conftest import Make
from tests.media.files import BLUE, RED, animation, cut, film, halves, noise, picture, read

SIDEWAYS = 6
"""EXIF's word for: turn it clockwise by a quarter to see it upright."""


def near(pixel: object, colour: tuple[int, int, int]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(a - b) < 40 for a, b in zip(pixel[:3], colour, strict=True))


@pytest.mark.parametrize(("ending", "mime_type"), [("jpg", "image/jpeg"), ("png", "image/png")])
async def test_jpeg_and_png_stay_as_they_are(make: Make, tmp_path: Path, ending: str, mime_type: str) -> None:
    source = picture(tmp_path / f"a.{ending}", noise((300, 200)))
    made = await make(Kind.IMAGE, source)
    assert (made.path, made.mime_type, made.width, made.height) == (source, mime_type, 300, 200)
    assert made.thumbnail is not None
    small = read(made.thumbnail)
    assert (small.format, small.size) == ("JPEG", (100, 67))


@pytest.mark.parametrize("ending", ["webp", "gif", "bmp", "tiff", "avif"])
async def test_other_pictures_become_jpeg(make: Make, tmp_path: Path, ending: str) -> None:
    made = await make(Kind.IMAGE, picture(tmp_path / f"a.{ending}", halves()), claimed=f"image/{ending}")
    out = read(made.path.read_bytes())
    assert (made.mime_type, out.format, out.size) == ("image/jpeg", "JPEG", (64, 32))
    assert near(out.getpixel((5, 16)), RED)
    assert near(out.getpixel((58, 16)), BLUE)


async def test_what_is_transparent_becomes_white(make: Make, tmp_path: Path) -> None:
    made = await make(Kind.IMAGE, picture(tmp_path / "a.webp", Image.new("RGBA", (20, 20), (0, 0, 0, 0))))
    assert near(read(made.path.read_bytes()).getpixel((10, 10)), (255, 255, 255))


async def test_a_picture_for_print_becomes_one_for_screens(make: Make, tmp_path: Path) -> None:
    made = await make(Kind.IMAGE, picture(tmp_path / "a.jpg", noise().convert("CMYK")))
    assert read(made.path.read_bytes()).mode == "RGB"


async def test_a_picture_of_sixteen_bits_has_a_thumbnail(make: Make, tmp_path: Path) -> None:
    made = await make(Kind.IMAGE, picture(tmp_path / "a.png", Image.new("I;16", (20, 20), 30_000)))
    assert made.thumbnail is not None
    assert near(read(made.thumbnail).convert("RGB").getpixel((10, 10)), (117, 117, 117))


@pytest.mark.parametrize("ending", ["jpg", "webp"])
async def test_a_picture_that_lies_on_its_side_is_measured_upright(
    make: Make, tmp_path: Path, ending: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = SIDEWAYS
    made = await make(Kind.IMAGE, picture(tmp_path / f"a.{ending}", halves(), exif=exif))
    assert (made.width, made.height) == (32, 64)
    assert made.thumbnail is not None
    small = read(made.thumbnail)
    assert near(small.getpixel((16, 5)), RED)
    assert near(small.getpixel((16, 58)), BLUE)


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "gif", "bmp", "tiff", "avif"])
async def test_a_picture_that_was_cut_off_is_refused(make: Make, tmp_path: Path, ending: str) -> None:
    source = cut(picture(tmp_path / f"a.{ending}", noise((200, 200))))
    for kind in (Kind.IMAGE, Kind.STICKER):
        with pytest.raises(MediaError, match="damaged or was cut off") as refused:
            await make(kind, source)
        assert (refused.value.code, refused.value.status) == (Code.UNREADABLE, 422)


async def test_what_is_no_picture_is_refused_with_what_would_do(make: Make, tmp_path: Path) -> None:
    (text := tmp_path / "a.txt").write_text("hello")
    for source in (text, film(tmp_path / "a.mp4")):
        for kind in (Kind.IMAGE, Kind.STICKER):
            with pytest.raises(MediaError, match=rf"for the kind '{kind}' send .*WebP") as refused:
                await make(kind, source)
            assert (refused.value.code, refused.value.status) == (Code.WRONG_TYPE, 415)


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "gif"])
async def test_a_sticker_is_a_square_of_webp(make: Make, tmp_path: Path, ending: str) -> None:
    made = await make(Kind.STICKER, picture(tmp_path / f"a.{ending}", halves((900, 300))))
    out = read(made.path.read_bytes())
    assert (made.mime_type, out.format, out.size) == ("image/webp", "WEBP", (512, 512))
    assert (made.width, made.height, made.animated) == (512, 512, False)
    assert made.path.stat().st_size <= STILL_BYTES
    out = out.convert("RGBA")
    assert out.getpixel((256, 20))[3] == 0  # type: ignore[index]
    assert near(out.getpixel((50, 256)), RED)
    assert near(out.getpixel((460, 256)), BLUE)


async def test_a_sticker_that_is_one_already_stays_as_it_is(make: Make, tmp_path: Path) -> None:
    source = picture(tmp_path / "a.webp", halves((512, 512)))
    assert (await make(Kind.STICKER, source)).path == source
    large = picture(tmp_path / "b.webp", noise((512, 512)), lossless=True)
    made = await make(Kind.STICKER, large)
    assert made.path != large
    assert made.path.stat().st_size <= STILL_BYTES < large.stat().st_size


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
async def test_a_sticker_moves_if_its_picture_does(make: Make, tmp_path: Path, ending: str) -> None:
    made = await make(Kind.STICKER, animation(tmp_path / f"a.{ending}", 5, shown=120))
    assert made.animated
    with Image.open(made.path) as out:
        assert (out.format, out.size, out.n_frames) == ("WEBP", (512, 512), 5)  # type: ignore[attr-defined]
        out.load()
        assert out.info["duration"] == 120


async def test_a_sticker_that_moves_much_loses_pictures_before_it_is_too_large(
    make: Make, tmp_path: Path
) -> None:
    made = await make(Kind.STICKER, animation(tmp_path / "a.gif", 40, (256, 256), shown=50))
    assert made.path.stat().st_size <= MOVING_BYTES
    with Image.open(made.path) as out:
        count = out.n_frames  # type: ignore[attr-defined]
        shown = 0
        for number in range(count):
            out.seek(number)
            out.load()
            shown += out.info["duration"]
    assert 1 < count < 40
    assert shown == 40 * 50


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
async def test_a_gif_becomes_a_film_that_is_played_in_a_loop(make: Make, tmp_path: Path, ending: str) -> None:
    made = await make(Kind.GIF, animation(tmp_path / f"a.{ending}", 6, (61, 41), shown=200))
    assert (made.mime_type, made.gif_playback, made.seconds) == ("video/mp4", True, 1.2)
    assert made.thumbnail is not None
    with av.open(str(made.path)) as out:
        (video,) = out.streams
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (video.codec_context.width % 2, video.codec_context.height % 2) == (0, 0)
        assert out.duration is not None
        assert abs(out.duration / av.time_base - 1.2) < 0.1
        assert len(list(out.decode(video=0))) >= 6


async def test_a_film_becomes_a_gif_without_its_sound(make: Make, tmp_path: Path) -> None:
    made = await make(Kind.GIF, film(tmp_path / "a.mp4"))
    assert (made.mime_type, made.gif_playback) == ("video/mp4", True)
    with av.open(str(made.path)) as out:
        assert [stream.type for stream in out.streams] == ["video"]
    silent = film(tmp_path / "b.mp4", audio=None)
    assert (await make(Kind.GIF, silent)).path == silent


async def test_a_gif_that_stands_still_or_was_cut_off_is_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="does not move") as still:
        await make(Kind.GIF, picture(tmp_path / "a.gif"))
    assert still.value.code is Code.WRONG_TYPE
    for ending in ("gif", "webp"):
        with pytest.raises(MediaError) as damaged:
            await make(Kind.GIF, cut(animation(tmp_path / f"b.{ending}")))
        assert damaged.value.code is Code.UNREADABLE
