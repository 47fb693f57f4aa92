"""Film: MP4 that phones play, and GIFs, which WhatsApp sends as films without sound."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
from av.error import FFmpegError
from PIL import Image

from actors.media.errors import Code, MediaError
from actors.media.kinds import TAKES
from actors.media.worker.containers import Tracks, length, opened
from actors.media.worker.frames import frames, is_animated
from actors.media.worker.job import Job, Made
from actors.media.worker.pictures import WHITE, damaged, thumbnail
from actors.media.worker.pictures import opened as opened_picture
from actors.media.worker.transcode import encode_pictures, remux, transcode

PLAYED = ("h264", "yuv420p")
"""What every phone decodes; its sound is AAC."""


def video(job: Job) -> Made:
    """A video: MP4 with H.264 and AAC stays as it is, other containers of these are rewrapped, all else is
    encoded again.
    """
    return _film(job, silent=False)


def gif(job: Job) -> Made:
    """A GIF: a film without sound, made from pictures that move or from a film."""
    if _is_picture(job.source):
        return _from_pictures(job)
    made = _film(job, silent=True)
    return Made(
        made.path, made.mime_type, made.width, made.height, made.seconds, made.thumbnail, gif_playback=True
    )


def _film(job: Job, *, silent: bool) -> Made:
    with opened(job.source, job.kind, job.bounds) as tracks:
        if tracks.video is None:
            raise MediaError(
                Code.WRONG_TYPE,
                f"there are no pictures in it: for the kind {job.kind.value!r} send {TAKES[job.kind]}",
            )
        played = _is_played(tracks)
        fine = played and _is_mp4(tracks) and not (silent and tracks.container.streams.audio)
    seconds = length(job.source, job.kind, job.bounds)
    path = job.source if fine else job.folder / "video.mp4"
    if not fine:
        (remux if played else transcode)(job, path, silent=silent)
    first = _first_picture(job, path)
    return Made(path, "video/mp4", *first.size, seconds=seconds, thumbnail=thumbnail(first))


def _from_pictures(job: Job) -> Made:
    path = job.folder / "gif.mp4"
    with opened_picture(job.source, job.kind, job.bounds) as picture:
        if not is_animated(picture):
            raise MediaError(
                Code.WRONG_TYPE, "the picture does not move: send it as the kind 'image', or a GIF of several"
            )
        first: list[Image.Image] = []
        shown = 0

        def flattened() -> Iterator[tuple[Image.Image, int]]:
            nonlocal shown
            for frame, milliseconds in frames(picture, job.bounds):
                under = Image.new("RGB", frame.size, WHITE)
                under.paste(frame, mask=frame)
                first[:] = first or [under]
                shown += milliseconds
                yield under, milliseconds

        encode_pictures(flattened(), picture.size, path)
    return Made(
        path, "video/mp4", *first[0].size, seconds=shown / 1000, thumbnail=thumbnail(first[0]),
        gif_playback=True,
    )  # fmt: skip


def _is_picture(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(12)
    return head.startswith((b"GIF8", b"\x89PNG")) or (head[:4] == b"RIFF" and head[8:] == b"WEBP")


def _is_played(tracks: Tracks) -> bool:
    assert tracks.video is not None
    coder = tracks.video.codec_context
    sounds = [sound.codec_context.name for sound in tracks.container.streams.audio]
    return (coder.name, coder.pix_fmt) == PLAYED and sounds in ([], ["aac"])


def _is_mp4(tracks: Tracks) -> bool:
    is_quicktime = tracks.container.metadata.get("major_brand", "qt").strip() == "qt"
    return tracks.container.format.name.startswith("mov") and not is_quicktime


def _first_picture(job: Job, path: Path) -> Image.Image:
    """As it is shown: upright, and with square pixels."""
    with opened(path, job.kind, job.bounds) as tracks:
        assert tracks.video is not None
        try:
            frame = next(tracks.container.decode(tracks.video))
        except (StopIteration, FFmpegError) as error:
            raise damaged() from error
        assert isinstance(frame, av.VideoFrame)
        picture: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
        return picture.rotate(frame.rotation, expand=True) if frame.rotation else picture
