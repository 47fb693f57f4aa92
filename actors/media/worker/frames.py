"""Pictures that move: their frames, each with the time that it is shown."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image

from actors.media.errors import Code, MediaError
from actors.media.worker.job import Bounds
from actors.media.worker.pictures import load

LEAST_MS, USUAL_MS = 20, 100
"""Shorter times than the least mean "as is usual" to all who show GIFs."""


def is_animated(picture: Image.Image) -> bool:
    """True if there is more than one frame."""
    return bool(getattr(picture, "is_animated", False))


def frames(picture: Image.Image, bounds: Bounds) -> Iterator[tuple[Image.Image, int]]:
    """Each frame in RGBA and how many milliseconds it is shown.

    Raises:
        MediaError: UNREADABLE, or TOO_COMPLEX if there are too many.
    """
    count = getattr(picture, "n_frames", 1)
    if count > bounds.frames:
        raise MediaError(
            Code.TOO_COMPLEX,
            f"the animation has {count} pictures, more than {bounds.frames}: shorten it, or send a video",
        )
    for number in range(count):
        try:
            picture.seek(number)
        except (EOFError, OSError, ValueError, SyntaxError) as error:
            raise MediaError(
                Code.UNREADABLE,
                f"the animation is damaged or was cut off at its picture {number + 1}: send it again",
            ) from error
        load(picture)
        shown = int(picture.info.get("duration") or 0)
        yield picture.convert("RGBA"), shown if shown >= LEAST_MS else USUAL_MS
