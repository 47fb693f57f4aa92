"""Starting, finding and ending supervisors, from a driver of the cluster."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import ray
from ray.exceptions import RayError

from actors import cluster, version
from actors.settings import Settings
from actors.store import Store
from actors.supervisor.actor import SupervisorActor, actor_name
from actors.supervisor.office import Office, Offices


def create(settings: Settings) -> cluster.Handle:
    """Find or make the supervisor of this version of the code: detached, in the namespace of the settings.

    Returns:
        A handle; the actor may still be coming up, and does not lead unless it is appointed.
    """
    actor: Any = SupervisorActor
    handle: cluster.Handle = actor.options(
        name=actor_name(version.of(settings)),
        namespace=settings.namespace,
        lifetime="detached",
        get_if_exists=True,
    ).remote(settings)
    return handle


def supervisors(settings: Settings) -> list[cluster.Handle]:
    """Every supervisor that lives: one, or two in a roll-out."""
    return cluster.all_of(cluster.SUPERVISORS, settings.namespace)


def start_supervisor(settings: Settings) -> cluster.Handle:
    """Find the supervisor, or start one of this version of the code. Needs ``settings.redis_url``.

    Returns:
        A handle that answered; in a roll-out, of the one that leads if that can be told.
    """
    handles = supervisors(settings)
    if not handles:
        asyncio.run(_appoint(settings))
        handles = [create(settings)]
    for handle in handles[:-1]:
        with contextlib.suppress(RayError):
            said: Any = ray.get(handle.ping.remote(), timeout=cluster.PING_TIMEOUT)
            if said == "running":
                return handle
    ray.get(handles[-1].ping.remote(), timeout=settings.supervisor.start_timeout)
    return handles[-1]


async def _appoint(settings: Settings) -> None:
    """Have this version's supervisor lead: no other one lives."""
    own = version.of(settings)

    def change(found: Office | None) -> Office:
        if found is None:
            return Office(appointed=own)
        return found if found.appointed == own and found.standby is None else found.appoint(own)

    store = Store(settings.redis_url or "", settings.prefix)
    try:
        await Offices(store).change(change)
    finally:
        await store.close()


def stop_everything(settings: Settings, *, timeout: float = 60.0) -> None:
    """Drain all instances, then the couriers, then end the supervisor. Data stays."""
    handles = supervisors(settings)
    try:
        if handles:
            # One that stands by does nothing but that it takes over no more.
            ray.get([handle.stop.remote() for handle in handles], timeout=timeout)
    finally:
        for handle in handles:
            with contextlib.suppress(RayError):
                ray.get(handle.leave.remote(), timeout=5)
