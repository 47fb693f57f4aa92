"""Whether an endpoint may be called now, and how often at a time. Pure.

Four things decide: the limit of open attempts, the circuit breaker, a pause that the endpoint asked for, and
its rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from actors.courier.breaker import Breaker, Memory, Rules
from actors.courier.limit import Limit
from actors.courier.records import DeliveryOptions
from actors.courier.retry import Blame, Outcome, Policy, blame, pause_of
from actors.rate import Bucket
from actors.settings import CourierSettings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Terms:
    """How an endpoint is treated: the settings, and what it says of itself. Seconds.

    Args:
        concurrency: attempts at a time, at first.
        concurrency_max: and at most.
        rate: attempts per second, None for as many as it bears.
        disable_after: of nothing but failures, after which it is switched off.
    """

    policy: Policy
    rules: Rules
    timeout: float
    connect_timeout: float
    concurrency: int
    concurrency_max: int
    rate: float | None
    disable_after: float


def terms(settings: CourierSettings, options: DeliveryOptions) -> Terms:
    """The terms of an endpoint with these options."""

    def either(option: T | None, setting: T) -> T:
        return setting if option is None else option

    return Terms(
        policy=Policy(
            schedule=either(options.schedule, settings.schedule),
            jitter=settings.jitter,
            retry_after_max=settings.retry_after_max,
            poison_attempts=either(options.poison_attempts, settings.poison_attempts),
        ),
        rules=Rules(settings.breaker_failures, settings.breaker_first, settings.breaker_longest),
        timeout=either(options.timeout, settings.timeout),
        connect_timeout=either(options.connect_timeout, settings.connect_timeout),
        concurrency=settings.concurrency,
        concurrency_max=either(options.concurrency, settings.concurrency_max),
        rate=either(options.rate, settings.rate),
        disable_after=either(options.disable_after, settings.disable_after),
    )


class Gate:
    """One endpoint's gate. Times are seconds since 1970.

    Args:
        memory: what `memory` was when the courier before left off.
    """

    def __init__(self, terms: Terms, now: float, memory: Memory | None = None) -> None:
        self._terms = terms
        self._limit = Limit(min(terms.concurrency, terms.concurrency_max), terms.concurrency_max)
        paused = memory is not None and memory.trips == 0
        self._pause = memory.until if memory is not None and paused else 0.0
        self._breaker = Breaker(terms.rules, None if paused else memory)
        self._bucket = _bucket(terms, now)

    def change(self, terms: Terms, now: float) -> None:
        """Go on by other terms. The endpoint is tried at once: somebody may have mended it."""
        if terms.rate != self._terms.rate:
            self._bucket = _bucket(terms, now)
        self._terms = terms
        self._limit.bound(terms.concurrency_max)
        self._breaker.rules = terms.rules
        self.try_now(now)

    def try_now(self, now: float) -> None:
        """Allow an attempt now, also if the circuit is open or the endpoint asked for a pause."""
        self._pause = 0.0
        self._breaker.try_now(now)

    @property
    def down(self) -> bool:
        """True while the endpoint counts as down, and only probes are sent."""
        return not self._breaker.closed

    @property
    def capacity(self) -> int:
        """Attempts that may be open, at least 1."""
        return self._limit.value if self._breaker.closed else 1

    def memory(self) -> Memory | None:
        """What outlives the courier: the breaker's, or a pause as one without trips."""
        return self._breaker.memory or (Memory(self._pause, 0) if self._pause else None)

    def opens_at(self, now: float) -> float | None:
        """When an attempt may be made: ``now`` or before if now, None if the end of a probe decides."""
        opens = self._breaker.opens_at(now)
        if opens is None:
            return None
        self._pause = min(self._pause, now + self._terms.policy.retry_after_max)  # the clock was ahead
        return max(opens, self._pause, now + self._bucket.wait(now) if self._bucket else 0.0)

    def enter(self, now: float) -> bool:
        """An attempt is to be made, at a time when one may be made. True if it is a probe."""
        if self._bucket:
            self._bucket.take(now)
        return self._breaker.started()

    def abandon(self, *, probe: bool) -> None:
        """It was not made after all."""
        self._breaker.abandoned(probe=probe)

    def leave(
        self, outcome: Outcome, event_id: str, *, probe: bool, open_attempts: int, started: float, now: float
    ) -> bool:
        """Take in how an attempt ended.

        Args:
            open_attempts: the one that ended included.

        Returns:
            True if a failure is not to be held against the event: the endpoint is down or wants to be left
            alone, or the way to it failed.
        """
        fault = blame(outcome)
        self._limit.learn(fault, open_attempts=open_attempts, started=started, now=now)
        self._breaker.learn(fault, event_id, probe=probe, now=now)
        pause = pause_of(outcome, self._terms.policy, now)
        if fault is None:
            self._pause = 0.0
        elif pause:
            self._pause = max(self._pause, now + pause)
        return bool(fault is not None and (pause or fault is Blame.NOBODY or not self._breaker.closed))


def _bucket(terms: Terms, now: float) -> Bucket | None:
    # A second's worth may come at once.
    return Bucket(terms.rate, terms.rate, now) if terms.rate else None
