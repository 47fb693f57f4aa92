"""Where files are kept: what every store can do, and which one the settings ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from actors.media.media import Entry, Media
from actors.settings import Settings

CHUNK = 256 * 1024
"""Bytes that are read at a time."""


class MediaStore(Protocol):
    """Keeps files, each under an id of its instance. All methods but `scratch` raise MediaError only:
    NOT_FOUND, or STORE if the store cannot do its part now.
    """

    @property
    def scratch(self) -> Path:
        """A folder on this machine for files that are on their way in. What is left there, `tidy` removes."""

    async def put(
        self,
        instance_id: str,
        path: Path,
        *,
        mime_type: str,
        file_name: str | None = None,
        media_id: str | None = None,
    ) -> Media:
        """Keep a file. It is there for all, whole and durable, when this returns, and not at all before.

        Args:
            path: the file. It is the store's from now on and is gone afterwards, whatever happens.
            media_id: unset: a fresh one. If there is a file of this id, that one stays and is returned.
        """

    async def get(self, instance_id: str, media_id: str) -> Media:
        """What is known about a file."""

    def read(
        self, instance_id: str, media_id: str, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """Its bytes in pieces, from `start` to before `end`. A reader may finish while it is deleted."""

    def local(self, instance_id: str, media_id: str) -> AbstractAsyncContextManager[Path]:
        """The file on this machine, as long as the context lasts. Nobody may write to it."""

    async def delete(self, instance_id: str, media_id: str) -> bool:
        """Remove a file. False if there was none."""

    def entries(self, instance_id: str) -> AsyncIterator[Entry]:
        """Every file of an instance, in no order."""

    def instances(self) -> AsyncIterator[str]:
        """Every instance that may have files."""

    async def tidy(self, older_than: float) -> int:
        """Remove what was begun more than so many seconds ago and never finished; how many there were."""


def open_store(settings: Settings) -> MediaStore:
    """The store that the settings ask for."""
    media = settings.media
    folder = media.folder or settings.data_dir / "media"
    if media.s3_bucket is None:
        from actors.media.folder import FolderStore

        return FolderStore(folder)
    from actors.media.s3 import S3Store

    return S3Store(media, folder)
