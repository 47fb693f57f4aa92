"""An instance with an owner, its mailbox and its outbox."""

from __future__ import annotations

import pytest

from actors.instance.mailbox import Mailbox
from actors.instance.outbox import Outbox
from actors.registry import Registry
from actors.settings import MailboxSettings, OutboxSettings
from actors.store import Store
from tests.store.samples import INSTANCE, grant


@pytest.fixture
def registry(store: Store) -> Registry:
    return Registry(store)


@pytest.fixture
def proxied_registry(proxied_store: Store) -> Registry:
    return Registry(proxied_store)


@pytest.fixture
async def epoch(registry: Registry) -> int:
    """The instance has an owner, in this epoch."""
    return await grant(registry)


@pytest.fixture
def mailbox(store: Store) -> Mailbox:
    return Mailbox(store, INSTANCE, MailboxSettings())


@pytest.fixture
def proxied_mailbox(proxied_store: Store) -> Mailbox:
    return Mailbox(proxied_store, INSTANCE, MailboxSettings())


@pytest.fixture
def outbox(store: Store, mailbox: Mailbox) -> Outbox:
    return Outbox(store, mailbox, OutboxSettings())


@pytest.fixture
def proxied_outbox(proxied_store: Store, proxied_mailbox: Mailbox) -> Outbox:
    return Outbox(proxied_store, proxied_mailbox, OutboxSettings())
