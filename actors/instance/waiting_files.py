"""The files of messages that wait to be fetched, in Redis: put there with the event that tells of them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from actors.events import Download, EventDraft
from actors.instance.mailbox import APPEND, LUA, Mailbox
from actors.media.media import media_id_of
from actors.messages.known import KnownMessage
from actors.messages.received import MediaReference
from actors.store import StaleEpoch


class Job(BaseModel):
    """A file to fetch.

    Args:
        message_id: of the message that brought it.
        told: what events tell of that message: chat, sender, from_me.
        source: where WhatsApp has it, and its key: a secret.
    """

    model_config = ConfigDict(frozen=True)

    media_id: str
    message_id: str
    chat_id: str | None
    told: dict[str, Any]
    source: MediaReference
    attempts: int = 0
    due: float = Field(0.0, description="Not before this, seconds since 1970")


def with_download(draft: EventDraft, instance_id: str, *, on: bool, cap: int, room: bool) -> EventDraft:
    """The event of a message, saying what becomes of its file; the file waits from the append on.

    Args:
        on: files are fetched at all.
        cap: the most bytes that are.
        room: fewer files wait than may.
    """
    memory = draft.memory
    if memory is None or memory.step != "learn":
        return draft
    source = KnownMessage.model_validate_json(memory.record).media
    media = (draft.data.get("content") or {}).get("media")
    if source is None or not isinstance(media, dict):
        return draft
    # Not by the message's id alone: others choose those, and one could be given another's file.
    media_id = media_id_of(instance_id, draft.dedupe_key)
    said: dict[str, Any] = {"id": media_id, "state": "pending"}
    if not on:
        said = {"state": "off"}
    elif source.size is not None and source.size > cap:
        said = {"state": "failed", "reason": "too_large"}
    elif not room:
        said = {"state": "failed", "reason": "busy"}
    content = {**draft.data["content"], "media": {**media, **said}}
    told = draft.model_copy(update={"data": {**draft.data, "content": content}})
    if said["state"] != "pending":
        return told
    job = Job(
        media_id=media_id,
        message_id=draft.data["id"],
        chat_id=draft.chat_id,
        told={name: draft.data[name] for name in ("chat", "sender", "from_me")},
        source=source,
    )
    return told.model_copy(update={"download": Download(media_id=media_id, job=job.model_dump_json())})


class WaitingFiles:
    """Reads, delays and finishes jobs. Every write needs the epoch."""

    def __init__(self, mailbox: Mailbox, epoch: int) -> None:
        self._mailbox = mailbox
        self._store = mailbox.store
        self._key = mailbox.key("downloads")
        self._epoch = epoch

    async def all(self) -> list[Job]:
        """Every file that waits.

        Raises:
            StoreUnavailable
        """
        redis = self._store.redis
        found = await self._store.run(lambda: redis.hgetall(self._key), timeout=10)
        return [job for record in found.values() if (job := _read(record)) is not None]

    async def delay(self, job: Job) -> None:
        """Remember an attempt, and when the next one is due.

        Raises:
            StaleEpoch, StoreUnavailable
        """
        current = await self._store.script(
            LUA / "download_delay.lua",
            keys=[self._mailbox.key("owner"), self._key],
            args=[self._epoch, job.media_id, job.model_dump_json()],
        )
        if int(current) != self._epoch:
            raise StaleEpoch(self._epoch, int(current) or None)

    async def finish(self, job: Job, draft: EventDraft) -> None:
        """Append the event of what became of a file, which waits no longer, in one step.

        Raises:
            StaleEpoch, StoreUnavailable
        """
        head = self._mailbox.append_args(self._epoch, draft, force=True)
        outcome, value = await self._store.script(
            APPEND,
            LUA / "download_finish.lua",
            keys=[*self._mailbox.append_keys(), self._key],
            args=[*head, job.media_id],
            timeout=self._mailbox.settings.append_timeout,
        )
        self._mailbox.appended(self._epoch, outcome, value, draft, head)


def _read(record: str) -> Job | None:
    try:
        return Job.model_validate_json(record)
    except ValidationError:
        return None
