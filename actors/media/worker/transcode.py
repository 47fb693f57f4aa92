"""Encoding film: into MP4 with H.264 and AAC, at a size and a speed that one process can bear."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler
from av.container import OutputContainer
from av.filter import Graph
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream
from PIL import Image

from actors.media.worker.containers import Patience, opened
from actors.media.worker.job import Job

LONGEST_SIDE = 1280
SOUND_RATE, SOUND_BITS = 44_100, 128_000
CLOCK = Fraction(1, 90_000)
"""Times of pictures are kept as they are, not forced into a rate."""
MOVFLAGS = {"movflags": "+faststart"}
X264 = {"preset": "veryfast", "crf": "23", "threads": "2"}
TURNS = {90: ("cclock",), 180: ("clock", "clock"), 270: ("clock",)}
"""What `transpose` does to bring a picture upright, by how far anticlockwise it has to be turned."""


def remux(job: Job, path: Path, *, silent: bool) -> None:
    """Wrap the same film in MP4."""
    with (
        opened(job.source, job.kind, job.bounds) as tracks,
        av.open(str(path), "w", format="mp4", options=MOVFLAGS) as out,
    ):
        kept = [tracks.video] if silent else [tracks.video, tracks.audio]
        streams = {
            stream.index: out.add_stream_from_template(stream) for stream in kept if stream is not None
        }
        early: dict[int, list[Packet[Stream]]] = {index: [] for index in streams}
        for packet in tracks.container.demux([stream for stream in kept if stream is not None]):
            if packet.pts is None and packet.dts is None:
                continue
            waiting = early.get(packet.stream.index)
            if waiting is not None:
                waiting.append(packet)
                if packet.dts is None:
                    continue
                _count_back(waiting)
                del early[packet.stream.index]
            for one in waiting or [packet]:
                one.stream = streams[one.stream.index]
                out.mux(one)


def transcode(job: Job, path: Path, *, silent: bool) -> None:
    """Encode a film again."""
    patience = Patience()
    with (
        opened(job.source, job.kind, job.bounds) as tracks,
        av.open(str(path), "w", format="mp4", options=MOVFLAGS) as out,
    ):
        assert tracks.video is not None
        pictures = _Pictures(out, tracks.video.average_rate or Fraction(25))
        sound = None if silent or tracks.audio is None else _Sound(out)
        kept = [tracks.video] if sound is None else [tracks.video, tracks.audio]
        waiting: list[Packet[Stream]] = []
        for packet in tracks.container.demux([stream for stream in kept if stream is not None]):
            for frame in patience.decode(packet):
                if isinstance(frame, av.VideoFrame):
                    waiting += pictures.encode(frame)
                elif sound is not None:
                    waiting += sound.encode(frame)
            # Nothing is written before the pictures' size is known: the header has it.
            if pictures.is_open:
                out.mux(waiting)
                waiting = []
        out.mux([*waiting, *pictures.end(), *(sound.end() if sound is not None else [])])
    patience.check()


def encode_pictures(shown: Iterable[tuple[Image.Image, int]], size: tuple[int, int], path: Path) -> None:
    """A film of pictures in RGB, each shown for its milliseconds."""
    width, height = _fitted(*size)
    with av.open(str(path), "w", format="mp4", options=MOVFLAGS) as out:
        stream = _x264(out, Fraction(25))
        stream.width, stream.height = width, height
        when = Fraction(0)
        last = -1
        for picture, milliseconds in shown:
            small = picture if picture.size == (width, height) else picture.resize((width, height))
            frame = _frame(small).reformat(format="yuv420p")
            last = int(when / CLOCK)
            frame.pts, frame.time_base = last, CLOCK
            out.mux(stream.encode(frame))
            when += Fraction(milliseconds, 1000)
        if (end := int(when / CLOCK) - 1) > last:
            # The last one again, or it would be shown for no time at all.
            frame.pts = end
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def _count_back(packets: list[Packet[Stream]]) -> None:
    """Give the first packets of a stream the decoding time that some containers have only of later ones."""
    *without, known = packets
    assert known.dts is not None
    step = max(1, known.duration or 1)
    for back, packet in enumerate(reversed(without), 1):
        packet.dts = known.dts - back * step


class _Pictures:
    """Frames in, packets out: upright, of an even size, not too large."""

    def __init__(self, out: OutputContainer, rate: Fraction) -> None:
        self._stream = _x264(out, min(rate, Fraction(60)))
        self._graph: Graph | None = None
        self._form: tuple[int, int, str] | None = None
        self._last = -1

    @property
    def is_open(self) -> bool:
        """True once the size is known."""
        return self._graph is not None

    def encode(self, frame: av.VideoFrame) -> list[Packet[Stream]]:
        form = (frame.width, frame.height, frame.format.name)
        if self._graph is None or form != self._form:
            self._graph, self._form = self._prepared(frame), form
        self._graph.push(frame)
        done = self._graph.pull()
        assert isinstance(done, av.VideoFrame)
        when = 0 if frame.pts is None or frame.time_base is None else int(frame.pts * frame.time_base / CLOCK)
        self._last = max(when, self._last + 1)
        done.pts, done.time_base = self._last, CLOCK
        return list(self._stream.encode(done))

    def end(self) -> list[Packet[Stream]]:
        return list(self._stream.encode(None)) if self.is_open else []

    def _prepared(self, frame: av.VideoFrame) -> Graph:
        turns = TURNS.get(frame.rotation % 360, ())
        size = (frame.height, frame.width) if len(turns) == 1 else (frame.width, frame.height)
        if not self.is_open:
            self._stream.width, self._stream.height = _fitted(*size)
        graph = Graph()
        steps = [
            graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=CLOCK)
        ]
        steps += [graph.add("transpose", turn) for turn in turns]
        steps.append(graph.add("scale", f"{self._stream.width}:{self._stream.height}"))
        steps.append(graph.add("setsar", "1"))
        steps.append(graph.add("format", "yuv420p"))
        steps.append(graph.add("buffersink"))
        graph.link_nodes(*steps).configure()
        return graph


class _Sound:
    """Frames in, packets out."""

    def __init__(self, out: OutputContainer) -> None:
        stream = out.add_stream("aac", rate=SOUND_RATE)
        coder = stream.codec_context
        assert isinstance(coder, AudioCodecContext)
        coder.bit_rate = SOUND_BITS
        coder.layout, coder.format, coder.time_base = "stereo", "fltp", Fraction(1, SOUND_RATE)
        coder.open()
        self._coder = coder
        self._stream = stream
        self._resampler = AudioResampler("fltp", "stereo", SOUND_RATE, frame_size=coder.frame_size)
        self._done: int | None = None

    def encode(self, frame: av.AudioFrame) -> list[Packet[Stream]]:
        if self._done is None:
            begin = (
                0.0 if frame.pts is None or frame.time_base is None else float(frame.pts * frame.time_base)
            )
            self._done = round(max(0.0, begin) * SOUND_RATE)
        frame.pts = None
        return self._packets(frame)

    def end(self) -> list[Packet[Stream]]:
        if self._done is None:
            return []
        return [*self._packets(None), *self._owned(self._coder.encode(None))]

    def _packets(self, frame: av.AudioFrame | None) -> list[Packet[Stream]]:
        assert self._done is not None
        packets: list[Packet[Stream]] = []
        for some in self._resampler.resample(frame):
            some.pts, some.time_base = self._done, Fraction(1, SOUND_RATE)
            self._done += some.samples
            packets += self._owned(self._coder.encode(some))
        return packets

    def _owned(self, packets: list[Packet[Stream]]) -> list[Packet[Stream]]:
        for packet in packets:
            packet.stream = self._stream
        return packets


def _x264(out: OutputContainer, rate: Fraction) -> VideoStream:
    stream = out.add_stream("libx264", rate=rate, options=X264)
    assert isinstance(stream, VideoStream)
    assert isinstance(stream.codec_context, VideoCodecContext)
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = CLOCK
    return stream


def _fitted(width: int, height: int) -> tuple[int, int]:
    """The size within the longest side, even in both: H.264 takes no other."""
    share = min(1.0, LONGEST_SIDE / max(width, height))
    return max(2, round(width * share / 2) * 2), max(2, round(height * share / 2) * 2)


def _frame(picture: Image.Image) -> av.VideoFrame:
    frame: av.VideoFrame = av.VideoFrame.from_image(picture)  # type: ignore[no-untyped-call]
    return frame
