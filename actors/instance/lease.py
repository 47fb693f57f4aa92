"""The owner's lease: proof, renewed in Redis, that nobody else may have taken over yet."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from actors import metrics
from actors.registry import Registry
from actors.settings import InstanceSettings
from actors.store import StoreUnavailable

log = logging.getLogger(__name__)


class Lease:
    """Renews until told to stop, and knows by this process's own clock whether it still holds.

    The clock starts before the renewal is sent, so that the lease ends here before it ends in Redis.
    """

    def __init__(
        self,
        registry: Registry,
        instance_id: str,
        epoch: int,
        settings: InstanceSettings,
        changed: Callable[[], None],
    ) -> None:
        self._registry = registry
        self._instance_id = instance_id
        self._epoch = epoch
        self._settings = settings
        self._changed = changed
        self._until = float("-inf")
        self._expiry: asyncio.TimerHandle | None = None

    @property
    def held(self) -> bool:
        """True while nobody else can have been let in."""
        return asyncio.get_running_loop().time() < self._until

    async def renew(self) -> bool:
        """Renew once.

        Returns:
            Whether Redis answered in time.

        Raises:
            StaleEpoch: somebody else owns the instance.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            await self._registry.renew(
                self._instance_id,
                self._epoch,
                self._settings.lease_ttl,
                timeout=self._settings.lease_renew,
            )
        except StoreUnavailable as error:
            metrics.TIMEOUTS.labels("lease").inc()
            log.warning("lease not renewed", extra={"instance": self._instance_id, "error": str(error)})
            return False
        # Not as it was when the renewal was sent: the lease may have ended since, and that was told.
        held = self.held
        self._until = started + self._settings.lease_ttl
        if self._expiry is not None:
            self._expiry.cancel()
        # A timer, not the next turn of the loop: a renewal that hangs must not delay the news of the end.
        self._expiry = loop.call_at(self._until, self._changed)
        if not held:
            self._changed()
        return True

    async def keep(self) -> None:
        """Renew for ever.

        Raises:
            StaleEpoch: somebody else owns the instance.
        """
        try:
            while True:
                renewed = await self.renew()
                await asyncio.sleep(self._settings.lease_renew if renewed else 0.2)
        finally:
            if self._expiry is not None:
                self._expiry.cancel()
