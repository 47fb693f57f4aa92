"""What the state machines share: an event loop of their own, and one store in it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine
from typing import Any, ClassVar, TypeVar

from hypothesis.stateful import RuleBasedStateMachine

from actors.instance.mailbox import Mailbox
from actors.registry import Registry, Superseded
from actors.settings import MailboxSettings
from actors.store import Store
from tests.store.samples import INSTANCE, grant

T = TypeVar("T")


class InstanceMachine(RuleBasedStateMachine):
    """An instance whose owner changes; the model of who owns it."""

    url: ClassVar[str]
    bounds: ClassVar[MailboxSettings]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.store = self.wait(self._connect())
        self.registry = Registry(self.store)
        self.mailbox = Mailbox(self.store, INSTANCE, self.bounds)
        self.epoch = 0

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it."""
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.wait(self.store.close())
        self.loop.close()

    def change_owner(self, after: int) -> None:
        """A grant, right or wrong; several supervisors may try."""
        try:
            granted = self.wait(grant(self.registry, after, actor=f"actor-{uuid.uuid4().hex}"))
        except Superseded as refused:
            assert after != self.epoch
            assert refused.epoch == self.epoch  # noqa: PT017
        else:
            assert after == self.epoch
            self.epoch += 1
            assert granted == self.epoch

    def may_write(self, epoch: int) -> bool:
        """What the model says: one owner, the latest."""
        return epoch == self.epoch and epoch > 0

    async def _connect(self) -> Store:
        return Store(self.url, f"test-{uuid.uuid4().hex}")
