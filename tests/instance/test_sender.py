"""How a queued message is sent: after a while, with typing shown, and refused when it makes no sense."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors.events import Event, EventType
from actors.instance import sender
from actors.instance.composer import Composer
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection import whatsapp_pb2 as wa
from actors.instance.connection.base import ConnectionError
from actors.instance.connection.mapping import ChatIds
from actors.instance.known import KnownMessages
from actors.instance.mailbox import Mailbox
from actors.instance.outbox import Outbox, QueuedMessage, SendRequest
from actors.instance.sender import Sender
from actors.instance.uploads import Uploads
from actors.media.folder import FolderStore
from actors.messages.files import MessageFile, Upload
from actors.registry import Registry
from actors.settings import MailboxSettings, MediaSettings, OutboxSettings
from actors.store import StaleEpoch, Store
from tests.store.samples import INSTANCE, draft, grant
from tests.wait import until

TO, GROUP = "5511999999999@s.whatsapp.net", "120363000000000000@g.us"


class Engine:
    """What the sender asks of an engine, with WhatsApp's answers as told."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.error: ConnectionError | None = None
        self.upload_error: ConnectionError | None = None
        self.held: asyncio.Event | None = None

    async def send(
        self, to: str, message_id: str, message: bytes, *, media_handle: str = ""
    ) -> pb.SendResult:
        if self.error is not None:
            raise self.error
        self.done.append(("send", to, message_id, wa.Message.FromString(message)))
        number, _, server = to.partition("@")
        identity = pb.Identity(jid=to, phone=number if server == "s.whatsapp.net" else "")
        return pb.SendResult(timestamp_ms=1_700_000_000_000, sender="999999:4@lid", chat=identity)

    async def upload(self, path: Path, kind: str, *, plain: bool = False) -> pb.UploadResult:
        self.done.append(("upload", kind, await asyncio.to_thread(path.read_bytes)))
        if self.held is not None:
            await self.held.wait()
        if self.upload_error is not None:
            raise self.upload_error
        number = len(self.of("upload"))
        return pb.UploadResult(direct_path=f"/v/{number}", media_key=b"k" * 32, file_length=3)

    def of(self, step: str) -> list[tuple[Any, ...]]:
        return [one for one in self.done if one[0] == step]

    async def chat_presence(self, chat: str, state: str) -> None:
        self.done.append((state, chat))

    @property
    def sent(self) -> list[wa.Message]:
        return [step[3] for step in self.done if step[0] == "send"]


class Bench:
    """A sender at work on an outbox."""

    def __init__(self, store: Store, epoch: int, folder: Path) -> None:
        settings = OutboxSettings()
        self.engine = Engine()
        self.mailbox = Mailbox(store, INSTANCE, MailboxSettings())
        self.files = FolderStore(folder)
        self.outbox = Outbox(store, self.mailbox, settings)
        self.known = KnownMessages(self.mailbox)
        self.chats = ChatIds()
        self.online = asyncio.Event()
        self.online.set()
        self.sender = Sender(
            epoch=epoch,
            outbox=self.outbox,
            settings=settings,
            online=self.online,
            connection=lambda: self.engine,  # type: ignore[arg-type, return-value]
            composer=Composer(self.known, self.chats, settings),
            uploads=Uploads(
                epoch=epoch,
                outbox=self.outbox,
                files=self.files,
                settings=MediaSettings(),
                connection=lambda: self.engine,  # type: ignore[arg-type, return-value]
            ),
            chats=self.chats,
            account=lambda: self.account,
        )
        self.account = "+5511900000001"
        self.task = asyncio.create_task(self.sender.run())

    async def queue(self, **members: Any) -> str:
        request = SendRequest.model_validate({"to": TO, **members})
        message_id, _ = await self.outbox.enqueue(request)
        self.sender.ring()
        return message_id

    async def queue_file(self, to: str = TO) -> str:
        path = self.files.scratch / "file"
        path.write_bytes(b"abc")
        media = await self.files.put(INSTANCE, path, mime_type="text/plain")
        request = SendRequest.model_validate({"to": to, "type": "document", "media": {"id": media.id}})
        file = MessageFile(id=media.id, mime_type="text/plain", size=3)
        message_id, _ = await self.outbox.enqueue(request, file=file)
        self.sender.ring()
        return message_id

    async def delivered(self, message_id: str) -> None:
        """A receipt says so."""
        receipt = draft(type=EventType.MESSAGE_STATUS, chat_id=None, status_of={message_id: "delivered"})
        await self.mailbox.append(self.sender._epoch, receipt)

    async def result(self, message_id: str) -> QueuedMessage:
        async def look() -> QueuedMessage | None:
            message = await self.outbox.get(message_id)
            return message if message is not None and message.result is not None else None

        return await until(look, what="a result")

    async def send(self, **members: Any) -> QueuedMessage:
        return await self.result(await self.queue(**members))

    async def event(self) -> Event:
        return (await self.mailbox.read())[-1]


@pytest.fixture
async def bench(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(sender, "PAUSE", 0.01)
    made = Bench(store, await grant(Registry(store)), tmp_path)
    yield made
    made.task.cancel()
    await asyncio.gather(made.task, return_exceptions=True)


async def test_a_sent_message_is_told_and_remembered(bench: Bench) -> None:
    message = await bench.send(text="olá")
    assert bench.engine.sent == [wa.Message(conversation="olá")]
    event = await bench.event()
    assert (event.type, event.data["kind"], event.data["text"]) == ("message.sent", "conversation", "olá")
    assert event.data["content"]["type"] == "text"
    known = await bench.known.get(message.id)
    assert known is not None
    assert (known.from_me, known.sender, known.chat) == (True, "999999@lid", TO)
    assert known.message == wa.Message(conversation="olá")


async def test_what_is_sent_can_be_edited_and_deleted(bench: Bench) -> None:
    bench.sender._composer._windows = type(bench.sender._composer._windows)(edit=10**10, delete=10**10)
    original = await bench.send(text="helo")
    await bench.send(type="edit", message_id=original.id, text="hello")
    known = await bench.known.get(original.id)
    assert known is not None
    assert known.message == wa.Message(conversation="hello")
    assert (await bench.event()).data["content"] == {
        "type": "edit",
        "message_id": original.id,
        "text": "hello",
        "mentions": [],
    }
    # What is forwarded is what it says now.
    await bench.send(type="forward", message_id=original.id)
    assert bench.engine.sent[-1].extended_text_message.text == "hello"
    await bench.send(type="delete", message_id=original.id)
    assert bench.engine.sent[-1].protocol_message.key.id == original.id
    assert await bench.known.get(original.id) is None
    late = await bench.send(type="reaction", message_id=original.id, emoji="👍")
    assert (late.status, (late.result or {})["error"]["code"]) == ("failed", "message_unknown")


async def test_a_message_too_old_to_edit_fails(bench: Bench) -> None:
    # WhatsApp's time of it, as the engine tells, is years ago.
    original = await bench.send(text="helo")
    message = await bench.send(type="edit", message_id=original.id, text="hello")
    event = await bench.event()
    assert message.status == "failed"
    assert (event.type, event.data["type"], event.data["error"]["code"]) == (
        "message.failed",
        "edit",
        "too_old",
    )
    assert "15 minutes" in event.data["error"]["message"]
    assert len(bench.engine.sent) == 1


async def test_an_edit_that_may_have_been_sent_is_sent_again(bench: Bench, store: Store) -> None:
    """A crash between the send and its result: the window may be over by now, the edit is not."""
    original = await bench.send(text="helo")
    await bench.sender.quiesce()
    message_id = await bench.queue(type="edit", message_id=original.id, text="hello")
    began = {"attempts": "1", "status": "sending", "created_at": "2023-11-14T22:20:00+00:00"}
    await store.redis.hset(bench.outbox.key("message", message_id), mapping=began)
    bench.sender.resume()
    assert (await bench.result(message_id)).status == "sent"


async def test_an_answer_quotes_what_is_known(bench: Bench) -> None:
    original = await bench.send(text="when?")
    await bench.send(text="now", quote=original.id)
    context = bench.engine.sent[-1].extended_text_message.context_info
    assert (context.stanza_id, context.participant) == (original.id, "999999@lid")
    assert context.quoted_message == wa.Message(conversation="when?")


async def test_a_poll_is_the_same_one_when_it_is_sent_again(bench: Bench) -> None:
    bench.engine.error = ConnectionError("not_connected", "the line is gone")
    poll = {"type": "poll", "question": "?", "options": ["a", "b"]}
    message_id = await bench.queue(**poll)
    await until(lambda: bench.outbox.head())
    composed = []
    for _ in range(2):
        queued = await bench.outbox.get(message_id)
        assert queued is not None
        composed.append((await bench.sender._composer.compose(queued)).message)
    assert composed[0] == composed[1]
    assert len(composed[0].message_context_info.message_secret) == 32


# ---- refusals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "to", "code", "says"),
    [
        (ConnectionError("not_on_whatsapp", "no LID found"), TO, "not_on_whatsapp", "number"),
        (ConnectionError("rejected", "item-not-found", 404), GROUP, "group_unknown", "no such group"),
    ],
)
async def test_what_another_attempt_would_meet_again(
    bench: Bench, error: ConnectionError, to: str, code: str, says: str
) -> None:
    bench.engine.error = error
    message = await bench.send(to=to, text="x")
    reason = (message.result or {})["error"]
    assert (message.status, message.attempts, reason["code"]) == ("failed", 1, code)
    assert says in reason["message"]


async def test_a_kind_that_is_no_status(bench: Bench) -> None:
    message = await bench.send(to="status@broadcast", type="location", latitude=0, longitude=0)
    assert (message.result or {})["error"]["code"] == "not_for_status"
    assert bench.engine.done == []


# ---- files ----------------------------------------------------------------------------------------------


async def test_a_file_is_uploaded_once_however_often_its_message_is_sent(bench: Bench) -> None:
    bench.engine.error = ConnectionError("not_connected", "the line is gone")
    message_id = await bench.queue_file()

    async def tried() -> bool:
        message = await bench.outbox.get(message_id)
        return message is not None and message.attempts > 2

    await until(tried)
    bench.engine.error = None
    assert (await bench.result(message_id)).status == "sent"
    assert bench.engine.of("upload") == [("upload", "document", b"abc")]
    [sent] = bench.engine.sent
    assert sent.document_message.direct_path == "/v/1"
    known = await bench.known.get(message_id)
    assert known is not None
    assert known.media is not None
    assert (await bench.outbox.files()) == set()


async def test_a_successor_uses_what_was_uploaded_unless_it_is_old(bench: Bench) -> None:
    bench.engine.error = ConnectionError("not_connected", "the line is gone")
    message_id = await bench.queue_file()

    async def upload() -> Upload | None:
        message = await bench.outbox.get(message_id)
        return message.upload if message else None

    first = await until(upload)
    await bench.sender.quiesce()
    message = await bench.outbox.get(message_id)
    assert message is not None
    assert message.file is not None
    assert (await bench.outbox.files()) == {message.file.id}
    # As a successor finds it, long after.
    old = first.model_copy(update={"at": 0.0})
    await bench.outbox.uploaded(bench.sender._epoch, message, old)
    bench.engine.error = None
    bench.sender.resume()
    assert (await bench.result(message_id)).status == "sent"
    assert bench.engine.sent[0].document_message.direct_path == "/v/2"


async def test_what_a_predecessor_uploaded_is_not_remembered(bench: Bench, store: Store) -> None:
    await bench.sender.quiesce()
    message_id = await bench.queue_file()
    message = await bench.outbox.get(message_id)
    assert message is not None
    await grant(Registry(store), after=bench.sender._epoch)
    upload = Upload.of(pb.UploadResult(direct_path="/v/9"), 0.0)
    with pytest.raises(StaleEpoch):
        await bench.outbox.uploaded(bench.sender._epoch, message, upload)
    again = await bench.outbox.get(message_id)
    assert again is not None
    assert again.upload is None


async def test_an_upload_waits_for_a_connection_however_often(bench: Bench) -> None:
    bench.engine.upload_error = ConnectionError("engine_gone", "the engine ended")
    message_id = await bench.queue_file()
    await until(lambda: len(bench.engine.of("upload")) > OutboxSettings().attempts + 1)
    bench.engine.upload_error = None
    assert (await bench.result(message_id)).status == "sent"


async def test_an_upload_that_is_refused_fails_its_message(bench: Bench) -> None:
    bench.engine.upload_error = ConnectionError("rejected", "refused with status 403", 403)
    message = await bench.result(await bench.queue_file())
    reason = (message.result or {})["error"]
    assert (message.status, reason["code"], reason["server_code"]) == ("failed", "upload_failed", 403)
    assert len(bench.engine.of("upload")) == OutboxSettings().attempts
    assert bench.engine.sent == []


async def test_a_quiesce_ends_an_upload_in_flight(bench: Bench) -> None:
    bench.engine.held = asyncio.Event()
    message_id = await bench.queue_file()
    await until(lambda: bench.engine.of("upload"))
    async with asyncio.timeout(5):
        await bench.sender.quiesce()
    message = await bench.outbox.get(message_id)
    assert message is not None
    assert (message.status, message.attempts, message.upload) == ("queued", 0, None)
    bench.engine.held = None
    bench.sender.resume()
    assert (await bench.result(message_id)).status == "sent"
    assert len(bench.engine.sent) == 1


async def test_a_slow_upload_holds_up_its_own_chat_only(bench: Bench) -> None:
    bench.engine.held = asyncio.Event()
    file = await bench.queue_file()
    behind = await bench.queue(text="behind the file")
    elsewhere = [await bench.send(to=GROUP, text=f"elsewhere {n}") for n in range(2)]
    assert [message.status for message in elsewhere] == ["sent", "sent"]
    waiting = await bench.outbox.get(behind)
    assert waiting is not None
    assert (waiting.status, waiting.attempts) == ("queued", 0)
    bench.engine.held.set()
    await bench.result(behind)
    sent = [step[2] for step in bench.engine.of("send")]
    assert sent == [elsewhere[0].id, elsewhere[1].id, file, behind]


async def test_a_chat_keeps_its_order_by_whichever_address_it_goes(bench: Bench) -> None:
    bench.chats.load({TO: "123@lid", "123@lid": "123@lid"})
    bench.engine.held = asyncio.Event()
    file = await bench.queue_file()
    behind = await bench.queue(to="123@lid", text="behind the file")
    await bench.send(to=GROUP, text="elsewhere")
    bench.engine.held.set()
    await bench.result(behind)
    assert [step[2] for step in bench.engine.of("send")][1:] == [file, behind]


async def test_a_file_that_nobody_takes_fails_its_message_and_holds_up_no_other_chat(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "UNREACHABLE_MAX", 6)
    monkeypatch.setattr(sender, "LONGEST", 0.05)
    monkeypatch.setattr(sender, "SWEEP", 600.0)
    bench.engine.upload_error = ConnectionError("media_unreachable", "no such host")
    file = await bench.queue_file()
    await until(lambda: len(bench.engine.of("upload")) > 2)
    assert (await bench.send(to=GROUP, text="elsewhere")).status == "sent"
    message = await bench.result(file)
    assert (message.status, (message.result or {})["error"]["code"]) == ("failed", "upload_failed")
    assert len(bench.engine.of("upload")) == 6


async def test_files_are_uploaded_ahead_of_their_turn_a_few_at_a_time(bench: Bench) -> None:
    bench.engine.held = asyncio.Event()
    files = [await bench.queue_file() for _ in range(4)]
    at_a_time = MediaSettings().upload_concurrency
    await until(lambda: len(bench.engine.of("upload")) == at_a_time)
    await bench.send(to=GROUP, text="the outbox is looked through again")
    assert len(bench.engine.of("upload")) == at_a_time
    bench.engine.held.set()
    for file in files:
        assert (await bench.result(file)).status == "sent"
    assert [step[2] for step in bench.engine.of("send") if step[1] == TO] == files
    assert len(bench.engine.of("upload")) == len(files)


async def test_refused_uploads_are_counted_for_each_message(bench: Bench) -> None:
    bench.engine.upload_error = ConnectionError("rejected", "refused with status 403", 403)
    messages = [await bench.queue_file(to) for to in (TO, GROUP)]
    for message_id in messages:
        assert (await bench.result(message_id)).status == "failed"
    assert len(bench.engine.of("upload")) == 2 * OutboxSettings().attempts


# ---- whatever else happens -----------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [1, OutboxSettings().attempts])
async def test_a_message_that_arrived_is_sent_although_the_answer_was_lost(bench: Bench, lost: int) -> None:
    await bench.sender.quiesce()
    message_id = await bench.queue(text="hello")
    tries = 0

    async def send(to: str, message_id: str, message: bytes, *, media_handle: str = "") -> pb.SendResult:
        nonlocal tries
        tries += 1
        if tries == lost:
            await bench.delivered(message_id)
        raise ConnectionError("timeout", "no answer")

    bench.engine.send = send  # type: ignore[method-assign]
    bench.sender.resume()
    message = await bench.result(message_id)
    assert (message.status, tries) == ("delivered", lost)
    told = await bench.event()
    assert (told.type, told.data["text"], told.chat_id) == (EventType.MESSAGE_SENT, "hello", TO)
    assert (await bench.send(type="edit", message_id=message_id, text="edited")).status == "failed", (
        "no answer"
    )
    known = await bench.known.get(message_id)
    assert known is not None
    assert (known.from_me, known.sender) == (True, "5511900000001@s.whatsapp.net")


@pytest.mark.parametrize("since", ["paired with another account", "its file was removed"])
async def test_a_message_that_arrived_is_sent_whatever_happened_since(bench: Bench, since: str) -> None:
    await bench.sender.quiesce()
    if since == "its file was removed":
        message_id = await bench.queue_file()
        queued = await bench.outbox.get(message_id)
        assert queued is not None
        assert queued.file is not None
        await bench.files.delete(INSTANCE, queued.file.id)
    else:
        request = SendRequest.model_validate({"to": TO, "text": "hello"})
        message_id, _ = await bench.outbox.enqueue(request, account=bench.account)
        queued = await bench.outbox.get(message_id)
        bench.account = "+5511900000077"
    assert queued is not None
    # A predecessor sent it, and ended before it had the answer.
    await bench.outbox.begin(bench.sender._epoch, queued)
    await bench.delivered(message_id)
    bench.sender.resume()
    assert (await bench.result(message_id)).status == "delivered"
    assert (await bench.event()).type == EventType.MESSAGE_SENT
    assert bench.engine.sent == []


@pytest.mark.parametrize("moment", ["while it waits", "while it is composed"])
async def test_what_waits_when_another_account_is_paired_is_not_sent_by_that(
    bench: Bench, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compose = bench.sender._composer.compose

    async def paired_since(message: QueuedMessage, media: Any = None) -> Any:
        if moment == "while it is composed":
            bench.account = "+5511900000077"
        return await compose(message, media)

    monkeypatch.setattr(bench.sender._composer, "compose", paired_since)
    request = SendRequest.model_validate({"to": TO, "text": "of the first", "typing": 0.3})
    message_id, _ = await bench.outbox.enqueue(request, account=bench.account)
    bench.sender.ring()
    await until(lambda: bench.engine.of("composing"), what="it waits")
    if moment == "while it waits":
        bench.account = "+5511900000077"
    message = await bench.result(message_id)
    assert (message.status, (message.result or {})["error"]["code"]) == ("failed", "other_account")
    assert bench.engine.sent == []


async def test_an_account_that_does_too_much_loses_no_message(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries, limited, send = 0, 3 * OutboxSettings().attempts, bench.engine.send

    async def told_off(*args: Any, **members: Any) -> pb.SendResult:
        nonlocal tries
        tries += 1
        if tries <= limited:
            raise ConnectionError("rate_limited", "server returned error 429", 429)
        return await send(*args, **members)

    monkeypatch.setattr(sender, "PAUSE", 0.001)
    monkeypatch.setattr(sender, "LIMITED_LONGEST", 0.01)
    bench.engine.send = told_off  # type: ignore[method-assign]
    queued = [await bench.queue(text=text) for text in ("first", "second")]
    assert [(await bench.result(message_id)).status for message_id in queued] == ["sent", "sent"]
    assert tries == limited + 2, "the second was not tried before the first was sent"


async def test_what_is_too_much_for_one_chat_holds_up_no_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = bench.engine.send

    async def told_off(to: str, *args: Any, **members: Any) -> pb.SendResult:
        if to == GROUP:
            raise ConnectionError("rate_limited", "server returned error 429", 429)
        return await send(to, *args, **members)

    bench.engine.send = told_off  # type: ignore[method-assign]
    limited = await bench.queue(to=GROUP, text="too much")
    assert (await bench.send(text="to another chat")).status == "sent"
    message = await bench.outbox.get(limited)
    assert message is not None
    assert (message.status, message.result) == ("sending", None)


async def test_a_message_that_is_refused_does_not_slow_down_the_next(bench: Bench) -> None:
    async def refused(*args: Any, **members: Any) -> pb.SendResult:
        raise ConnectionError("rejected", "server returned error 463", 463)

    bench.engine.send = refused  # type: ignore[method-assign]
    assert (await bench.send(text="hello")).status == "failed"
    assert bench.sender._failures == 0


async def test_an_account_that_always_does_too_much_gets_an_answer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def told_off(*args: Any, **members: Any) -> pb.SendResult:
        raise ConnectionError("rate_limited", "server returned error 429", 429)

    monkeypatch.setattr(sender, "LIMITED_MAX", 3)
    bench.engine.send = told_off  # type: ignore[method-assign]
    message = await bench.send(text="hello")
    assert (message.status, (message.result or {})["error"]["code"]) == ("failed", "rate_limited")
    assert message.attempts == (await bench.event()).data["attempts"] == 3
    assert bench.sender._failures >= 2, "the next message does not begin anew"


async def test_a_message_that_cannot_be_composed_does_not_end_the_instance(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    compose = bench.sender._composer.compose

    async def broken(message: QueuedMessage, media: Any = None) -> Any:
        if message.request.to == GROUP:
            raise AssertionError("a fault of ours")
        return await compose(message, media)

    monkeypatch.setattr(bench.sender._composer, "compose", broken)
    message = await bench.send(to=GROUP, text="poison")
    assert (message.status, (message.result or {})["error"]["code"]) == ("failed", "internal")
    assert (await bench.send(text="next")).status == "sent"


async def test_what_another_version_queued_does_not_end_the_instance(bench: Bench, store: Store) -> None:
    await bench.sender.quiesce()
    message_id = await bench.queue(text="of a kind to come")
    record = {"to": TO, "type": "hologram", "shape": "cube"}
    await store.redis.hset(bench.mailbox.key("message", message_id), "request", json.dumps(record))
    bench.sender.resume()
    assert (await bench.send(text="next")).status == "sent"
    failed, sent = await bench.mailbox.read()
    assert (failed.type, sent.type) == (EventType.MESSAGE_FAILED, EventType.MESSAGE_SENT)
    assert (failed.data["id"], failed.data["type"], failed.data["to"]) == (message_id, "hologram", TO)
    assert (failed.data["error"]["code"], failed.chat_id) == ("unsupported", TO)
    assert await bench.outbox.depth() == 0


async def test_an_upload_that_grew_old_while_its_message_waited_is_made_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = bench.sender._uploads.take
    aged: list[str] = []

    def late(message: QueuedMessage) -> Any:
        if not aged:
            aged.append(message.id)
            bench.sender._uploads._tasks.clear()
        return take(message)

    monkeypatch.setattr(bench.sender._uploads, "take", late)
    message = await bench.result(await bench.queue_file())
    assert message.status == "sent"
    assert not bench.task.done()


# ---- before it is sent ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "state"), [("text", "composing"), ("location", "composing")])
async def test_typing_is_shown_before(bench: Bench, kind: str, state: str) -> None:
    members = {"text": "x"} if kind == "text" else {"type": kind, "latitude": 0, "longitude": 0}
    message = await bench.send(**members, typing=0.05)
    assert [step[0] for step in bench.engine.done] == [state, "send"]
    assert bench.engine.done[0][1] == TO
    assert message.status == "sent"


async def test_a_message_that_waits_is_not_sent_yet(bench: Bench) -> None:
    slow = await bench.queue(text="slow", delay=60)
    await bench.queue(text="behind it")
    await until(lambda: not bench.sender._idle.is_set())
    assert bench.engine.done == []
    message = await bench.outbox.get(slow)
    assert message is not None
    assert (message.status, message.attempts) == ("queued", 0)


@pytest.mark.parametrize("waits", [{"delay": 60}, {"typing": 60}])
async def test_a_drain_cuts_the_wait_short(bench: Bench, waits: dict[str, float]) -> None:
    message_id = await bench.queue(text="slow", **waits)
    await until(lambda: not bench.sender._idle.is_set())
    if "typing" in waits:
        await until(lambda: bench.engine.done)
    # Well before the message's time, and before that of a drain.
    async with asyncio.timeout(5):
        await bench.sender.quiesce()
    assert bench.engine.sent == []
    if "typing" in waits:
        assert bench.engine.done[-1][0] == "paused"
    message = await bench.outbox.head()
    assert message is not None
    assert (message.id, message.status, message.attempts) == (message_id, "queued", 0), "left to a successor"


async def test_after_a_failed_attempt_nobody_waits_again(bench: Bench) -> None:
    bench.engine.error = ConnectionError("not_connected", "the line is gone")
    message_id = await bench.queue(text="x", typing=0.05)

    async def tried() -> bool:
        message = await bench.outbox.get(message_id)
        return message is not None and message.attempts > 1

    await until(tried)
    bench.engine.error = None
    assert (await bench.result(message_id)).status == "sent"
    assert [step[0] for step in bench.engine.done] == ["composing", "send"]
