"""``malote demo --once``: pair, let messages flow, kill what can be killed, and see that nothing is lost."""

from __future__ import annotations

import asyncio
import os
from itertools import cycle

from pydantic import BaseModel

from deploy.children import Say
from deploy.demo import faults, memory
from deploy.demo.faults import Victim
from deploy.demo.traffic import Traffic, together
from deploy.demo.world import CONTACTS, World

PATIENCE = 180.0
ROUND_MESSAGES = 40
ROUND_INTERVAL = 0.25
SAMPLE_PERIOD = 15.0


class Result(BaseModel):
    """The tour in numbers: the last line that it prints."""

    paired: int
    received: int
    delivered: int
    sent: int
    lost: int
    duplicated: int
    killed: int
    reordered: int
    gaps: int
    bad_signatures: int
    repeated: int
    latency_p50_ms: int | None
    latency_p99_ms: int | None
    memory_mib: int
    memory_growth: float | None
    memory_flat: bool | None

    def passed(self, instances: int) -> bool:
        """True if everything is as promised."""
        return (
            self.paired == instances
            and self.received > 0
            and self.received == self.delivered
            and self.killed >= len(Victim)
            and not (self.lost or self.reordered or self.gaps or self.bad_signatures or self.repeated)
        )


class Tour:
    """One run of the script."""

    def __init__(self, world: World, say: Say, *, minutes: float) -> None:
        self._world = world
        self._say = say
        self._minutes = minutes
        self._traffic = Traffic(world, say)
        self._killed = 0
        self._samples: list[int] = []

    async def run(self) -> Result:
        """Run it, and say in words how it went."""
        world, say = self._world, self._say
        # When a demonstration is continued, "connected" can be what was true when it was stopped.
        wanted = sum(shown["desired"] == "connected" for shown in await world.api.instances())
        await faults.wait_for(Victim.ENGINE, os.getpid(), wanted)
        paired = await world.paired()
        sampling = asyncio.create_task(self._sample())
        try:
            async with self._traffic.watching():
                say("")
                say(f"{paired} accounts are paired. Now {len(CONTACTS)} contacts write to each of them, each")
                say("instance answers, and processes are killed (SIGKILL) while the messages flow.")
                await together(self._flow(), self._kill_all())
                say("Waiting until everything has arrived.")
                if not await self._traffic.settled(PATIENCE):
                    say(f"It has not, within {PATIENCE:.0f} s. Missing: {self._missing()}")
        finally:
            sampling.cancel()
            await asyncio.gather(sampling, return_exceptions=True)
        result = self._result(await world.paired())
        self._print(result)
        return result

    async def _flow(self) -> None:
        """At least one round of messages, and more of them until the time is over."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._minutes * 60
        while True:
            await together(
                *(
                    self._traffic.contact_writes(
                        number, contact, count=ROUND_MESSAGES, interval=ROUND_INTERVAL
                    )
                    for number in self._world.numbers
                    for contact in CONTACTS
                ),
                *(
                    self._traffic.instance_writes(number, contact, count=ROUND_MESSAGES // 2, interval=0.5)
                    for number, contact in zip(self._world.numbers, cycle(CONTACTS), strict=False)
                ),
            )
            if loop.time() >= end:
                return

    async def _kill_all(self) -> None:
        for victim in Victim:
            await asyncio.sleep(2.0)
            seconds = await faults.kill(victim, os.getpid())
            if seconds is None:
                self._say(f"  killed no {victim}: none was found, or no other took its place")
                continue
            self._killed += 1
            self._say(f"  killed one {victim}: another one took its place after {seconds:.1f} s")

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(SAMPLE_PERIOD)
            measured = await asyncio.to_thread(memory.measure)
            self._samples.append(measured.total())
            if self._minutes:
                ledger = self._world.ledger
                self._say(
                    f"  {ledger.inbound.arrived} of {ledger.inbound.started} delivered, "
                    f"{ledger.outbound.arrived} of {ledger.outbound.started} arrived, "
                    f"memory {memory.in_words(measured)}"
                )

    def _missing(self) -> str:
        ledger = self._world.ledger
        missing = [*ledger.inbound.missing, *ledger.outbound.missing]
        return ", ".join(missing[:10]) + (f" and {len(missing) - 10} more" if len(missing) > 10 else "")

    def _result(self, paired: int) -> Result:
        ledger = self._world.ledger
        growth = memory.growth(self._samples)
        p50, p99 = (ledger.percentile(share) for share in (0.5, 0.99))
        return Result(
            paired=paired,
            received=ledger.inbound.started,
            delivered=ledger.inbound.arrived,
            sent=self._traffic.accepted,
            lost=len(ledger.inbound.missing) + len(ledger.outbound.missing),
            duplicated=ledger.duplicated,
            killed=self._killed,
            reordered=ledger.reordered,
            gaps=ledger.gaps,
            bad_signatures=ledger.refused,
            repeated=ledger.inbound.repeated,
            latency_p50_ms=None if p50 is None else round(p50 * 1000),
            latency_p99_ms=None if p99 is None else round(p99 * 1000),
            memory_mib=round(memory.measure().total() / 2**20),
            memory_growth=None if growth is None else round(growth, 3),
            memory_flat=None if growth is None else growth <= memory.FLAT,
        )

    def _print(self, result: Result) -> None:
        say = self._say
        say("")
        say(f"  paired       {result.paired} accounts")
        say(f"  received     {result.received} messages that contacts wrote")
        say(f"  delivered    {result.delivered} of them to the webhook, with a valid signature")
        say(f"  sent         {result.sent} messages through the API")
        say(f"  killed       {result.killed} processes")
        say(f"  lost         {result.lost}")
        say(f"  duplicated   {result.duplicated} deliveries of an event that had come before")
        say(f"  out of order {result.reordered} within a chat, {result.gaps} gaps in the sequence numbers")
        if result.latency_p50_ms is not None:
            say(
                f"  latency      {result.latency_p50_ms} ms median, {result.latency_p99_ms} ms p99, "
                "the kills included"
            )
        if result.memory_growth is not None:
            flat = "flat" if result.memory_flat else "not flat"
            say(
                f"  memory       {result.memory_mib} MiB, {flat}: {result.memory_growth:+.1%} "
                "over the second half"
            )
