"""Removes an instance's files whose time is over, now and then."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable

from actors.media.errors import MediaError
from actors.media.retention import Policy, enforce
from actors.media.store import MediaStore
from actors.settings import MediaSettings
from actors.store import StoreUnavailable

log = logging.getLogger(__name__)

UNFINISHED = 6 * 3600.0
"""Seconds after which a file that was begun and not finished is nobody's any more."""


class Upkeep:
    """Looks after the files of one instance.

    Args:
        needed: ids of files that stay whatever their age.
    """

    def __init__(
        self,
        instance_id: str,
        files: MediaStore,
        settings: MediaSettings,
        needed: Callable[[], Awaitable[set[str]]],
    ) -> None:
        self._instance_id = instance_id
        self._files = files
        self._settings = settings
        self._needed = needed

    async def run(self) -> None:
        """Look for ever, at a time of its own: instances that started together do not look together."""
        while True:
            await asyncio.sleep(self._settings.retention_interval * random.uniform(0.5, 1.5))
            try:
                await self.turn()
            except (MediaError, StoreUnavailable, OSError) as error:
                log.warning("upkeep failed", extra={"instance": self._instance_id, "error": str(error)})

    async def turn(self) -> None:
        """Look once.

        Raises:
            MediaError, StoreUnavailable
        """
        policy = Policy(self._settings.retention, self._settings.retention_bytes)
        # Before the look at the files: one that is queued meanwhile is new, and stays for that.
        needed = await self._needed()
        removed = await enforce(self._files, self._instance_id, policy, now=time.time(), needed=needed)
        unfinished = await self._files.tidy(UNFINISHED)
        if removed.count or unfinished:
            log.info(
                "files removed",
                extra={"instance": self._instance_id, "count": removed.count, "bytes": removed.size},
            )
