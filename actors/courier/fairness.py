"""Who gets the next slot of a courier: by the seconds that slots were held, tenants first. Pure.

A slot is an attempt that may be open. Counting attempts would favour the slow: an endpoint that holds each of
its slots for 15 s takes a thousand times as much as one that answers at once. So what is shared out is time:
whoever held slots the least lately is next, among tenants first and then among the endpoints of that tenant.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

K = TypeVar("K")

HALF_LIFE = 60.0
"""Seconds after which half of what was used is forgotten."""
FORGOTTEN = 0.001
"""Seconds of use that are not worth remembering."""


class Party(NamedTuple):
    """Who asks for a slot."""

    tenant: str
    endpoint: str


class _Account:
    __slots__ = ("_at", "_used", "open")

    def __init__(self, now: float) -> None:
        self.open = 0
        self._used = 0.0
        self._at = now

    def used(self, now: float) -> float:
        """Seconds of slots used lately, those that are open included."""
        passed = now - self._at
        if passed > 0:
            self._used = self._used * 0.5 ** (passed / HALF_LIFE) + self.open * passed
            self._at = now
        return self._used


class Shares:
    """The slots of one courier. Knows no clock of its own, all times are seconds of the caller's.

    Args:
        total: slots that there are.
        reserved: of them, how many only those get that hold none: however slow the others are, who comes
            with its first attempt does not wait behind them.
    """

    def __init__(self, total: int, reserved: int) -> None:
        self.total = total
        self._reserved = min(reserved, total - 1)
        self._open = 0
        self._tenants: dict[str, _Account] = {}
        self._endpoints: dict[Party, _Account] = {}

    @property
    def open(self) -> int:
        """Slots that are held."""
        return self._open

    def free(self, party: Party) -> bool:
        """True if there is a slot for this one."""
        account = self._endpoints.get(party)
        holds = account is not None and account.open > 0
        return self._open < (self.total - self._reserved if holds else self.total)

    def take(self, party: Party, now: float) -> None:
        """A slot is held from now on."""
        self._open += 1
        for account in self._accounts(party, now):
            account.used(now)
            account.open += 1

    def give(self, party: Party, now: float) -> None:
        """A slot is free again."""
        self._open -= 1
        for account in self._accounts(party, now):
            account.used(now)
            account.open -= 1

    def next(self, waiting: Iterable[Party], now: float) -> Party | None:
        """Of those who wait, the one that is to get a slot; None if there is none for any of them."""
        eligible = [party for party in waiting if self.free(party)]
        if not eligible:
            return None
        tenants = {party.tenant for party in eligible}
        tenant = min(tenants, key=lambda name: (_used(self._tenants.get(name), now), name))
        mine = (party for party in eligible if party.tenant == tenant)
        return min(mine, key=lambda party: (_used(self._endpoints.get(party), now), party))

    def forget(self, now: float) -> None:
        """Drop what is not worth remembering any more."""
        self._tenants = _worth_remembering(self._tenants, now)
        self._endpoints = _worth_remembering(self._endpoints, now)

    def _accounts(self, party: Party, now: float) -> tuple[_Account, _Account]:
        tenant, endpoint = self._tenants.get(party.tenant), self._endpoints.get(party)
        if tenant is None:
            tenant = self._tenants[party.tenant] = _Account(now)
        if endpoint is None:
            endpoint = self._endpoints[party] = _Account(now)
        return tenant, endpoint


def _used(account: _Account | None, now: float) -> float:
    return account.used(now) if account else 0.0


def _worth_remembering(accounts: dict[K, _Account], now: float) -> dict[K, _Account]:
    return {
        key: account for key, account in accounts.items() if account.open or account.used(now) >= FORGOTTEN
    }
