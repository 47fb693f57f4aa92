"""What the handlers of the API work with."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field

from aiohttp import web

from actors.instance.contacts.cache import ContactCache
from actors.instance.known import KnownMessages
from actors.instance.mailbox import Mailbox
from actors.instance.outbox import Outbox
from actors.media.linker import Linker
from actors.media.store import MediaStore, open_store
from actors.registry import Registry
from actors.settings import Settings
from actors.store import Store
from api.calls import Cluster, InstanceCalls
from api.exposition import Exposition
from api.intake import Intake
from api.limit import RateLimit
from api.outbox_bell import OutboxBell
from api.rings import Rings
from api.streams import Streams


@dataclass(slots=True)
class Services:
    """Everything a handler may touch, one object per gateway."""

    settings: Settings
    store: Store
    registry: Registry
    calls: InstanceCalls
    cluster: Cluster
    rings: Rings
    bell: OutboxBell
    streams: Streams
    limit: RateLimit
    files: MediaStore
    intake: Intake
    linker: Linker
    admin_hash: str | None = None
    exposition: Exposition = field(default_factory=Exposition)
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def make(cls, settings: Settings, store: Store, calls: InstanceCalls, cluster: Cluster) -> Services:
        """Wire the services. Nothing is connected yet."""
        gateway = settings.gateway
        key = settings.admin_key
        files = open_store(settings)
        return cls(
            settings=settings,
            store=store,
            registry=Registry(store),
            calls=calls,
            cluster=cluster,
            rings=Rings(store),
            bell=OutboxBell(calls),
            streams=Streams(gateway.stream_limit),
            limit=RateLimit(gateway.rate, gateway.burst),
            files=files,
            intake=Intake(settings, files),
            linker=Linker(store, settings),
            admin_hash=hashlib.sha256(key.get_secret_value().encode()).hexdigest() if key else None,
        )

    def mailbox(self, instance_id: str) -> Mailbox:
        """An instance's log of events."""
        return Mailbox(self.store, instance_id, self.settings.mailbox)

    def known(self, instance_id: str) -> KnownMessages:
        """The messages that an instance remembers."""
        return KnownMessages(self.mailbox(instance_id))

    def contacts(self, instance_id: str) -> ContactCache:
        """What an instance knows of people and groups."""
        return ContactCache(self.store, instance_id, self.settings.contact)

    def outbox(self, instance_id: str) -> Outbox:
        """An instance's queue of messages."""
        return Outbox(self.store, self.mailbox(instance_id), self.settings.outbox)


SERVICES = web.AppKey("services", Services)
