"""Couriers whose settings differ, as while a roll-out changes their number: each endpoint has one of them."""

from __future__ import annotations

from actors.courier import council
from actors.courier.courier import Courier
from actors.store import Store
from tests.courier.conftest import Account, MakeSettings, StartCourier, eventually
from tests.courier.receiver import Receiver


async def test_couriers_agree_on_their_number_whatever_they_were_started_with(
    account: Account,
    receiver: Receiver,
    start_courier: StartCourier,
    make_settings: MakeSettings,
    store: Store,
) -> None:
    endpoints = [await account.endpoints.create(receiver.url(f"/{number}")) for number in range(12)]

    def serves(courier: Courier) -> set[str]:
        return {line.record.id for line in courier.lines}

    async def delivered(seq: int) -> None:
        for endpoint in endpoints:
            await account.settled(endpoint.id, seq)
        for number in range(12):
            assert receiver.seqs(f"/{number}") == list(range(1, seq + 1))

    one = await start_courier(0, None, by=make_settings(count=1))
    await account.append()
    await delivered(1)

    # One more is wanted.
    await council.announce(store, 2)
    two = await start_courier(1, None, by=make_settings(count=2))

    async def shared() -> bool:
        return serves(one) | serves(two) == {e.id for e in endpoints} and not serves(one) & serves(two)

    await eventually(shared, seconds=20)
    assert serves(one)
    assert serves(two)
    await account.append()
    await delivered(2)

    # It is not wanted any more, and nobody ends it.
    await council.announce(store, 1)

    async def alone() -> bool:
        return serves(one) == {e.id for e in endpoints} and not serves(two)

    await eventually(alone, seconds=20)
    await account.append()
    await delivered(3)
