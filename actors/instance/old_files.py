"""Files of messages of before, which are fetched when they are asked for."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence

from pydantic import ValidationError

from actors.instance.contacts.cache import KEEP
from actors.instance.downloads import Downloads
from actors.instance.errors import CallFailed, store_failures
from actors.instance.jobs import Jobs
from actors.instance.known import KnownMessages
from actors.instance.mailbox import Mailbox
from actors.instance.waiting_files import Job, of_known
from actors.settings import HistorySettings
from actors.store import StaleEpoch


class OldFiles:
    """Where WhatsApp has the files of messages of before, within a bound of number and age.

    Writing needs the epoch. All raise StoreUnavailable.
    """

    def __init__(self, mailbox: Mailbox, epoch: int, settings: HistorySettings) -> None:
        self._mailbox = mailbox
        self._epoch = epoch
        self._settings = settings

    async def keep(self, files: Sequence[Job]) -> None:
        """Remember files, each by its message.

        Raises:
            StaleEpoch
        """
        if not files:
            return
        outcome, value = await self._mailbox.store.script(
            KEEP,
            keys=[self._mailbox.key(name) for name in ("owner", "old_files", "old_file_ages")],
            args=[
                self._epoch,
                self._settings.files,
                self._settings.files_ttl,
                json.dumps({job.message_id: job.model_dump_json() for job in files}),
            ],
        )
        if outcome == "stale":
            raise StaleEpoch(self._epoch, int(value) or None)

    async def get(self, message_id: str) -> Job | None:
        """The file of a message, None if none is remembered."""
        store = self._mailbox.store
        record = await store.run(
            lambda: store.redis.hget(self._mailbox.key("old_files"), message_id), timeout=5
        )
        try:
            return Job.model_validate_json(record) if record is not None else None
        except ValidationError:
            return None


class FileQueries:
    """Has files fetched. All raise CallFailed."""

    def __init__(
        self,
        instance_id: str,
        *,
        old: OldFiles,
        known: KnownMessages,
        waiting: Jobs[Job],
        downloads: Downloads,
    ) -> None:
        self._instance_id = instance_id
        self._old = old
        self._known = known
        self._waiting = waiting
        self._downloads = downloads

    async def fetch(self, message_id: str) -> dict[str, str]:
        """Have the file of a message fetched: its ``media_id``. An event tells what became of it."""
        with store_failures():
            return {"media_id": await self._fetch(message_id)}

    async def _fetch(self, message_id: str) -> str:
        job = await self._old.get(message_id)
        if job is None:
            message = await self._known.get(message_id)
            if message is None:
                text = "This instance has no such message, or remembers it no longer"
                raise CallFailed("message_unknown", text)
            job = of_known(message, self._instance_id)
            if job is None:
                raise CallFailed("message_unknown", "This message has no file")
        if job.media_id in self._downloads.ids():
            return job.media_id
        if not self._downloads.room:
            raise CallFailed("busy", "As many files wait to be fetched as may")
        job = job.model_copy(update={"request": f":{secrets.token_hex(6)}"})
        await self._waiting.add(job)
        self._downloads.take(job.model_dump_json())
        return job.media_id
