"""The files of messages that wait to be fetched, in Redis: put there with the event that tells of them."""

from __future__ import annotations

from typing import Any

from actors.events import Chat, EventDraft
from actors.instance.connection.chats import kind_of
from actors.instance.connection.parts import party_of_jid
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
        request: of a file that was asked for: tells it from what was told of the file before.
    """

    media_id: str
    message_id: str
    chat_id: str | None
    told: dict[str, Any]
    source: MediaReference
    request: str = ""

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
    job = _job_of(draft, instance_id)
    if job is None:
        return draft
    said: dict[str, Any] = {"id": job.media_id, "state": "pending"}
    source = job.source
    if not on:
        said = {"state": "off"}
    elif source.size is not None and source.size > cap:
        said = {"state": "failed", "reason": "too_large"}
    elif not room:
        said = {"state": "failed", "reason": "busy"}
    told = _saying(draft, said)
    if said["state"] != "pending":
        return told
    return told.model_copy(update={"waiting": waiting("downloads", job)})


def with_file_on_demand(draft: EventDraft, instance_id: str) -> tuple[EventDraft, Job | None]:
    """The event of a message, saying that its file can be asked for; and that file, None if it has none."""
    job = _job_of(draft, instance_id)
    if job is None:
        return draft, None
    return _saying(draft, {"id": job.media_id, "state": "on_demand"}), job


def of_known(message: KnownMessage, instance_id: str) -> Job | None:
    """The file of a message that is remembered, None if it has none."""
    if message.media is None:
        return None
    chat, sender = party_of_jid(message.chat), party_of_jid(message.sender)
    direct = kind_of(message.chat) == "direct"
    who = "me" if message.from_me else "them" if direct else sender.lid or sender.phone or ""
    phone, lid = (chat.phone, chat.lid) if direct else (None, None)
    shown = Chat(id=message.chat_id, kind=kind_of(message.chat), phone=phone, lid=lid)
    return Job(
        media_id=media_id_of(instance_id, f"message:{message.chat_id}:{who}:{message.id}"),
        message_id=message.id,
        chat_id=message.chat_id,
        told={"chat": shown.model_dump(), "sender": sender.model_dump(), "from_me": message.from_me},
        source=message.media,
    )


def _job_of(draft: EventDraft, instance_id: str) -> Job | None:
    memory = draft.memory
    if memory is None or memory.step != "learn":
        return None
    source = KnownMessage.model_validate_json(memory.record).media
    media = (draft.data.get("content") or {}).get("media")
    if source is None or not isinstance(media, dict):
        return None
    return Job(
        # Not by the message's id alone: others choose those, and one could be given another's file.
        media_id=media_id_of(instance_id, draft.dedupe_key),
        message_id=draft.data["id"],
        chat_id=draft.chat_id,
        told={name: draft.data[name] for name in ("chat", "sender", "from_me")},
        source=source,
    )


def _saying(draft: EventDraft, said: dict[str, Any]) -> EventDraft:
    content = draft.data["content"]
    content = {**content, "media": {**content["media"], **said}}
    return draft.model_copy(update={"data": {**draft.data, "content": content}})
