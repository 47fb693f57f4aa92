"""Keeps the code that came with a job where the nodes find it.

Ray deletes a job's package when nothing uses it any more, and a head that was started again counts only what
came after it: the end of the first job or actor since then would take the code away from all that were there
before, and no node that comes later could run an actor of them. So whoever makes actors keeps their code.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NoReturn

from actors.cluster import Package

log = logging.getLogger(__name__)

LOOK = 10.0
"""Seconds from one look to the next. A new head may delete the package in between: then it is given back."""

KEPT_FOR = 3600
"""Seconds for which a head that heard of it keeps the package without a supervisor."""

Keep = Callable[[Package, int], Awaitable[bool]]
"""`actors.cluster.keep_package`."""


class Code:
    """The package that a supervisor runs from.

    Args:
        package: None if the code is on every node anyway.
    """

    def __init__(self, package: Package | None, keep: Keep) -> None:
        self._package = package
        self._keep = keep

    async def look(self) -> None:
        """Have it kept, and bring it back if it is gone. The head may be away: there is a next look."""
        if self._package is None:
            return
        try:
            if not await self._keep(self._package, KEPT_FOR):
                log.error("the code was gone from the head: given back", extra={"uri": self._package.uri})
        except Exception as error:
            log.warning("the code is not kept", extra={"uri": self._package.uri, "error": str(error)})

    async def run(self) -> NoReturn:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK)
