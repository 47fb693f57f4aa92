"""A client in front of several gateways, as a load balancer is: who does not answer is passed over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import ClientConnectionError

from deploy.demo.clients import Malote

ROUNDS = 3
PAUSE = 0.2


class Doors(Malote):
    """Malote's API through whichever gateway answers.

    Only what can be repeated may be asked while gateways come and go: reads, and sends with an
    ``Idempotency-Key``. An error that a gateway answers is an answer.

    Args:
        urls: tells where gateways are now.
    """

    def __init__(self, urls: Callable[[], Sequence[str]], *, key: str) -> None:
        super().__init__("", key=key)
        self._urls = urls
        self._next = 0

    async def call(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> Any:
        """One request, to one gateway after the other until one answers."""
        failure: Exception = ClientConnectionError("there is no gateway")
        for _ in range(ROUNDS):
            urls = self._urls()
            self._next += 1
            for offset in range(len(urls)):
                try:
                    url = urls[(self._next + offset) % len(urls)]
                    return await super().call(method, url + path, body, headers=headers)
                except ClientConnectionError as error:
                    failure = error
            await asyncio.sleep(PAUSE)
        raise failure
