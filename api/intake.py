"""Takes the files of requests: uploads, and what messages name by id, by URL or as base64."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from actors.courier.addresses import Guard
from actors.courier.egress import Egress
from actors.media.check import cap_of, examine
from actors.media.convert import Converter
from actors.media.errors import Code, MediaError
from actors.media.fetch import Fetcher
from actors.media.kinds import Kind
from actors.media.media import Media, file_name_of, media_id_of, mime_type_of
from actors.media.spool import scratch_file, spool, spool_base64
from actors.media.store import MediaStore
from actors.messages.content import Document, MediaMessage, MediaSource
from actors.messages.files import MessageFile
from actors.settings import Settings

UNKNOWN = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Taken:
    """The stored file of a message.

    Args:
        fresh: it was stored for this message alone.
    """

    file: MessageFile
    fresh: bool


@dataclass(frozen=True, slots=True)
class _Source:
    """A file on this machine, and what was said of it."""

    path: Path
    mime_type: str | None
    file_name: str | None
    media: Media | None = None


class Intake:
    """Takes files, a bounded number at a time. Close it.

    Args:
        files: where they are stored.
        egress: the way out; unset: one that reaches public addresses, and hosts that the settings allow.
    """

    def __init__(self, settings: Settings, files: MediaStore, *, egress: Egress | None = None) -> None:
        self._settings = settings.media
        self._allowed = settings.allow_hosts
        proxy = settings.courier.proxy
        self._proxy = proxy.get_secret_value() if proxy else None
        self._files = files
        self._egress = egress
        self._converter = Converter(settings.media)
        self._places = asyncio.Semaphore(settings.media.intake)
        self._own_places: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(settings.media.intake_instance)
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._egress is not None:
            await self._egress.close()

    async def upload(
        self, instance_id: str, chunks: AsyncIterable[bytes], *, mime_type: str | None, file_name: str | None
    ) -> Media:
        """Store a file that is uploaded.

        Raises:
            MediaError
        """
        cap = max(cap_of(self._settings, kind) for kind in Kind)
        async with self._place(instance_id), scratch_file(self._files.scratch) as path:
            try:
                async with asyncio.timeout(self._settings.intake_timeout):
                    await spool(chunks, path, cap=cap)
            except TimeoutError as error:
                raise MediaError(
                    Code.SLOW,
                    f"the file did not arrive within {self._settings.intake_timeout:g} s",
                    again=True,
                ) from error
            claimed = mime_type_of(mime_type)
            found = await asyncio.to_thread(examine, path, cap=cap, claimed=claimed)
            return await self._put(instance_id, path, claimed or found or UNKNOWN, file_name_of(file_name))

    async def take(self, instance_id: str, content: MediaMessage) -> Taken:
        """Fetch, check, convert and store the file of a message.

        Raises:
            MediaError
        """
        kind = Kind(content.type)  # type: ignore[attr-defined]
        async with (
            self._place(instance_id),
            self._source(instance_id, content.media, cap_of(self._settings, kind)) as source,
            self._converter.made(kind, source.path, self._files.scratch, claimed=source.mime_type) as made,
        ):
            name = source.file_name
            if isinstance(content, Document):
                name = file_name_of(content.file_name) or name
            before = source.media
            if before is not None and made.path.resolve() == source.path.resolve():
                return Taken(MessageFile.of(made, before.id, before.size, name), fresh=False)
            # What is made of a stored file is the same each time, and stored once.
            known = media_id_of(instance_id, f"{before.id} as {kind}") if before is not None else None
            media = await self._put(instance_id, made.path, made.mime_type, name, known)
            return Taken(MessageFile.of(made, media.id, media.size, name), fresh=before is None)

    async def discard(self, instance_id: str, taken: Taken) -> None:
        """Remove the file of a message that did not come to be."""
        if taken.fresh:
            await self._files.delete(instance_id, taken.file.id)

    @asynccontextmanager
    async def _place(self, instance_id: str) -> AsyncIterator[None]:
        own = self._own_places[instance_id]
        try:
            async with asyncio.timeout(self._settings.convert_wait):
                await own.acquire()
                try:
                    await self._places.acquire()
                except BaseException:
                    own.release()
                    raise
        except TimeoutError as error:
            raise MediaError(
                Code.BUSY, "too many files are being taken: try again in a moment", again=True
            ) from error
        try:
            yield
        finally:
            self._places.release()
            own.release()

    @asynccontextmanager
    async def _source(self, instance_id: str, source: MediaSource, cap: int) -> AsyncIterator[_Source]:
        said, name = mime_type_of(source.mime_type), file_name_of(source.file_name)
        if source.id is not None:
            media = await self._files.get(instance_id, source.id)
            async with self._files.local(instance_id, source.id) as path:
                kept = mime_type_of(media.mime_type)
                yield _Source(path, said or kept, name or media.file_name, media)
            return
        async with scratch_file(self._files.scratch) as path:
            if source.url is not None:
                fetched = await self._fetcher().fetch(source.url, path, cap=cap)
                yield _Source(path, said or fetched.mime_type, name or fetched.file_name)
            else:
                given = await spool_base64(source.base64 or "", path, cap=cap)
                yield _Source(path, said or given, name)

    def _fetcher(self) -> Fetcher:
        if self._egress is None:
            self._egress = Egress(Guard(allow=self._allowed), proxy=self._proxy)
        return Fetcher(self._egress, self._settings)

    async def _put(
        self, instance_id: str, path: Path, mime_type: str, name: str | None, media_id: str | None = None
    ) -> Media:
        """Store a file; nothing is left of it if this is cancelled meanwhile."""
        putting = asyncio.ensure_future(
            self._files.put(instance_id, path, mime_type=mime_type, file_name=name, media_id=media_id)
        )
        try:
            return await asyncio.shield(putting)
        except asyncio.CancelledError:
            media = await putting
            if media_id is None:
                await self._files.delete(instance_id, media.id)
            raise
