"""Sound and film: containers that are opened with care, and whether they are whole."""

from __future__ import annotations

import errno
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from actors.media.errors import Code, MediaError
from actors.media.kinds import TAKES, Kind
from actors.media.worker.job import Bounds
from actors.media.worker.pictures import damaged

DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,ogg,mp3,wav,flac,aac,amr,avi,mpeg,mpegts,aiff,caf"
"""Never one that reads other files or addresses named in the file, such as playlists (hls, dash, concat)."""
BEGINNING = re.compile(rb"....ftyp|OggS|\x1aE\xdf\xa3|RIFF....(WAVE|AVI )|fLaC|ID3|#!AMR", re.DOTALL)
"""What begins like this and cannot be opened is one of ours, but damaged."""
SLACK, SLACK_SHARE = 0.5, 0.03
"""Seconds, and share of the length, by which a whole file may end before it says it does."""
UNKNOWN_SIZE = 1 << 31
"""From here on a RIFF's size is none: who wrote it could not go back to its beginning."""
BAD_SHARE = 20
"""One packet in so many may be unreadable: files that play well have some."""


@dataclass(frozen=True, slots=True)
class Tracks:
    """The container and what of it counts: pictures of a cover do not."""

    container: InputContainer
    video: VideoStream | None
    audio: AudioStream | None


@contextmanager
def opened(path: Path, kind: Kind, bounds: Bounds) -> Iterator[Tracks]:
    """A container. What goes wrong in the context while decoding is the file's fault, too.

    Raises:
        MediaError: WRONG_TYPE, UNREADABLE or TOO_COMPLEX.
    """
    with path.open("rb") as file:
        try:
            # From a file object, so that FFmpeg has no way to anything else.
            container = av.open(
                file, mode="r", options={"format_whitelist": DEMUXERS}, metadata_errors="replace"
            )
        except FFmpegError as error:
            if BEGINNING.match(_head(path)):
                raise damaged() from error
            raise MediaError(
                Code.WRONG_TYPE,
                f"this is no sound or film that is understood: for {kind.value!r} send {TAKES[kind]}",
            ) from error
        with container:
            tracks = _tracks(container)
            _check_bounds(tracks, bounds)
            try:
                yield tracks
            except FFmpegError as error:
                if error.errno == errno.ENOMEM:
                    raise MemoryError from error
                raise damaged() from error


def length(path: Path, kind: Kind, bounds: Bounds) -> float:
    """Seconds from a file's beginning to its end, by what is really in it.

    Raises:
        MediaError: as `opened`, and UNREADABLE if it ends before it says it does.
    """
    _check_riff(path)
    _check_pages(path)
    with opened(path, kind, bounds) as tracks:
        streams = [stream for stream in (tracks.video, tracks.audio) if stream is not None]
        ends: dict[int, float] = {}
        for packet in tracks.container.demux(streams):
            if packet.is_corrupt:
                raise damaged()
            if packet.pts is not None and packet.time_base is not None:
                end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                ends[packet.stream.index] = max(ends.get(packet.stream.index, 0.0), end)
                _check_seconds(end, bounds)
        if not ends:
            raise damaged()
        start = (tracks.container.start_time or 0) / av.time_base
        seconds = max(0.0, max(ends.values()) - start)
        promised = [((tracks.container.duration or 0) / av.time_base, seconds)]
        for stream in streams:
            if stream.duration and stream.time_base is not None and stream.index in ends:
                begin = float((stream.start_time or 0) * stream.time_base)
                promised.append((float(stream.duration * stream.time_base), ends[stream.index] - begin))
        for said, found in promised:
            if found < said - max(SLACK, said * SLACK_SHARE):
                raise damaged()
        return seconds


class Patience:
    """Bears with a few packets that cannot be decoded, but not with many."""

    def __init__(self) -> None:
        self._good = 0
        self._bad = 0

    def decode(self, packet: Packet[Stream]) -> list[av.VideoFrame | av.AudioFrame]:
        """The frames in a packet, none if it is one of the bad ones."""
        try:
            frames = packet.decode()
        except FFmpegError:
            self._bad += 1
            return []
        self._good += 1
        return frames  # type: ignore[return-value]  # subtitles are not among our streams

    def check(self) -> None:
        """Call it at the end.

        Raises:
            MediaError: UNREADABLE, too much of the file was.
        """
        if self._bad * BAD_SHARE > self._good:
            raise damaged()


def _tracks(container: InputContainer) -> Tracks:
    films = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    sounds = container.streams.audio
    return Tracks(container, films[0] if films else None, sounds[0] if sounds else None)


def _check_bounds(tracks: Tracks, bounds: Bounds) -> None:
    if tracks.container.duration is not None:
        _check_seconds(tracks.container.duration / av.time_base, bounds)
    if tracks.video is not None:
        coder = tracks.video.codec_context
        if coder.width * coder.height > bounds.pixels:
            raise MediaError(
                Code.TOO_COMPLEX,
                f"it has {coder.width} x {coder.height} pixels, more than {bounds.pixels:,}: make it smaller",
            )
        coder.options = {"max_pixels": str(bounds.pixels)}  # for when it grows later on
        coder.thread_count = 2
        coder.thread_type = "SLICE"  # each thread of the other type holds pictures of its own


def _check_seconds(seconds: float, bounds: Bounds) -> None:
    if seconds > bounds.seconds:
        raise MediaError(
            Code.TOO_COMPLEX, f"it is {seconds:.0f} s long, more than {bounds.seconds:.0f} s: shorten it"
        )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)


def _check_riff(path: Path) -> None:
    """AVI and WAV have their size at their beginning. FFmpeg goes by what is there, and misses nothing."""
    head, size = _head(path), path.stat().st_size
    said = int.from_bytes(head[4:8], "little") if head.startswith(b"RIFF") else 0
    if said < UNKNOWN_SIZE and size < said * (1 - SLACK_SHARE):
        raise damaged()


def _check_pages(path: Path) -> None:
    """An Ogg file has its length nowhere; one that was cut off ends in the middle of a page."""
    size = path.stat().st_size
    with path.open("rb") as file:
        place = 0
        while place < size:
            file.seek(place)
            head = file.read(27)
            if not head.startswith(b"OggS"):
                return
            if len(head) < 27:
                raise damaged()
            table = file.read(head[26])
            place += 27 + len(table) + sum(struct.unpack(f"{len(table)}B", table))
            if len(table) < head[26] or place > size:
                raise damaged()
