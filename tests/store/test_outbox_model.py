"""The outbox against a model of it: customers that repeat themselves, owners that change, receipts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from actors.events import EventType
from actors.instance.outbox import IdempotencyMismatch, Outbox, OutboxFull, QueuedMessage, SendRequest
from actors.messages.content import Text
from actors.settings import MailboxSettings, OutboxSettings
from actors.store import StaleEpoch
from tests.store.machines import InstanceMachine
from tests.store.samples import draft
from tests.valkey import Valkey

BOUND = 4
RANK = ("queued", "sending", "sent", "delivered", "read", "played")
BODIES = tuple(SendRequest(to="5511999999999@s.whatsapp.net", content=Text(text=text)) for text in ("a", "b"))


@dataclass
class Model:
    request: SendRequest
    status: str = "queued"
    attempts: int = 0
    result: dict[str, str] | None = None

    def rise(self, status: str) -> None:
        if self.status != "failed" and RANK.index(status) > RANK.index(self.status):
            self.status = status


class OutboxMachine(InstanceMachine):
    bounds = MailboxSettings()

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(self.store, self.mailbox, OutboxSettings(bound=BOUND))
        self.messages: dict[str, Model] = {}
        self.queue: list[str] = []
        self.keys: dict[str, tuple[str, SendRequest]] = {}
        self.finished: list[tuple[str, str]] = []
        self.remembered: dict[str, QueuedMessage] = {}
        """As a sender of long ago may still hold it."""

    @initialize()
    def first_owner(self) -> None:
        self.change_owner(0)

    @rule(back=st.integers(-1, 2))
    def a_grant(self, back: int) -> None:
        self.change_owner(max(0, self.epoch - back))

    @rule(body=st.sampled_from(BODIES), key=st.sampled_from([None, "", "k1", "k2", "k3"]))
    def a_customer_sends(self, body: SendRequest, key: str | None) -> None:
        known = self.keys.get(key) if key is not None else None
        try:
            message_id, fresh = self.wait(self.outbox.enqueue(body, key))
        except IdempotencyMismatch as refused:
            assert known is not None
            assert refused.message_id == known[0]  # noqa: PT017
            assert known[1] != body
        except OutboxFull as full:
            assert known is None
            assert full.depth == len(self.queue) == BOUND  # noqa: PT017
        else:
            assert fresh == (known is None)
            if known is not None:
                assert known == (message_id, body)
                return
            assert message_id not in self.messages
            assert len(self.queue) < BOUND
            self.messages[message_id] = Model(body)
            self.queue.append(message_id)
            if key is not None:
                self.keys[key] = (message_id, body)

    @rule()
    def the_head_is_read(self) -> None:
        message = self.wait(self.outbox.head())
        assert (message.id if message else None) == (self.queue[0] if self.queue else None)
        if message is not None:
            self.remembered[message.id] = message

    @precondition(lambda self: self.remembered)
    @rule(ago=st.integers(-1, 1), pick=st.integers(0, 100))
    def an_attempt_begins(self, ago: int, pick: int) -> None:
        epoch, message = max(0, self.epoch - ago), self.pick(pick)
        model = self.messages[message.id]
        try:
            attempt = self.wait(self.outbox.begin(epoch, message))
        except StaleEpoch:
            assert not self.may_write(epoch)
        else:
            assert self.may_write(epoch)
            model.attempts += 1
            model.rise("sending")
            assert attempt == model.attempts

    @precondition(lambda self: self.remembered)
    @rule(ago=st.integers(-1, 1), pick=st.integers(0, 100), status=st.sampled_from(["sent", "failed"]))
    def an_attempt_ends(self, ago: int, pick: int, status: Literal["sent", "failed"]) -> None:
        epoch, message = max(0, self.epoch - ago), self.pick(pick)
        kind = EventType.MESSAGE_SENT if status == "sent" else EventType.MESSAGE_FAILED
        event = draft(f"result:{message.id}", type=kind, data={"id": message.id, "status": status})
        try:
            self.wait(self.outbox.finish(epoch, message, status, {"as": status}, event))
        except StaleEpoch:
            assert not self.may_write(epoch)
            return
        assert self.may_write(epoch)
        if message.id in self.queue:
            self.queue.remove(message.id)
            self.finished.append((message.id, status))
            model = self.messages[message.id]
            model.result = {"as": status}
            if status == "failed":
                model.status = "failed"
            else:
                model.rise("sent")

    @precondition(lambda self: self.messages)
    @rule(pick=st.integers(0, 100), status=st.sampled_from(RANK[2:]), ago=st.integers(0, 1))
    def a_receipt_comes(self, pick: int, status: str, ago: int) -> None:
        epoch = max(0, self.epoch - ago)
        message_id = list(self.messages)[pick % len(self.messages)]
        event = draft(type=EventType.MESSAGE_STATUS, status_of={message_id: status})
        try:
            self.wait(self.mailbox.append(epoch, event))
        except StaleEpoch:
            assert not self.may_write(epoch)
        else:
            assert self.may_write(epoch)
            self.messages[message_id].rise(status)

    def pick(self, number: int) -> QueuedMessage:
        return self.remembered[list(self.remembered)[number % len(self.remembered)]]

    @invariant()
    def every_message_is_as_the_model_says(self) -> None:
        assert self.wait(self.outbox.depth()) == len(self.queue)
        for message_id, model in self.messages.items():
            message = self.wait(self.outbox.get(message_id))
            assert message is not None
            assert (message.request, message.status, message.attempts, message.result) == (
                model.request,
                model.status,
                model.attempts,
                model.result,
            )

    @invariant()
    def the_queue_is_in_order(self) -> None:
        entries = self.wait(self.store.redis.xrange(self.outbox.key("outbox")))
        assert [fields["id"] for _, fields in entries] == self.queue

    @invariant()
    def each_result_has_one_event(self) -> None:
        events = self.wait(self.mailbox.read(limit=10_000))
        results = [(e.data["id"], e.data["status"]) for e in events if e.type != EventType.MESSAGE_STATUS]
        assert results == self.finished


def test_the_outbox_is_its_model(valkey: Valkey) -> None:
    OutboxMachine.url = valkey.url
    run_state_machine_as_test(
        OutboxMachine,
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
