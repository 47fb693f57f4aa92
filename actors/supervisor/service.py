"""A supervisor's whole life: it stands by until it is appointed, leads, and stands by again or ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Literal

from actors.cluster import SUPERVISORS
from actors.settings import Settings
from actors.store import Store, StoreUnavailable
from actors.supervisor.office import Office, Offices
from actors.supervisor.supervisor import Supervisor
from actors.supervisor.workers import Cluster

log = logging.getLogger(__name__)

UNSEATED = 120.0
"""Seconds that a supervisor waits for the appointment that it was made for."""

GONE = 10.0
"""Seconds of silence after which an appointed supervisor that ended for good is not waited for any more."""

End = Literal["deposed", "leaving"]


class Service:
    """The supervisor of one version of the code, whether it leads or not.

    ``supervisor`` is there while it leads.

    Args:
        name: of its actor, as it was made.
    """

    def __init__(
        self, settings: Settings, store: Store, cluster: Cluster, version: str, name: str = ""
    ) -> None:
        self.version = version
        self._name = name
        self.supervisor: Supervisor | None = None
        self._settings = settings
        self._store = store
        self._cluster = cluster
        self._offices = Offices(store)
        self._began = 0.0
        self._seated = False
        self._deposed = 0
        """The latest term in which it was deposed."""
        self._silent_since: float | None = None
        """Since when nothing was heard of who is appointed."""

    async def serve(self) -> End:
        """Serve until ``deposed`` for good, or ``leaving`` a draining node, to be started elsewhere."""
        self._began = asyncio.get_running_loop().time()
        while True:
            try:
                if (end := await self._turn()) is not None:
                    return end
            except StoreUnavailable as error:
                log.warning("cannot see who is to lead", extra={"error": str(error)})
                self._silent_since = None

    async def _turn(self) -> End | None:
        office = await self._look()
        if office.appointed == self.version:
            if office.term == self._deposed:
                return "deposed"  # in the same term: by another incarnation of its own, or by mistake
            self._seated = True
            if await self._lead(office) == "leaving":
                return "leaving"
            self._deposed = office.term
            return None
        if office.standby == self.version:
            self._seated = True
            await self._stand_by(office)
        elif await self._missed(office):
            log.warning("nobody else leads", extra={"was": office.appointed, "version": self.version})
            await self._offices.change(_follow_up(office.term, self.version))
            return None
        elif self._seated or self._late():
            return "deposed"
        await asyncio.sleep(self._settings.supervisor.reconcile)
        return "leaving" if await self._draining() else None

    async def _missed(self, office: Office) -> bool:
        """True if this one has to lead, though it is not appointed: who is has no actor, and gets none.

        So it is when Ray starts a supervisor again on a node that has other code, where each has its own.
        """
        if office.rolling is not None or self._seated:
            return False
        own = self._name == SUPERVISORS + office.appointed
        return own or (self._late() and await self._gone(office.appointed))

    def _late(self) -> bool:
        return asyncio.get_running_loop().time() - self._began > UNSEATED

    async def _look(self) -> Office:
        office = await self._offices.read()
        if office is None:
            return await self._offices.change(lambda found: found or Office(appointed=self.version))
        return office

    async def _lead(self, office: Office) -> str:
        log.info("leading", extra={"version": self.version, "term": office.term})
        self.supervisor = Supervisor(self._settings, self._store, self._cluster, self.version)
        try:
            return await self.supervisor.run()
        finally:
            self.supervisor = None
            self._silent_since = None

    async def _stand_by(self, office: Office) -> None:
        """Look after who is appointed. If it does not work, the roll-out is turned round.

        If it was already, to a version whose supervisor is not there, this one leads: else nobody would.
        """
        rollout = office.rolling
        if rollout is None:
            return
        now = asyncio.get_running_loop().time()
        if self._silent_since is None or await self._offices.beats(office.appointed):
            self._silent_since = now
            return
        silent, patience = now - self._silent_since, self._settings.supervisor.standby_patience
        if silent > patience or (silent > GONE and await self._gone(office.appointed)):
            log.error("the appointed supervisor does not work", extra={"version": office.appointed})
            on_its_way = rollout.new == office.appointed
            change = _take_over(office.term) if on_its_way else _lead_instead(office.term, self.version)
            await self._offices.change(change)

    async def _gone(self, version: str) -> bool:
        """True if a version's supervisor neither lives nor is about to be started again."""
        try:
            return await self._cluster.find(SUPERVISORS + version) is None
        except Exception as error:
            log.warning("cannot see whether a supervisor lives", extra={"error": str(error)})
            return False

    async def _draining(self) -> bool:
        home = self._cluster.home()
        living = [node for node in await self._cluster.nodes() if node.alive]
        stays = [node for node in living if not node.draining]
        return bool(stays) and any(node.id == home and node.draining for node in living)


def _take_over(term: int) -> Callable[[Office | None], Office]:
    """Turns the roll-out of a term round, unless somebody else did something about it."""

    def change(found: Office | None) -> Office:
        assert found is not None
        rollout = found.rolling
        if rollout is None or found.term != term:
            return found
        return found.follow(rollout.turned("the new version's supervisor does not work"))

    return change


def _lead_instead(term: int, version: str) -> Callable[[Office | None], Office]:
    """Has this version lead in spite of a roll-out, unless somebody else did something about it."""

    def change(found: Office | None) -> Office:
        assert found is not None
        return found.appoint(version) if found.term == term else found

    return change


def _follow_up(term: int, version: str) -> Callable[[Office | None], Office]:
    """Has this version lead, unless somebody else was appointed since that term."""

    def change(found: Office | None) -> Office:
        assert found is not None
        return found.appoint(version) if found.term == term and found.rolling is None else found

    return change
