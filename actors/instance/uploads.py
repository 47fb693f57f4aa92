"""Uploads the files of messages before they are sent, and remembers what was uploaded."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from actors.instance.connection.base import Connection, ConnectionError
from actors.instance.outbox import Outbox, QueuedMessage
from actors.instance.refusals import NOT_AN_ATTEMPT
from actors.media.errors import Code, MediaError
from actors.media.store import MediaStore
from actors.messages.compose_media import Uploaded
from actors.messages.files import MessageFile, Upload
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
    """What was uploaded for a message is used again when it is sent again, until it is too old for that.

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

    async def of(self, message: QueuedMessage) -> Uploaded | None:
        """The message's file, uploaded; None if it has none.

        Raises:
            Unsendable: the file is no longer stored.
            MediaError: STORE, it cannot be read now.
            ConnectionError: it could not be uploaded; ``upload_failed`` if that is the file's fault.
            StaleEpoch, StoreUnavailable
        """
        file = message.file
        if file is None:
            return None
        upload = message.upload
        if upload is None or upload.at < time.time() - self._settings.upload_kept:
            upload = await self._upload(message, file)
            await self._outbox.uploaded(self._epoch, message, upload)
        return upload.described(file)

    async def _upload(self, message: QueuedMessage, file: MessageFile) -> Upload:
        kind = KINDS[message.request.content.type]
        try:
            async with (
                self._files.local(self._outbox.mailbox.instance_id, file.id) as path,
                asyncio.timeout(self._settings.upload_timeout),
            ):
                result = await self._connection().upload(path.absolute(), kind)
        except MediaError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            raise Unsendable(
                "media_not_found", f"The file {file.id} is no longer stored. Send it again.", "media"
            ) from error
        except TimeoutError as error:
            raise ConnectionError("upload_failed", "WhatsApp did not take the file in time") from error
        except ConnectionError as error:
            if error.code in NOT_AN_ATTEMPT:
                raise
            raise ConnectionError(
                "upload_failed", f"WhatsApp did not take the file: {error.message}", error.server_code
            ) from error
        log.debug("uploaded", extra={"message_id": message.id, "bytes": file.size})
        return Upload.of(result, time.time())
