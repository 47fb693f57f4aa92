"""Sound: audio files, and voice notes with their waveform."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler

from actors.media.errors import Code, MediaError
from actors.media.kinds import TAKES
from actors.media.worker.containers import Patience, Tracks, length, opened
from actors.media.worker.job import Job, Made

AS_IT_IS = {
    ("mp3", "mp3"): "audio/mpeg",
    ("mp3", "mp3float"): "audio/mpeg",
    ("mov", "aac"): "audio/mp4",
    ("aac", "aac"): "audio/aac",
    ("ogg", "opus"): "audio/ogg; codecs=opus",
    ("amr", "amrnb"): "audio/amr",
    ("amr", "amr_nb"): "audio/amr",
}
"""What phones play, by container and codec."""
OPUS = "audio/ogg; codecs=opus"
VOICE_RATE, VOICE_BITS = 48_000, 32_000
AUDIO_RATE, AUDIO_BITS = 44_100, 128_000
WAVEFORM = 64
MEASURED_RATE = 8_000
SILENCE = 32
"""Below this, of 32,768, nothing is to be heard."""
PEAK = MEASURED_RATE // 50
"""Samples of which the loudest is taken: 20 ms."""


def audio(job: Job) -> Made:
    """An audio file: what phones play stays as it is, all others become AAC."""
    seconds, form, _ = _looked_at(job)
    if (mime_type := AS_IT_IS.get(form)) is not None:
        _loudness(job)  # so that it is decoded once, to its end
        return Made(job.source, mime_type, seconds=seconds)
    path = job.folder / "audio.m4a"
    _encode(job, path, container="ipod", codec="aac", rate=AUDIO_RATE, bits=AUDIO_BITS, mono=False)
    return Made(path, "audio/mp4", seconds=seconds)


def voice(job: Job) -> Made:
    """A voice note: Opus in Ogg, one channel, with its length and waveform."""
    seconds, form, channels = _looked_at(job)
    waveform = _waveform(_loudness(job))
    if AS_IT_IS.get(form) == OPUS and channels == 1:
        return Made(job.source, OPUS, seconds=seconds, waveform=waveform)
    path = job.folder / "voice.ogg"
    _encode(job, path, container="ogg", codec="libopus", rate=VOICE_RATE, bits=VOICE_BITS, mono=True)
    return Made(path, OPUS, seconds=seconds, waveform=waveform)


def _looked_at(job: Job) -> tuple[float, tuple[str, str], int]:
    with opened(job.source, job.kind, job.bounds) as tracks:
        _sound_of(tracks, job)
        assert tracks.audio is not None
        form = (tracks.container.format.name.partition(",")[0], tracks.audio.codec_context.name)
        if tracks.video is not None:
            form = ("film", form[1])
        channels = tracks.audio.codec_context.layout.nb_channels
    return length(job.source, job.kind, job.bounds), form, channels


def _sound_of(tracks: Tracks, job: Job) -> None:
    if tracks.audio is None:
        raise MediaError(
            Code.WRONG_TYPE,
            f"there is no sound in it: for the kind {job.kind.value!r} send {TAKES[job.kind]}",
        )


def _samples(job: Job, resampler: AudioResampler) -> Iterator[av.AudioFrame]:
    patience = Patience()
    with opened(job.source, job.kind, job.bounds) as tracks:
        for packet in tracks.container.demux(tracks.audio):
            for frame in patience.decode(packet):
                assert isinstance(frame, av.AudioFrame)
                frame.pts = None  # samples follow one another, whatever the file's clock says
                yield from resampler.resample(frame)
    patience.check()
    yield from resampler.resample(None)


def _loudness(job: Job) -> list[int]:
    """The loudest sample of every 20 ms, from 0 to 32,768."""
    peaks: list[int] = []
    rest = array("h")
    for frame in _samples(job, AudioResampler("s16", "mono", MEASURED_RATE)):
        rest.frombytes(bytes(frame.planes[0])[: frame.samples * 2])
        whole = len(rest) // PEAK * PEAK
        for start in range(0, whole, PEAK):
            some = rest[start : start + PEAK]
            peaks.append(max(max(some), -min(some)))
        rest = rest[whole:]
    return peaks


def _waveform(peaks: list[int]) -> bytes:
    """Means of 64 equal parts, the loudest of which is 100."""
    means = []
    for part in range(WAVEFORM):
        start = part * len(peaks) // WAVEFORM
        some = peaks[start : max(start + 1, (part + 1) * len(peaks) // WAVEFORM)] or [0]
        means.append(sum(some) / len(some))
    top = max(means)
    return bytes(round(mean / top * 100) if top > SILENCE else 0 for mean in means)


def _encode(job: Job, path: Path, *, container: str, codec: str, rate: int, bits: int, mono: bool) -> None:
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate)
        coder = stream.codec_context
        assert isinstance(coder, AudioCodecContext)
        coder.bit_rate = bits
        coder.layout = "mono" if mono else "stereo"
        coder.format = "s16" if codec == "libopus" else "fltp"
        coder.time_base = Fraction(1, rate)
        if codec == "libopus":
            coder.options = {"application": "voip"}
        coder.open()
        resampler = AudioResampler(coder.format, coder.layout, rate, frame_size=coder.frame_size)
        done = 0
        for frame in _samples(job, resampler):
            frame.pts, frame.time_base = done, Fraction(1, rate)
            done += frame.samples
            out.mux(coder.encode(frame))
        out.mux(coder.encode(None))
