"""Dead letters that are replayed: found without a ring, in order per chat, none lost."""

from __future__ import annotations

from aiohttp import web

from actors.courier.records import DeliveryOptions
from actors.store import Store, connect
from tests.courier.conftest import Account, MakeSettings, Running, StartCourier, eventually
from tests.courier.receiver import Got, Receiver


async def refuse(got: Got, request: web.Request) -> web.Response:
    return web.Response(status=400)


async def test_a_sweep_finds_replays_and_tests_without_a_ring(
    account: Account,
    receiver: Receiver,
    start_courier: StartCourier,
    running: Running,
    redis_url: str,
    prefix: str,
) -> None:
    # Rings come by a connection of their own, which here leads nowhere.
    deaf = Store("redis://127.0.0.1:1/0", prefix, redis=connect(redis_url))
    endpoint = await account.endpoints.create(receiver.url(), delivery=DeliveryOptions(schedule=()))
    receiver.answer(refuse)
    try:
        courier = await start_courier(on=deaf)
        await account.append()
        await account.settled(endpoint.id, 1)
        receiver.obey()
        assert await account.endpoints.replay_since(endpoint.id) == 1
        await receiver.wait(lambda: receiver.seqs() == [1], seconds=20)
        await account.endpoints.send_test(endpoint.id)
        await receiver.wait(lambda: receiver.seqs() == [1, 0], seconds=20)
        await running.kill(courier)
    finally:
        await deaf.close()


async def test_a_letter_that_died_again_goes_before_the_later_ones_of_its_chat(
    account: Account, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    endpoint = await account.endpoints.create(receiver.url(), delivery=DeliveryOptions(schedule=()))
    receiver.answer(refuse)
    await start_courier()
    for _ in range(5):
        await account.append("a")
    await account.settled(endpoint.id, 5)
    letters = await account.endpoints.dead_letters(endpoint.id)
    assert [letter.seq for letter in letters] == [1, 2, 3, 4, 5]

    await account.endpoints.replay(endpoint.id, letters[1].id)

    async def dead_again() -> bool:
        return [d.seq for d in await account.endpoints.dead_letters(endpoint.id)] == [1, 3, 4, 5, 2]

    await eventually(dead_again)
    receiver.obey()
    assert await account.endpoints.replay_since(endpoint.id) == 5
    await receiver.wait_taken(5)
    assert receiver.seqs() == [1, 2, 3, 4, 5]
