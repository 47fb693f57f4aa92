"""Contacts that write texts, and one that passes on a file, or writes as often."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from aiohttp import ClientSession

from bench.handoff.world import World
from tests.wait import until

PATIENCE = 60.0


class Traffic:
    """What is written to the only account. The last contact passes files on.

    Attributes:
        texts: when each was ordered, in monotonic seconds, by its id.
        files: ids of the messages with a file.
        others: ids of those that took their place, and had none.
    """

    def __init__(self, world: World) -> None:
        self.texts: dict[str, float] = {}
        self.files: list[str] = []
        self.others: list[str] = []
        [self._phone] = world.instances.values()
        *self._writers, self._passer = world.contacts
        self._lab = world.lab
        self._file = ""

    async def upload(self, path: Path, line: int) -> None:
        """Put a file on the network, to be passed on: an upload of each would take from what is measured.

        Args:
            line: bytes per second at which the network hands it out.
        """
        url = f"{self._lab.url}/contacts/{self._writers[0]}/media"
        query = {"to": self._passer, "kind": "document", "file_name": "file.bin"}
        async with ClientSession() as session:
            with path.open("rb") as file:
                async with session.post(url, params=query, data=file) as answer:
                    answer.raise_for_status()
        self._file = await until(self._came, timeout=PATIENCE, what="the file")
        slow = {"kind": "slow_media", "phone": self._writers[0], "bytes_per_second": line}
        await self._lab.call("POST", "/faults", slow)

    async def _came(self) -> str:
        return "".join(str(arrival["message"]) for arrival in await self._lab.arrivals(self._passer, 0))

    async def write(self, rate: float, go_on: Callable[[], bool]) -> Sequence[str]:
        """Let texts be written at a rate, whether the last one has gone or not. Returns their ids."""
        began = time.monotonic()
        open_: list[asyncio.Task[str]] = []
        for number in itertools.count():
            if not go_on():
                break
            open_.append(asyncio.create_task(self._text(number)))
            await asyncio.sleep(began + (number + 1) / rate - time.monotonic())
        return await asyncio.gather(*open_)

    async def pass_on(self, count: int, rate: float, *, files: bool) -> None:
        """Let messages be written at a rate, with the file or without any."""
        began = time.monotonic()
        for number in range(count):
            if files:
                order = {"to": self._phone, "message": self._file}
                written = await self._lab.call("POST", f"/contacts/{self._passer}/raw", order)
                self.files += written["ids"]
            else:
                self.others += await self._lab.write(
                    self._passer, self._phone, f"no file {number}", count=1, interval=0
                )
            await asyncio.sleep(began + (number + 1) / rate - time.monotonic())

    async def _text(self, number: int) -> str:
        began = time.monotonic()
        writer = self._writers[number % len(self._writers)]
        [id_] = await self._lab.write(writer, self._phone, f"text {number}", count=1, interval=0)
        self.texts[id_] = began
        return id_
