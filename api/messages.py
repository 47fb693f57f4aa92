"""Messages to send: queued durably, sent in order, each with a status to look up."""

from __future__ import annotations

import asyncio
import math
from datetime import datetime

from pydantic import BaseModel, Field

from actors.instance.outbox import IdempotencyMismatch, Outbox, OutboxFull, QueuedMessage, SendRequest, Status
from actors.media.errors import MediaError
from actors.messages.content import AnyContent, MediaMessage, MediaSource
from actors.messages.files import MessageFile
from actors.messages.rules import Unsendable, Windows, about, check, check_destination
from actors.registry import ConnectionState, Desired, InstanceRecord, InstanceState, InstanceUnknown, now
from api import problems as p
from api.contents import EXAMPLES, SendMessage
from api.fields import EXAMPLE_JID, Query
from api.idempotency import KEY, REPLAYED, key_of
from api.intake import Taken
from api.middleware import MEDIA_STATUSES, media_problem
from api.problems import FieldError, Problem
from api.rings import Watch
from api.routing import Answer, Call, Reply, Routes

routes = Routes("Messages", "Send, and see what became of it.")

LOOK = 1.0
"""Seconds between two looks for a result, rings or not."""

UNDECIDED = ("queued", "sending")


class Failure(BaseModel):
    """Why a message was not sent."""

    code: str = Field(examples=["not_on_whatsapp"])
    message: str


class Message(BaseModel):
    """A message that was given to the outbox."""

    id: str = Field(
        description="WhatsApp's id of it, known from the start", examples=["3EB0C7A1D2E3F4A5B6C7D8"]
    )
    to: str = Field(description="Recipient's JID", examples=[EXAMPLE_JID])
    type: str
    text: str | None = Field(description="What is written in it: the text, or the caption")
    content: AnyContent
    status: Status = Field(
        description="Only ever rises, from queued to sent, delivered, read and played; or failed. In groups, "
        "and of a status, it stays sent: `message.status` events tell who has it and who read it"
    )
    created_at: datetime
    attempts: int
    sent_at: datetime | None = Field(None, description="WhatsApp's time of it")
    chat_id: str | None = Field(None, description="The chat it went to, as events name it")
    error: Failure | None = None


class Waiting(Query):
    """How long to wait."""

    wait: float | None = Field(
        None,
        ge=0,
        description="Seconds to wait for the result, 0: not at all; by default and at most as configured",
    )


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/messages",
    "Send a message",
    (201, Answer("Sent: WhatsApp has it", Message, headers={"Location": "Where its status can be seen"})),
    (
        202,
        Answer(
            "Queued: it is sent as soon as the instance can; `message.sent` or `message.failed` will tell",
            Message,
            headers={"Location": "Where its status can be seen"},
        ),
    ),
    body=SendMessage,
    query=Waiting,
    headers={
        KEY: "Any text of up to 255 characters that stands for this message. Repeated with the "
        "same body, the message is not sent again: the answer tells what became of the first one"
    },
    examples=EXAMPLES,
    problems=(
        p.OUTBOX_FULL,
        p.NOT_PAIRED,
        p.IDEMPOTENCY_KEY_REUSED,
        p.SEND_FAILED,
        p.MEDIA_REFUSED,
        p.MEDIA_TOO_LARGE,
        p.MEDIA_WRONG_TYPE,
        p.MEDIA_UNAVAILABLE,
    ),
)
async def send(call: Call[SendMessage, Waiting]) -> Reply:
    """Once this answers 201 or 202 the message is stored durably and will be sent once, in order.

    While the instance is moved, reconnecting or disconnected, messages wait. Without an Idempotency-Key a
    request whose answer got lost must not be repeated blindly.

    A message that answers, changes or repeats another one is checked at once against what is known of that,
    and again when it is sent.

    A file that a message names by its URL is fetched, checked and made fit for WhatsApp before this answers:
    what is wrong with it is told here, and not by an event.
    """
    services = call.services
    wait = _wait(call)
    key = key_of(call)
    state = await services.registry.state(call.instance_id)
    account = state.phone if state is not None else None
    outbox = services.outbox(call.instance_id)
    request = call.body.request()
    before = await _queued_before(outbox, request, key)
    if before is None:
        _check_paired(state)
        await _check_content(call, request)
    with services.rings.watch(call.instance_id) as watch:
        message_id, fresh = (before, False) if before else await _queue(call, outbox, request, key, account)
        services.bell.ring(call.instance_id)
        if not _may_answer(call.record, state):
            wait = 0.0
        message = await _result(outbox, message_id, wait, watch, services.closing)
    headers = {"Location": f"/v1/instances/{call.instance_id}/messages/{message_id}"}
    if not fresh:
        headers |= REPLAYED
    shown = _shown(message)
    if shown.error is not None:
        raise Problem(
            p.SEND_FAILED,
            f"{shown.error.message.rstrip('.')}. The message is not tried again.",
            headers=headers,
            code=shown.error.code,
            message_id=message_id,
        )
    return Reply(shown, 202 if shown.status in UNDECIDED else 201, headers)


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/messages/{message_id}",
    "Show a message's status",
    (200, Answer("The message", Message)),
)
async def show(call: Call[None, None]) -> Message:
    """Kept for some days after the message was sent."""
    message = await call.services.outbox(call.instance_id).get(call.path("message_id"))
    if message is None:
        raise p.not_found("such message, or its status is no longer kept")
    return _shown(message)


def _wait(call: Call[SendMessage, Waiting]) -> float:
    longest = call.services.settings.gateway.send_wait
    asked = call.query.wait
    if asked is not None and not (math.isfinite(asked) and asked <= longest):
        raise p.invalid(f"wait for {longest:g} seconds at most", parameter="wait")
    return longest if asked is None else asked


def _check_paired(state: InstanceState | None) -> None:
    # Waiting makes sense while a connection is on its way, not while it takes a person with a phone. What
    # was queued for one account must not be sent by another that is paired later.
    if state is None or (state.device is not None and state.connection is not ConnectionState.BANNED):
        return
    raise Problem(p.NOT_PAIRED, f"The instance is {state.connection}: pair it with a phone before sending.")


async def _check_content(call: Call[SendMessage, Waiting], request: SendRequest) -> None:
    content = request.content
    outbox, settings = call.services.outbox(call.instance_id), call.services.settings.outbox
    try:
        check_destination(content, request.to)
        target_id = about(content)
        if target_id is None:
            return
        target = await call.services.known(call.instance_id).get(target_id)
        if target is None and await _waits(outbox, target_id):
            return
        check(
            content,
            request.to,
            await call.services.mailbox(call.instance_id).chat_id(request.to),
            target,
            at_ms=round(now().timestamp() * 1000),
            windows=Windows(edit=settings.edit_window, delete=settings.delete_window),
        )
    except Unsendable as error:
        problem = FieldError(detail=error.message, pointer=f"#/{error.field}")
        raise Problem(
            p.INVALID, f"{error.field}: {error.message}", errors=[problem], code=error.code
        ) from None


async def _waits(outbox: Outbox, message_id: str) -> bool:
    """True if the message is in the queue, so that it will be sent before what is queued now."""
    message = await outbox.get(message_id)
    return message is not None and message.status in UNDECIDED


def _may_answer(record: InstanceRecord, state: InstanceState | None) -> bool:
    """True if a result can come soon, so that waiting for it is of use."""
    return record.desired is Desired.CONNECTED and (
        state is None or state.connection is not ConnectionState.PARKED
    )


async def _queued_before(outbox: Outbox, request: SendRequest, key: str | None) -> str | None:
    """The message that this very request queued before: it is answered as then, whatever has changed."""
    if key is None:
        return None
    try:
        return await outbox.find(key, request.fingerprint())
    except IdempotencyMismatch as error:
        raise _reused(error) from error


async def _queue(
    call: Call[SendMessage, Waiting],
    outbox: Outbox,
    request: SendRequest,
    key: str | None,
    account: str | None,
) -> tuple[str, bool]:
    content = request.content
    if not isinstance(content, MediaMessage):
        return await _enqueue(call, outbox, request, key, account)
    depth = await outbox.depth()
    if depth >= outbox.settings.bound:
        raise _full(depth)
    intake, fingerprint = call.services.intake, request.fingerprint()
    try:
        taken = await intake.take(call.instance_id, content)
    except MediaError as error:
        # Not found is the file, not what the path names.
        kind = p.MEDIA_REFUSED if error.status == 404 else MEDIA_STATUSES.get(error.status)
        field = FieldError(detail=error.message, pointer="#/media")
        raise media_problem(error, kind, errors=[field]) from error
    used = False
    try:
        message_id, used = await _enqueue(
            call, outbox, _with_file(request, taken), key, account, taken.file, fingerprint
        )
    except (Problem, InstanceUnknown):
        await intake.discard(call.instance_id, taken)
        raise
    if not used:
        await intake.discard(call.instance_id, taken)
    return message_id, used


def _with_file(request: SendRequest, taken: Taken) -> SendRequest:
    """The request, with the stored file in the place of where it came from."""
    media = MediaSource(id=taken.file.id, file_name=taken.file.file_name)
    content = request.content.model_copy(update={"media": media})
    return request.model_copy(update={"content": content})


async def _enqueue(
    call: Call[SendMessage, Waiting],
    outbox: Outbox,
    request: SendRequest,
    key: str | None,
    account: str | None,
    file: MessageFile | None = None,
    fingerprint: str | None = None,
) -> tuple[str, bool]:
    try:
        return await outbox.enqueue(request, key, file=file, fingerprint=fingerprint, account=account)
    except InstanceUnknown:
        # Deleted while its file was fetched; or made anew under its old id, and not started yet.
        await call.services.registry.get(call.instance_id)
        raise Problem(p.NOT_PAIRED, "Pair the instance with a phone before sending.") from None
    except OutboxFull as error:
        raise _full(error.depth) from error
    except IdempotencyMismatch as error:
        raise _reused(error) from error


def _full(depth: int) -> Problem:
    return Problem(
        p.OUTBOX_FULL,
        f"{depth} messages wait to be sent already. Wait until some are, and see that the "
        "instance is connected.",
        headers={"Retry-After": "10"},
    )


def _reused(error: IdempotencyMismatch) -> Problem:
    return Problem(
        p.IDEMPOTENCY_KEY_REUSED,
        "This Idempotency-Key was used for another message. Use a fresh one for every new message.",
        message_id=error.message_id,
    )


async def _result(
    outbox: Outbox, message_id: str, wait: float, watch: Watch, closing: asyncio.Event
) -> QueuedMessage:
    """The message as it is when it has a result, or when the time is over."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait
    while True:
        message = await outbox.get(message_id)
        if message is None:
            raise p.not_found("such message any more: its status is no longer kept")
        left = deadline - loop.time()
        if message.status not in UNDECIDED or left <= 0 or closing.is_set():
            return message
        await watch.wait(min(left, LOOK))


def _shown(message: QueuedMessage) -> Message:
    result, content = message.result or {}, message.request.content
    error = result.get("error")
    return Message(
        id=message.id,
        to=message.request.to,
        type=content.type,
        text=getattr(content, "text", None) or getattr(content, "caption", None),
        content=content,
        status=message.status,
        created_at=message.created_at,
        attempts=message.attempts,
        sent_at=result.get("timestamp"),
        chat_id=result.get("chat_id"),
        error=Failure(code=error["code"], message=error["message"]) if error else None,
    )
