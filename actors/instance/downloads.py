"""Fetches the files of messages beside their events: a few at a time, again after failures, up to a bound."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import Callable
from contextlib import suppress

from actors.events import EventDraft, EventType
from actors.instance.connection.base import Connection, ConnectionError
from actors.instance.jobs import Jobs
from actors.instance.refusals import NOT_AN_ATTEMPT
from actors.instance.waiting_files import Job
from actors.instance.work import Work
from actors.media.errors import Code, MediaError
from actors.media.linker import Linker
from actors.media.media import Media, file_name_of, mime_type_of
from actors.media.spool import scratch_file
from actors.media.store import MediaStore
from actors.registry import now
from actors.settings import MediaSettings
from actors.store import StaleEpoch, StoreUnavailable

log = logging.getLogger(__name__)

REASONS = {"media_gone": "gone", "media_corrupt": "corrupt", "media_too_large": "too_large"}
"""Errors of the engine that are the file's own."""

CORRUPT_ATTEMPTS = 2
"""Attempts at a file that arrives damaged: once, it may have been the way."""


class Downloads:
    """The files that wait.

    Args:
        online: set while the connection stands.
        connection: the engine; only used while online.
        cap: the most bytes of a file that are fetched now.
    """

    def __init__(
        self,
        *,
        instance_id: str,
        waiting: Jobs[Job],
        files: MediaStore,
        linker: Linker,
        settings: MediaSettings,
        online: asyncio.Event,
        connection: Callable[[], Connection],
        cap: Callable[[], int],
    ) -> None:
        self._instance_id = instance_id
        self._waiting = waiting
        self._files = files
        self._linker = linker
        self._settings = settings
        self._connection = connection
        self._cap = cap
        self._work = Work(
            instance_id=instance_id,
            jobs=waiting,
            online=online,
            attempt=self._attempt,
            concurrency=settings.download_concurrency,
            rate=settings.download_rate,
        )

    @property
    def room(self) -> bool:
        """True while fewer files wait than may."""
        return len(self._work) < self._settings.download_bound

    def ids(self) -> set[str]:
        """Of the files that wait."""
        return self._work.ids()

    def take(self, record: str) -> None:
        """A file waits from now on: its message's event is appended. Again is harmless."""
        job = self._waiting.read(record)
        if job is not None:
            self._work.add(job)

    async def pause(self) -> None:
        """Begin nothing, and leave what is being fetched to a successor, or to `resume`."""
        await self._work.pause()

    def resume(self) -> None:
        """Go on after `pause`."""
        self._work.resume()

    async def run(self) -> None:
        """Fetch for ever.

        Raises:
            StaleEpoch: the instance has another owner.
        """
        await self._work.run()

    # ---- one file -----------------------------------------------------------------------------------

    async def _attempt(self, job: Job) -> None:
        try:
            media = await self._stored(job)
            await self._finish(job, await self._ready(job, media))
        except StoreUnavailable:
            # What is stored is found there by the next attempt.
            self._work.again(job)
        except ConnectionError as error:
            if error.code in NOT_AN_ATTEMPT:
                self._work.again(job)
            else:
                await self._failed(job, REASONS.get(error.code), error.message)
        except MediaError as error:
            reason = "too_large" if error.code is Code.TOO_LARGE else None
            await self._failed(job, reason, error.message)
        except TimeoutError:
            seconds = self._settings.download_timeout
            await self._failed(job, None, f"WhatsApp did not deliver the file within {seconds:g} s")
        except StaleEpoch:
            raise
        except Exception as error:
            # Whatever is wrong with one file, the instance goes on.
            log.exception("file not fetched", extra={"instance": self._instance_id, "media": job.media_id})
            await self._failed(job, None, type(error).__name__)

    async def _stored(self, job: Job) -> Media:
        with suppress(MediaError):
            return await self._files.get(self._instance_id, job.media_id)
        source = job.source
        async with scratch_file(self._files.scratch) as scratch:
            path = scratch.absolute()
            async with asyncio.timeout(self._settings.download_timeout):
                await self._connection().fetch_media(
                    path,
                    kind=source.kind,
                    direct_path=source.direct_path,
                    media_key=base64.b64decode(source.media_key),
                    file_sha256=base64.b64decode(source.file_sha256),
                    file_enc_sha256=base64.b64decode(source.file_enc_sha256),
                    max_bytes=self._cap(),
                )
            return await self._files.put(
                self._instance_id,
                path,
                mime_type=mime_type_of(source.mime_type) or "application/octet-stream",
                file_name=file_name_of(source.file_name),
                media_id=job.media_id,
            )

    async def _failed(self, job: Job, reason: str | None, message: str) -> None:
        attempts = job.attempts + 1
        job = job.model_copy(update={"attempts": attempts})
        schedule = self._settings.download_schedule
        final = reason in ("gone", "too_large") or (reason == "corrupt" and attempts >= CORRUPT_ATTEMPTS)
        log.warning(
            "file not fetched",
            extra={
                "instance": self._instance_id,
                "media": job.media_id,
                "attempt": attempts,
                "error": message,
            },
        )
        try:
            if final or attempts > len(schedule):
                await self._finish(job, self._told(job, reason or "unavailable", message))
                return
            pause = schedule[attempts - 1]
            await self._waiting.delay(job.model_copy(update={"due": time.time() + pause}))
            self._work.again(job, pause)
        except StoreUnavailable:
            self._work.again(job.model_copy(update={"attempts": attempts - 1}))

    async def _finish(self, job: Job, draft: EventDraft) -> None:
        await self._waiting.finish(job, draft)
        self._work.finished(job)

    async def _ready(self, job: Job, media: Media) -> EventDraft:
        link = await self._linker.link(self._instance_id, media.id)
        about = media.model_dump(mode="json", exclude={"instance_id", "created_at"})
        about |= {"url": link.url, "expires_at": link.expires_at.isoformat()}
        return self._draft(EventType.MEDIA_READY, job, {"media": about})

    def _told(self, job: Job, reason: str, message: str) -> EventDraft:
        data = {"media": {"id": job.media_id}, "reason": reason, "message": message, "attempts": job.attempts}
        return self._draft(EventType.MEDIA_FAILED, job, data)

    def _draft(self, kind: EventType, job: Job, data: dict[str, object]) -> EventDraft:
        moment = now()
        return EventDraft(
            type=kind,
            dedupe_key=f"media:{job.media_id}{job.request}",
            occurred_at=moment,
            received_at=moment,
            chat_id=job.chat_id,
            data={"message_id": job.message_id, **job.told, **data},
        )
