"""Whether connections and their owners stay what they are, seen from Redis and from WhatsApp's end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field

from actors.registry import Registry
from deploy.demo.clients import LabControl

LOOK = 0.5


@dataclass(frozen=True, slots=True)
class Sight:
    """An instance at one moment.

    Args:
        epoch: of its owner; None if it has none.
        logins: how often its device has logged in, as WhatsApp's end counts.
        online: whether its device is connected now, as WhatsApp's end sees it.
    """

    epoch: int | None
    logins: int
    online: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What became of connections in some time.

    Args:
        looks: how often it was looked.
        epochs: instances that got another owner.
        logins: instances that connected anew.
        offline: instances that were not connected at a look.
    """

    looks: int = 0
    epochs: set[str] = field(default_factory=set)
    logins: set[str] = field(default_factory=set)
    offline: set[str] = field(default_factory=set)

    @property
    def none(self) -> bool:
        """True if it was looked more than once, and everything stayed as it was."""
        return self.looks > 1 and not (self.epochs or self.logins or self.offline)


def compare(sights: Iterable[Mapping[str, Sight]]) -> Change:
    """What changed from the first of some looks to the last."""
    change, first, looks = Change(), None, 0
    for seen in sights:
        looks += 1
        first = seen if first is None else first
        for name, before in first.items():
            now = seen[name]
            if now.epoch != before.epoch:
                change.epochs.add(name)
            if now.logins != before.logins:
                change.logins.add(name)
            if not now.online:
                change.offline.add(name)
    return Change(looks, change.epochs, change.logins, change.offline)


class Watch:
    """Looks, again and again.

    Args:
        instances: phone numbers by instance.
    """

    def __init__(self, registry: Registry, lab: LabControl, instances: Mapping[str, str]) -> None:
        self._registry = registry
        self._lab = lab
        self._instances = instances

    async def look(self) -> dict[str, Sight]:
        """All instances now."""
        accounts = {account["phone"]: account for account in await self._lab.call("GET", "/accounts")}
        owners = await asyncio.gather(*map(self._registry.owner, self._instances))
        found = {}
        for (name, phone), owner in zip(self._instances.items(), owners, strict=True):
            devices = accounts[phone]["devices"]
            found[name] = Sight(
                epoch=owner.epoch if owner else None,
                logins=sum(device["counters"]["logins"] for device in devices),
                online=bool(devices) and all(device["online"] for device in devices),
            )
        return found

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[list[dict[str, Sight]]]:
        """Look while the block runs, at its begin and at its end too; the list fills meanwhile."""
        sights = [await self.look()]
        looking = asyncio.create_task(self._keep_looking(sights))
        try:
            yield sights
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        sights.append(await self.look())

    async def _keep_looking(self, sights: list[dict[str, Sight]]) -> None:
        while True:
            await asyncio.sleep(LOOK)
            sights.append(await self.look())
