"""Files kept in a bucket of Amazon S3, or of another store that speaks its protocol."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, unquote

import obstore
import obstore.store
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from actors.media.errors import Code, MediaError
from actors.media.media import INSTANCE_ID, MEDIA_ID, Entry, Media, checked, new_media_id, not_found
from actors.media.spool import scratch_file, sweep
from actors.media.store import CHUNK
from actors.settings import MediaSettings

PART = 8 * 1024 * 1024
"""Bytes of a part of an upload. A bucket takes 10,000 parts."""
PARTS_AT_A_TIME = 4
LEAST_RATE = 256 * 1024
"""Bytes per second by which the deadline of an upload grows with its size."""


class S3Store:
    """Keeps each file as an object ``<prefix>/<instance>/<id>``; what is known about it is the object's
    metadata. A bucket shows an object only when its upload is complete; a rule of its own should end
    multipart uploads that were never completed.

    Args:
        settings: the bucket, and how it is reached.
        scratch: folder for files on their way; is made if it is not there.
    """

    def __init__(self, settings: MediaSettings, scratch: Path) -> None:
        assert settings.s3_bucket is not None
        self._scratch = scratch
        self._timeout = settings.s3_timeout
        key_id, secret = settings.s3_access_key_id, settings.s3_secret_access_key
        config: obstore.store.S3Config = {"region": settings.s3_region}
        if settings.s3_endpoint is not None:
            config["endpoint"] = settings.s3_endpoint
        if key_id is not None and secret is not None:
            config["access_key_id"] = key_id.get_secret_value()
            config["secret_access_key"] = secret.get_secret_value()
        self._bucket = obstore.store.S3Store(
            settings.s3_bucket,
            prefix=settings.s3_prefix,
            config=config,
            client_options={
                "allow_http": (settings.s3_endpoint or "").startswith("http://"),
                "connect_timeout": timedelta(seconds=min(5.0, self._timeout)),
                "timeout": timedelta(seconds=self._timeout),
            },
            retry_config={
                "max_retries": 5,
                "retry_timeout": timedelta(seconds=self._timeout),
                "backoff": {"max_backoff": timedelta(seconds=2)},
            },
        )

    @property
    def scratch(self) -> Path:
        """Any disk will do."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        return self._scratch

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
        known = media_id is not None
        checked(instance_id, media_id := media_id or new_media_id())
        try:
            if known and (before := await self._found(instance_id, media_id)) is not None:
                return before
            size, digest = await asyncio.to_thread(_size_and_digest, path)
            media = Media(
                id=media_id,
                instance_id=instance_id,
                size=size,
                sha256=digest,
                mime_type=mime_type,
                file_name=file_name,
                created_at=datetime.now(UTC),
            )
            async with self._bounded(size / LEAST_RATE):
                await self._bucket.put_async(
                    f"{instance_id}/{media_id}",
                    path,
                    attributes=_attributes(media),
                    chunk_size=PART,
                    max_concurrency=PARTS_AT_A_TIME,
                )
            return media
        finally:
            await asyncio.to_thread(path.unlink, True)

    async def get(self, instance_id: str, media_id: str) -> Media:
        """What is known about a file (MediaStore)."""
        key = "/".join(checked(instance_id, media_id))
        async with self._bounded():
            try:
                found = await self._bucket.get_async(key, options={"head": True})
            except FileNotFoundError as error:
                raise not_found(media_id) from error
        return _media(instance_id, media_id, found)

    async def read(
        self, instance_id: str, media_id: str, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """Its bytes in pieces (MediaStore)."""
        key = "/".join(checked(instance_id, media_id))
        size = (await self.get(instance_id, media_id)).size
        end = size if end is None else min(end, size)
        if start >= end:
            return
        async with self._bounded():
            try:
                found = await self._bucket.get_async(key, options={"range": (start, end)})
            except FileNotFoundError as error:
                raise not_found(media_id) from error
        pieces = found.stream(min_chunk_size=CHUNK)
        while True:
            async with self._bounded():
                try:
                    piece = await anext(pieces)
                except StopAsyncIteration:
                    return
            yield bytes(piece)

    @asynccontextmanager
    async def local(self, instance_id: str, media_id: str) -> AsyncIterator[Path]:
        """A copy on this machine (MediaStore)."""
        async with scratch_file(self.scratch) as path:
            with path.open("wb") as file:
                async for piece in self.read(instance_id, media_id):
                    await asyncio.to_thread(file.write, piece)
            yield path

    async def delete(self, instance_id: str, media_id: str) -> bool:
        """Remove a file (MediaStore)."""
        key = "/".join(checked(instance_id, media_id))
        if await self._found(instance_id, media_id) is None:
            return False
        async with self._bounded():
            await self._bucket.delete_async(key)
        return True

    async def entries(self, instance_id: str) -> AsyncIterator[Entry]:
        """Every file of an instance (MediaStore)."""
        if not INSTANCE_ID.fullmatch(instance_id):
            return
        pages = self._bucket.list(f"{instance_id}/")
        while True:
            async with self._bounded():
                try:
                    page = await anext(pages)
                except StopAsyncIteration:
                    return
            for found in page:
                name = found["path"].rpartition("/")[2]
                if MEDIA_ID.fullmatch(name):
                    yield Entry(name, found["size"], found["last_modified"].timestamp())

    async def instances(self) -> AsyncIterator[str]:
        """Every instance that has files (MediaStore)."""
        async with self._bounded():
            found = await self._bucket.list_with_delimiter_async()
        for prefix in found["common_prefixes"]:
            name = prefix.rstrip("/").rpartition("/")[2]
            if INSTANCE_ID.fullmatch(name):
                yield name

    async def tidy(self, older_than: float) -> int:
        """Remove what was never finished on this machine (MediaStore)."""
        return await asyncio.to_thread(sweep, self._scratch, time.time() - older_than)

    async def _found(self, instance_id: str, media_id: str) -> Media | None:
        try:
            return await self.get(instance_id, media_id)
        except MediaError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            return None

    @asynccontextmanager
    async def _bounded(self, more: float = 0.0) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout + more):
                yield
        except TimeoutError as error:
            raise _failed(f"did not answer within {self._timeout + more:.0f} s", again=True) from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise _failed("refuses our keys: check MALOTE_MEDIA_S3_… and the bucket's policy") from error
        except (BaseError, OSError) as error:
            raise _failed("cannot be reached, or has no such bucket", again=True) from error


def _failed(what: str, *, again: bool = False) -> MediaError:
    return MediaError(Code.STORE, f"the object store that files are kept in {what}", again=again)


def _size_and_digest(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


def _attributes(media: Media) -> dict[str, str]:
    about = {
        "Content-Type": media.mime_type,
        "sha256": media.sha256,
        "created-at": media.created_at.isoformat(),
    }
    if media.file_name is not None:
        about["file-name"] = quote(media.file_name, safe="")  # headers are ASCII
    return about


def _media(instance_id: str, media_id: str, found: obstore.GetResult) -> Media:
    about = {name.lower(): value for name, value in found.attributes.items()}
    name = about.get("file-name")
    created_at = about.get("created-at")
    return Media(
        id=media_id,
        instance_id=instance_id,
        size=found.meta["size"],
        sha256=about.get("sha256", ""),
        mime_type=about.get("content-type", "application/octet-stream"),
        file_name=None if name is None else unquote(name),
        created_at=found.meta["last_modified"] if created_at is None else datetime.fromisoformat(created_at),
    )
