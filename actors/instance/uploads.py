"""Uploads the files of messages ahead of their turn, and remembers what was uploaded."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from actors.instance.connection.base import Connection, ConnectionError
from actors.instance.outbox import Outbox, QueuedMessage
from actors.instance.refusals import NOT_AN_ATTEMPT, UNREACHABLE
from actors.media.errors import Code, MediaError
from actors.media.store import MediaStore
from actors.messages.compose_media import Uploaded
from actors.messages.files import MessageFile, Upload
from actors.messages.recipients import is_newsletter
from actors.messages.rules import Unsendable
from actors.settings import MediaSettings

log = logging.getLogger(__name__)

KINDS = {
    "image": "image",
    "video": "video",
    "gif": "video",
    "audio": "audio",
    "voice": "audio",
    "document": "document",
    "sticker": "sticker",
}
"""Under which of WhatsApp's kinds the file of a content is uploaded."""


class Uploads:
    """A few at a time. What was uploaded is used again when its message is, until it is too old for that.

    Args:
        files: where files are stored.
        connection: the engine.
    """

    def __init__(
        self,
        *,
        epoch: int,
        outbox: Outbox,
        files: MediaStore,
        settings: MediaSettings,
        connection: Callable[[], Connection],
    ) -> None:
        self._epoch = epoch
        self._outbox = outbox
        self._files = files
        self._settings = settings
        self._connection = connection
        self._tasks: dict[str, asyncio.Task[Upload]] = {}

    def ready(self, message: QueuedMessage) -> bool:
        """True if `take` has an answer: the message has no file, or its upload has ended."""
        task = self._tasks.get(message.id)
        return message.file is None or (self._known(message) is not None if task is None else task.done())

    def begin(self, message: QueuedMessage, ended: Callable[[], None]) -> None:
        """Upload a message's file, unless that is done, under way, or enough others are.

        Args:
            ended: called when the message has become ready.
        """
        file = message.file
        if file is None or message.id in self._tasks or self._known(message) is not None:
            return
        if sum(not task.done() for task in self._tasks.values()) < self._settings.upload_concurrency:
            task = self._tasks[message.id] = asyncio.create_task(self._store(message, file))
            task.add_done_callback(lambda _: ended())

    def take(self, message: QueuedMessage) -> Uploaded | None:
        """The file of a message that is ready, None if it has none. If it failed, `begin` tries again.

        Raises:
            Unsendable: the file is no longer stored.
            MediaError: STORE, it cannot be read now.
            ConnectionError: it could not be uploaded; ``upload_failed`` if that is the file's fault.
            StaleEpoch, StoreUnavailable
        """
        if message.file is None:
            return None
        task = self._tasks.pop(message.id, None)
        upload = self._known(message) if task is None else task.result()
        if upload is None:
            # It grew old while the message waited for its turn.
            raise ConnectionError("not_connected", "the file has to be uploaded anew")
        return upload.described(message.file)

    async def stop(self) -> None:
        """Break off what is under way: its messages are left to a successor."""
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _known(self, message: QueuedMessage) -> Upload | None:
        upload = message.upload
        return upload if upload and upload.at >= time.time() - self._settings.upload_kept else None

    async def _store(self, message: QueuedMessage, file: MessageFile) -> Upload:
        upload = await self._upload(message, file)
        await self._outbox.uploaded(self._epoch, message, upload)
        return upload

    async def _upload(self, message: QueuedMessage, file: MessageFile) -> Upload:
        kind, plain = KINDS[message.request.content.type], is_newsletter(message.request.to)
        try:
            async with (
                self._files.local(self._outbox.mailbox.instance_id, file.id) as path,
                asyncio.timeout(self._settings.upload_timeout),
            ):
                result = await self._connection().upload(path.absolute(), kind, plain=plain)
        except MediaError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            raise Unsendable(
                "media_not_found", f"The file {file.id} is no longer stored. Send it again.", "media"
            ) from error
        except TimeoutError as error:
            raise ConnectionError("upload_failed", "WhatsApp did not take the file in time") from error
        except ConnectionError as error:
            if error.code in NOT_AN_ATTEMPT or error.code == UNREACHABLE:
                raise
            raise ConnectionError(
                "upload_failed", f"WhatsApp did not take the file: {error.message}", error.server_code
            ) from error
        log.debug("uploaded", extra={"message_id": message.id, "bytes": file.size})
        return Upload.of(result, time.time())
