"""Which version of the code this is."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from actors.settings import Settings

PACKAGE = Path(__file__).resolve().parent
SOURCES = ("*.py", "*.lua")
LENGTH = 12


def of(settings: Settings) -> str:
    """The version of the code that runs here: the name that the deploy gave it, else its digest."""
    return settings.version or digest(PACKAGE)


@functools.cache
def digest(package: Path) -> str:
    """Of the files that actors run: the same for the same files, wherever they are."""
    found = hashlib.sha256()
    paths = [path for kind in SOURCES for path in package.rglob(kind)]
    for name, path in sorted((path.relative_to(package).as_posix(), path) for path in paths):
        content = path.read_bytes()
        # With their lengths, so that nothing can move from one file into the next and be the same.
        found.update(f"{name}\0{len(content)}\0".encode())
        found.update(content)
    return found.hexdigest()[:LENGTH]
