"""What the worker is asked for, and what it answers: both as JSON."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from actors.media.kinds import Kind

BINARY = ("thumbnail", "waveform")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may be in a file, however small it is.

    Args:
        pixels: of one picture.
        frames: pictures of an animation that is converted.
        seconds: of sound or film.
    """

    pixels: int
    frames: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Job:
    """One file to make ready.

    Args:
        source: the file. It is only read.
        folder: an empty folder for what is made.
        seconds: deadline of the whole, and processor time it may take.
        memory: bytes of address space.
        output: bytes of the largest file that may be written.
    """

    kind: Kind
    source: Path
    folder: Path
    bounds: Bounds
    seconds: float
    memory: int
    output: int

    def dump(self) -> bytes:
        """As the worker reads it."""
        return json.dumps(asdict(self) | {"source": str(self.source), "folder": str(self.folder)}).encode()

    @classmethod
    def load(cls, data: bytes) -> Job:
        """What `dump` wrote."""
        given: dict[str, Any] = json.loads(data)
        return cls(
            kind=Kind(given.pop("kind")),
            source=Path(given.pop("source")),
            folder=Path(given.pop("folder")),
            bounds=Bounds(**given.pop("bounds")),
            **given,
        )


@dataclass(frozen=True, slots=True)
class Made:
    """A file as WhatsApp wants it.

    Args:
        path: the source itself if it was fine as it was, else a file in the job's folder.
        mime_type: as WhatsApp is told.
        width, height: pixels as they are shown.
        seconds: of sound or film.
        thumbnail: a small JPEG.
        waveform: of a voice note: 64 bytes from 0 to 100.
        animated: it moves, as some stickers do.
        gif_playback: a film that is played in a loop and without sound.
    """

    path: Path
    mime_type: str
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    thumbnail: bytes | None = None
    waveform: bytes | None = None
    animated: bool = False
    gif_playback: bool = False

    def dump(self) -> bytes:
        """As the worker writes it."""
        given: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in BINARY:
            if given[name] is not None:
                given[name] = base64.b64encode(given[name]).decode()
        return json.dumps(given | {"path": str(self.path)}).encode()

    @classmethod
    def load(cls, given: dict[str, Any]) -> Made:
        """What `dump` wrote."""
        for name in BINARY:
            if given[name] is not None:
                given[name] = base64.b64decode(given[name])
        return cls(**given | {"path": Path(given["path"])})
