"""Files kept in a folder: for one machine, or for a cluster that shares a file system."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar

from actors.media.errors import Code, MediaError
from actors.media.media import INSTANCE_ID, MEDIA_ID, Entry, Media, checked, new_media_id, not_found
from actors.media.spool import sweep
from actors.media.store import CHUNK

T = TypeVar("T")
CONTENT, ABOUT = "content", "about.json"


class FolderStore:
    """Keeps each file in a folder of its own, with what is known about it beside it.

    ``files/<instance>/<shard>/<id>/`` holds ``content`` and ``about.json``. It is filled below ``incoming/``
    and moved in one step, so that no reader, and no crash, ever sees half of it.

    Args:
        root: is made if it is not there.
    """

    def __init__(self, root: Path) -> None:
        self._files = root / "files"
        self._incoming = root / "incoming"

    @property
    def scratch(self) -> Path:
        """On the same disk: what is written here is kept without being copied."""
        self._incoming.mkdir(parents=True, exist_ok=True)
        return self._incoming

    async def put(
        self,
        instance_id: str,
        path: Path,
        *,
        mime_type: str,
        file_name: str | None = None,
        media_id: str | None = None,
    ) -> Media:
        """Keep a file (MediaStore)."""
        checked(instance_id, media_id := media_id or new_media_id())
        return await _off_loop(lambda: self._put(instance_id, path, mime_type, file_name, media_id))

    async def get(self, instance_id: str, media_id: str) -> Media:
        """What is known about a file (MediaStore)."""
        place = self._place(instance_id, media_id)
        return await _off_loop(lambda: _about(place))

    async def read(
        self, instance_id: str, media_id: str, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """Its bytes in pieces (MediaStore)."""
        place = self._place(instance_id, media_id)
        file = await _off_loop(lambda: _opened(place, start))
        try:
            left = None if end is None else max(0, end - start)
            while left is None or left > 0:
                size = CHUNK if left is None else min(CHUNK, left)
                chunk = await _off_loop(partial(file.read, size))
                if not chunk:
                    return
                left = None if left is None else left - len(chunk)
                yield chunk
        finally:
            file.close()

    @asynccontextmanager
    async def local(self, instance_id: str, media_id: str) -> AsyncIterator[Path]:
        """The stored file itself (MediaStore). A hard link, so that it outlasts a deletion."""
        place = self._place(instance_id, media_id)
        link = await _off_loop(lambda: self._linked(place))
        try:
            yield link
        finally:
            await _off_loop(lambda: link.unlink(missing_ok=True))

    async def delete(self, instance_id: str, media_id: str) -> bool:
        """Remove a file (MediaStore)."""
        place = self._place(instance_id, media_id)
        return await _off_loop(lambda: self._delete(place))

    async def entries(self, instance_id: str) -> AsyncIterator[Entry]:
        """Every file of an instance (MediaStore)."""
        if not INSTANCE_ID.fullmatch(instance_id):
            return
        home = self._files / instance_id
        for shard in await _off_loop(lambda: _names(home)):
            for entry in await _off_loop(partial(_entries, home / shard)):
                yield entry

    async def instances(self) -> AsyncIterator[str]:
        """Every instance that may have files (MediaStore)."""
        for name in await _off_loop(lambda: _names(self._files)):
            if INSTANCE_ID.fullmatch(name):
                yield name

    async def tidy(self, older_than: float) -> int:
        """Remove what was never finished (MediaStore)."""
        return await _off_loop(lambda: sweep(self._incoming, time.time() - older_than))

    def _place(self, instance_id: str, media_id: str) -> Path:
        checked(instance_id, media_id)
        return self._files / instance_id / media_id[-2:] / media_id

    def _put(
        self, instance_id: str, path: Path, mime_type: str, file_name: str | None, media_id: str
    ) -> Media:
        place = self._place(instance_id, media_id)
        stage = Path(tempfile.mkdtemp(prefix="put-", dir=self.scratch))
        try:
            content = stage / CONTENT
            _move(path, content)
            with content.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                os.fsync(file.fileno())
            media = Media(
                id=media_id,
                instance_id=instance_id,
                size=content.stat().st_size,
                sha256=digest,
                mime_type=mime_type,
                file_name=file_name,
                created_at=datetime.now(UTC),
            )
            with (stage / ABOUT).open("wb") as file:
                file.write(media.model_dump_json().encode())
                file.flush()
                os.fsync(file.fileno())
            stage.chmod(0o755)
            _sync(stage)
            made = _make(place.parent, self._files)
            try:
                stage.rename(place)
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
                return _about(place)
            for folder in (place.parent, *made):
                _sync(folder)
            return media
        finally:
            path.unlink(missing_ok=True)
            shutil.rmtree(stage, ignore_errors=True)

    def _linked(self, place: Path) -> Path:
        link = self.scratch / f"local-{new_media_id()}"
        try:
            link.hardlink_to(place / CONTENT)
        except FileNotFoundError as error:
            raise not_found(place.name) from error
        link.touch()  # `tidy` goes by a file's age, and this is as old as what it links to
        return link

    def _delete(self, place: Path) -> bool:
        gone = Path(tempfile.mkdtemp(prefix="gone-", dir=self.scratch))
        try:
            place.rename(gone)
        except FileNotFoundError:
            return False
        finally:
            shutil.rmtree(gone, ignore_errors=True)
        return True


async def _off_loop(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise MediaError(
            Code.STORE,
            "the disk that files are kept on is full: make room, or set MALOTE_MEDIA_RETENTION_BYTES lower"
            if full
            else f"the folder of files cannot be used: {error.strerror or type(error).__name__}",
            again=True,
        ) from error


def _about(place: Path) -> Media:
    try:
        return Media.model_validate_json((place / ABOUT).read_bytes())
    except FileNotFoundError as error:
        raise not_found(place.name) from error


def _opened(place: Path, start: int) -> BinaryIO:
    try:
        file = (place / CONTENT).open("rb")
    except FileNotFoundError as error:
        raise not_found(place.name) from error
    file.seek(start)
    return file


def _entries(shard: Path) -> list[Entry]:
    found = []
    for name in _names(shard):
        if MEDIA_ID.fullmatch(name):
            with suppress(FileNotFoundError):  # deleted meanwhile
                size = (shard / name / CONTENT).stat().st_size
                found.append(Entry(name, size, (shard / name / ABOUT).stat().st_mtime))
    return found


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder)]
    except FileNotFoundError:
        return []


def _move(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copyfile(source, target)


def _make(folder: Path, root: Path) -> list[Path]:
    """Make a folder; those above it, up to the root's parent, that got a new entry by that."""
    changed = []
    for path in (folder, *folder.parents):
        if path.exists():
            break
        changed.append(path.parent)
        if path == root:
            break
    folder.mkdir(parents=True, exist_ok=True)
    return changed


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
