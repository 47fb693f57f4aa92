"""The files of messages that wait to be fetched, in Redis: put there with the event that tells of them."""

from __future__ import annotations

from typing import Any

from actors.events import EventDraft
from actors.instance.jobs import WaitingJob, waiting
from actors.media.media import media_id_of
from actors.messages.known import KnownMessage
from actors.messages.received import MediaReference


class Job(WaitingJob):
    """A file to fetch.

    Args:
        message_id: of the message that brought it.
        told: what events tell of that message: chat, sender, from_me.
        source: where WhatsApp has it, and its key: a secret.
    """

    media_id: str
    message_id: str
    chat_id: str | None
    told: dict[str, Any]
    source: MediaReference

    @property
    def key(self) -> str:
        """The file's id."""
        return self.media_id


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
    return told.model_copy(update={"waiting": waiting("downloads", job)})
