"""Real files of every form, made here: small, and different each time only where it matters."""

from __future__ import annotations

import array
import io
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import av
from PIL import Image

RED, BLUE = (255, 0, 0), (0, 0, 255)
RATE = 48_000


def noise(size: tuple[int, int] = (64, 48)) -> Image.Image:
    return Image.effect_noise(size, 80).convert("RGB")


def halves(size: tuple[int, int] = (64, 32)) -> Image.Image:
    """Red on the left, blue on the right: shows which way up a picture is."""
    picture = Image.new("RGB", size, RED)
    picture.paste(BLUE, (size[0] // 2, 0, *size))
    return picture


def picture(path: Path, image: Image.Image | None = None, **options: Any) -> Path:
    (image or noise()).save(path, **options)
    return path


def animation(path: Path, count: int = 6, size: tuple[int, int] = (60, 40), shown: int = 100) -> Path:
    first, *others = [noise(size) for _ in range(count)]
    first.save(path, save_all=True, append_images=others, duration=shown, loop=0)
    return path


def film(
    path: Path,
    video: str = "libx264",
    audio: str | None = "aac",
    *,
    seconds: float = 2,
    size: tuple[int, int] = (64, 48),
    image: Image.Image | None = None,
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
) -> Path:
    with av.open(str(path), "w", options=options or {}) as out:
        stream = out.add_stream(video, rate=10)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        sound = out.add_stream(audio, rate=RATE) if audio else None
        for _ in range(int(seconds * 10)):
            out.mux(stream.encode(av.VideoFrame.from_image(image or noise(size))))
        out.mux(stream.encode(None))
        if sound is not None:
            _tone(out, sound, seconds)
    return path


def tone(
    path: Path,
    codec: str,
    *,
    seconds: float = 2,
    rate: int = RATE,
    layout: str = "mono",
    format: str | None = None,
) -> Path:
    """A tone that is silent in its second half."""
    with av.open(str(path), "w", format=format) as out:
        stream = out.add_stream(codec, rate=rate)
        stream.layout = layout
        _tone(out, stream, seconds)
    return path


def cut(path: Path, share: float = 0.6) -> Path:
    """The beginning of a file."""
    whole = path.read_bytes()
    shorter = path.with_name(f"cut-{path.name}")
    shorter.write_bytes(whole[: int(len(whole) * share)])
    return shorter


def turned(path: Path) -> Path:
    """A film that says it has to be turned clockwise by a quarter to be upright."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 44
    data[matrix : matrix + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def bomb(path: Path, side: int) -> Path:
    """A PNG of so many pixels a side, all white, that is a thousandth of them in bytes."""
    row = b"\0" + b"\xff" * math.ceil(side / 8)
    press = zlib.compressobj(9)
    data = b"".join(press.compress(row) for _ in range(side)) + press.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", data), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts))
    return path


def read(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _tone(out: Any, stream: Any, seconds: float) -> None:
    coder = stream.codec_context
    if not coder.is_open:
        coder.open()
    resampler = av.AudioResampler(
        coder.format, coder.layout, coder.sample_rate, frame_size=coder.frame_size or None
    )
    total, done = int(RATE * seconds), 0
    for start in range(0, total, 1000):
        loud = 9000 if start < total // 2 else 0
        samples = array.array("h", [int(loud * math.sin((start + n) / 20)) for n in range(1000)])
        frame = av.AudioFrame(format="s16", layout="mono", samples=1000)
        frame.sample_rate, frame.pts = RATE, start
        frame.planes[0].update(samples.tobytes().ljust(frame.planes[0].buffer_size, b"\0"))
        for some in [
            *resampler.resample(frame),
            *(resampler.resample(None) if start + 1000 >= total else []),
        ]:
            some.pts = done
            done += some.samples
            out.mux(stream.encode(some))
    out.mux(stream.encode(None))
