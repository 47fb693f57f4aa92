"""Fetches the files of messages beside their events: a few at a time, again after failures, up to a bound."""

from __future__ import annotations

import asyncio
import base64
import heapq
import logging
import time
from collections.abc import Callable
from contextlib import suppress

from actors.events import EventDraft, EventType
from actors.instance.connection.base import Connection, ConnectionError
from actors.instance.refusals import NOT_AN_ATTEMPT
from actors.instance.waiting_files import Job, WaitingFiles
from actors.media.errors import Code, MediaError
from actors.media.linker import Linker
from actors.media.media import Media, file_name_of, mime_type_of
from actors.media.spool import scratch_file
from actors.media.store import MediaStore
from actors.rate import Bucket
from actors.registry import now
from actors.settings import MediaSettings
from actors.store import StaleEpoch, StoreUnavailable

log = logging.getLogger(__name__)

REASONS = {"media_gone": "gone", "media_corrupt": "corrupt", "media_too_large": "too_large"}
"""Errors of the engine that are the file's own."""

CORRUPT_ATTEMPTS = 2
"""Attempts at a file that arrives damaged: once, it may have been the way."""

PAUSE = 1.0
"""Seconds before a file is tried again whose attempt the end of a connection cut short, or Redis."""

LONGEST = 3600.0


class Downloads:
    """What waits is known here and in Redis: only this owner adds to it, with each message's event.

    Args:
        online: set while the connection stands.
        connection: the engine; only used while online.
        cap: the most bytes of a file that are fetched now.
    """

    def __init__(
        self,
        *,
        instance_id: str,
        waiting: WaitingFiles,
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
        self._online = online
        self._connection = connection
        self._cap = cap
        self._jobs: dict[str, Job] = {}
        self._due: list[tuple[float, int, str]] = []
        self._count = 0
        self._news = asyncio.Event()
        self._going = asyncio.Event()
        self._going.set()
        self._open: set[asyncio.Task[None]] = set()
        self._pace = Bucket(settings.download_rate, settings.download_concurrency, time.monotonic())

    @property
    def room(self) -> bool:
        """True while fewer files wait than may."""
        return len(self._jobs) < self._settings.download_bound

    def ids(self) -> set[str]:
        """Of the files that wait."""
        return set(self._jobs)

    def add(self, job: Job) -> None:
        """A file waits from now on: its message's event is appended. Again is harmless."""
        if job.media_id not in self._jobs:
            self._queue(job)

    async def pause(self) -> None:
        """Begin nothing, and leave what is being fetched to a successor, or to `resume`."""
        self._going.clear()
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._going.set()

    async def run(self) -> None:
        """Fetch for ever.

        Raises:
            StaleEpoch: the instance has another owner.
        """
        await self._recover()
        workers = [asyncio.create_task(self._work()) for _ in range(self._settings.download_concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _recover(self) -> None:
        while True:
            try:
                for job in await self._waiting.all():
                    self.add(job)
                return
            except StoreUnavailable as error:
                log.warning("waiting for Redis", extra={"instance": self._instance_id, "error": str(error)})
                await asyncio.sleep(PAUSE)

    def _queue(self, job: Job) -> None:
        self._jobs[job.media_id] = job
        self._count += 1
        heapq.heappush(self._due, (job.due, self._count, job.media_id))
        self._news.set()

    async def _work(self) -> None:
        while True:
            job = await self._next()
            task = asyncio.create_task(self._attempt(job))
            self._open.add(task)
            try:
                await asyncio.wait({task})
            finally:
                task.cancel()
                self._open.discard(task)
            if task.cancelled():
                self._queue(job)
            else:
                task.result()

    async def _next(self) -> Job:
        while True:
            await self._going.wait()
            await self._online.wait()
            self._news.clear()
            left = self._due[0][0] - time.time() if self._due else LONGEST
            if left > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(left, LONGEST)):
                        await self._news.wait()
                continue
            pause = self._pace.take(time.monotonic())
            if pause:
                await asyncio.sleep(pause)
                continue
            return self._jobs[heapq.heappop(self._due)[2]]

    # ---- one file -----------------------------------------------------------------------------------

    async def _attempt(self, job: Job) -> None:
        try:
            media = await self._stored(job)
            await self._finish(job, await self._ready(job, media))
        except StoreUnavailable:
            # What is stored is found there by the next attempt.
            self._again(job, PAUSE)
        except ConnectionError as error:
            if error.code in NOT_AN_ATTEMPT:
                self._again(job, PAUSE)
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

    def _again(self, job: Job, pause: float) -> None:
        self._queue(job.model_copy(update={"due": time.time() + pause}))

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
            job = job.model_copy(update={"due": time.time() + schedule[attempts - 1]})
            await self._waiting.delay(job)
            self._queue(job)
        except StoreUnavailable:
            self._again(job.model_copy(update={"attempts": attempts - 1}), PAUSE)

    async def _finish(self, job: Job, draft: EventDraft) -> None:
        await self._waiting.finish(job, draft)
        self._jobs.pop(job.media_id, None)

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
            dedupe_key=f"media:{job.media_id}",
            occurred_at=moment,
            received_at=moment,
            chat_id=job.chat_id,
            data={"message_id": job.message_id, **job.told, **data},
        )
