"""Pictures that stand still, and what is small about all pictures: their thumbnails."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from actors.media.errors import Code, MediaError
from actors.media.kinds import TAKES, Kind
from actors.media.worker.job import Bounds, Job, Made

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")
"""What is decoded at all. The more formats, the more decoders that strangers can try."""
BEGINNING = re.compile(rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP|....ftypavi[fs]|II\*\0|MM\0\*|BM", re.DOTALL)
"""What begins like this and cannot be opened is one of ours, but damaged."""
AS_IT_IS = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png"}
THUMBNAIL = (100, 100)
QUALITY = 90
WHITE = (255, 255, 255)

Image.MAX_IMAGE_PIXELS = None  # `opened` looks at the size itself, before anything is decoded


def image(job: Job) -> Made:
    """An image: JPEG and PNG stay as they are, all others become JPEG."""
    with opened(job.source, job.kind, job.bounds) as picture:
        upright = ImageOps.exif_transpose(picture)
        path, mime_type = job.source, AS_IT_IS.get(picture.format or "")
        if mime_type is None or picture.mode == "CMYK":
            path, mime_type = job.folder / "image.jpg", "image/jpeg"
            profile = picture.info.get("icc_profile") if picture.mode != "CMYK" else None
            flat(upright).save(path, "JPEG", quality=QUALITY, optimize=True, icc_profile=profile)
        return Made(path, mime_type, *upright.size, thumbnail=thumbnail(upright))


@contextmanager
def opened(path: Path, kind: Kind, bounds: Bounds) -> Iterator[Image.Image]:
    """A picture, its first frame decoded.

    Raises:
        MediaError: WRONG_TYPE, UNREADABLE or TOO_COMPLEX.
    """
    try:
        picture = Image.open(path, formats=FORMATS)
    except UnidentifiedImageError as error:
        with path.open("rb") as file:
            if BEGINNING.match(file.read(16)):
                raise damaged() from error
        raise MediaError(
            Code.WRONG_TYPE,
            f"this is no picture that is understood: for the kind {kind.value!r} send {TAKES[kind]}",
        ) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise damaged() from error
    with picture:
        if picture.width * picture.height > bounds.pixels:
            raise MediaError(
                Code.TOO_COMPLEX,
                f"the picture has {picture.width} x {picture.height} pixels, more than {bounds.pixels:,}: "
                "make it smaller",
            )
        load(picture)
        yield picture


def load(picture: Image.Image) -> None:
    """Decode the current frame to its end.

    Raises:
        MediaError: UNREADABLE.
    """
    try:
        picture.load()
    except (OSError, ValueError, SyntaxError, EOFError, IndexError) as error:
        raise damaged() from error


def flat(picture: Image.Image) -> Image.Image:
    """A picture in RGB; what is transparent becomes white."""
    if picture.mode.startswith("I"):
        picture = picture.point(lambda value: value / 256).convert("L")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    under = Image.new("RGB", picture.size, WHITE)
    over = picture.convert("RGBA")
    under.paste(over, mask=over)
    return under


def thumbnail(picture: Image.Image) -> bytes:
    """A small JPEG of a picture."""
    small = picture.copy()
    small.thumbnail(THUMBNAIL)
    out = io.BytesIO()
    flat(small).save(out, "JPEG", quality=60)
    return out.getvalue()


def damaged() -> MediaError:
    """The error for a file that begins well and cannot be read to its end."""
    return MediaError(
        Code.UNREADABLE,
        "the file is damaged or was cut off: open it to see that it is whole, and send it again",
    )
