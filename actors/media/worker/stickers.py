"""Stickers: WebP of 512 x 512 pixels, still or moving."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

from actors.media.errors import MediaError, too_large
from actors.media.worker.frames import frames, is_animated
from actors.media.worker.job import Job, Made
from actors.media.worker.pictures import opened

SIDE = (512, 512)
STILL_BYTES, MOVING_BYTES = 100 * 1024, 500 * 1024
"""Above these, phones do not show a sticker or show it late."""
QUALITIES = (80, 60, 40, 20, 5)


def sticker(job: Job) -> Made:
    """A sticker: fitted into the square, on nothing, as good as the size lets it be."""
    with opened(job.source, job.kind, job.bounds) as picture:
        moving = is_animated(picture)
        cap = MOVING_BYTES if moving else STILL_BYTES
        whole = [(frame, shown) for frame, shown in _fitted(job, picture)] if moving else []
        if picture.format == "WEBP" and picture.size == SIDE and job.source.stat().st_size <= cap:
            return Made(job.source, "image/webp", *SIDE, animated=moving)
        if not moving:
            whole = [(_fit(ImageOps.exif_transpose(picture).convert("RGBA")), 0)]
    path = job.folder / "sticker.webp"
    path.write_bytes(_smallest_good(whole, cap))
    return Made(path, "image/webp", *SIDE, animated=moving)


def _fitted(job: Job, picture: Image.Image) -> list[tuple[Image.Image, int]]:
    return [(_fit(frame), shown) for frame, shown in frames(picture, job.bounds)]


def _fit(picture: Image.Image) -> Image.Image:
    small = ImageOps.contain(picture, SIDE)
    square = Image.new("RGBA", SIDE, (0, 0, 0, 0))
    square.paste(small, ((SIDE[0] - small.width) // 2, (SIDE[1] - small.height) // 2))
    return square


def _smallest_good(whole: list[tuple[Image.Image, int]], cap: int) -> bytes:
    while True:
        for quality in QUALITIES:
            data = _encoded(whole, quality)
            if len(data) <= cap:
                return data
        if len(whole) < 4:
            raise _too_large(cap)
        # Half as many, each shown as long as the two it stands for.
        pairs = zip(whole[::2], [*whole[1::2], (whole[-1][0], 0)], strict=False)
        whole = [(frame, shown + more) for (frame, shown), (_, more) in pairs]


def _encoded(whole: list[tuple[Image.Image, int]], quality: int) -> bytes:
    out = io.BytesIO()
    first, *others = [frame for frame, _ in whole]
    if others:
        first.save(
            out, "WEBP", save_all=True, append_images=others, duration=[shown for _, shown in whole], loop=0,
            quality=quality, method=0, allow_mixed=True,
        )  # fmt: skip
    else:
        first.save(out, "WEBP", quality=quality, method=4)
    return out.getvalue()


def _too_large(cap: int) -> MediaError:
    return too_large(cap, "the sticker, at its lowest quality,")
