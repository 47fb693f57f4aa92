"""Ends actors of instances that nobody needs: not the owner, and no part of a running handoff.

Such as a successor that a supervisor made just before it died, or the owner of an instance that was deleted
while no supervisor ran. They can write nothing, or will be refused at their next write; but they take a slot,
and may hold the session's lock.

What is made is written down first, as owner or in the handoff's record, so that an actor that is just coming
to be is no stray. Nonetheless an actor is only ended when two looks in a row found it astray, and one more
right before its end.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from actors.registry import InstanceUnknown, Owner, Registry
from actors.store import StoreUnavailable
from actors.supervisor.handoff_record import Handoff
from actors.supervisor.kept import Kept
from actors.supervisor.moves import Handoffs
from actors.supervisor.workers import Cluster, Ended

log = logging.getLogger(__name__)


def instance_of(actor: str) -> str | None:
    """The instance that an actor with this name was made for, None if it is no instance's actor."""
    match actor.split(":"):
        case ["instance", instance_id, epoch, _] if instance_id and epoch.isdecimal():
            return instance_id
    return None


def is_stray(actor: str, *, exists: bool, owner: Owner | None, handoff: Handoff | None) -> bool:
    """True if nobody needs this actor.

    Args:
        exists: its instance is in the registry.
        owner: of the instance.
        handoff: the instance's, that runs or that a supervisor died in; read before the owner, for its end
            makes the successor a mere owner.
    """
    if not exists:
        return True
    needed = {owner.actor} if owner is not None else set()
    return actor not in needed.union(_parties(handoff))


def _parties(handoff: Handoff | None) -> Iterator[str]:
    if handoff is not None:
        for party in (handoff.origin, handoff.predecessor, handoff.successor):
            if party is not None:
                yield party.actor


class Sweep:
    """Looks for strays, now and then.

    Args:
        instances: those that are kept; what they need is not looked up.
    """

    def __init__(
        self, registry: Registry, handoffs: Handoffs, cluster: Cluster, instances: Mapping[str, Kept]
    ) -> None:
        self._registry = registry
        self._handoffs = handoffs
        self._cluster = cluster
        self._instances = instances
        self._suspects: set[str] = set()
        """Found astray by the latest look."""

    async def turn(self) -> list[str]:
        """Look once; end what the look before found, too.

        Returns:
            The names of those that were ended.

        Raises:
            StoreUnavailable: this look does not count.
        """
        needed = set(_needed(self._instances.values()))
        strays = {
            actor
            for actor in await self._cluster.instance_actors()
            if actor not in needed and await self._astray(actor)
        }
        ended = []
        for actor in sorted(strays & self._suspects):
            if await self._astray(actor):
                try:
                    await self._end(actor)
                except StoreUnavailable:
                    raise
                except Exception:
                    # The next look finds it again; those behind it do not wait for that.
                    log.exception("an actor cannot be ended", extra={"actor": actor})
                else:
                    ended.append(actor)
        self._suspects = strays.difference(ended)
        return ended

    async def _astray(self, actor: str) -> bool:
        instance_id = instance_of(actor)
        if instance_id is None:
            return False
        # In this order: see `is_stray`.
        handoff = await self._handoffs.unfinished(instance_id)
        owner = await self._registry.owner(instance_id)
        exists = await self._exists(instance_id)
        return is_stray(actor, exists=exists, owner=owner, handoff=handoff)

    async def _exists(self, instance_id: str) -> bool:
        try:
            await self._registry.get(instance_id)
        except InstanceUnknown:
            return False
        return True

    async def _end(self, actor: str) -> None:
        log.warning("ending an actor that nobody needs", extra={"actor": actor})
        instance_id = instance_of(actor)
        assert instance_id is not None
        deleted = not await self._exists(instance_id)
        if deleted:
            # Whoever deleted it did not come to the end. Fenced first: what is written after it would stay.
            await self._registry.purge(instance_id)
        worker = await self._cluster.find(actor)
        if worker is not None:
            with suppress(Ended):
                await worker.leave()
        if deleted and not await self._exists(instance_id):
            await self._cluster.forget(instance_id)


def _needed(instances: Iterable[Kept]) -> Iterator[str]:
    for kept in instances:
        if kept.owner is not None:
            yield kept.owner.actor
        if kept.move is not None:
            yield from _parties(kept.move.handoff)
