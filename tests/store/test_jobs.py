"""Work that waits: put down with an event, finished or moved on with others, each in one step."""

from __future__ import annotations

import pytest

from actors.events import EventDraft, EventType
from actors.instance.history_offers import Part
from actors.instance.jobs import Jobs, waiting
from actors.instance.mailbox import Mailbox, MailboxFull
from actors.registry import Registry
from actors.settings import MailboxSettings
from actors.store import StaleEpoch, Store
from tests.proxy import Proxy
from tests.store.samples import INSTANCE, draft, grant, raise_floor, snapshot

PART = Part(id="H1", sync="recent", chunk=1, request_id=None, notification="CgA=", offered_at=1.0)
NEXT = PART.model_copy(update={"start": 9, "pages": 1})


def parts(mailbox: Mailbox, epoch: int) -> Jobs[Part]:
    return Jobs(mailbox, epoch, "history", Part)


def offered(part: Part = PART) -> EventDraft:
    made = draft(f"history:{part.id}", type=EventType.HISTORY_OFFERED)
    return made.model_copy(update={"waiting": waiting("history", part)})


def page(start: int) -> EventDraft:
    return draft(f"history:H1:{start}", type=EventType.HISTORY_MESSAGES)


async def test_a_job_waits_with_its_event_and_is_no_part_of_it(mailbox: Mailbox, epoch: int) -> None:
    await mailbox.append(epoch, offered())
    assert await parts(mailbox, epoch).all() == [PART]
    [event] = await mailbox.read()
    assert "CgA=" not in event.model_dump_json()


async def test_it_moves_on_with_each_page_and_ends_with_the_last(mailbox: Mailbox, epoch: int) -> None:
    jobs = parts(mailbox, epoch)
    await mailbox.append(epoch, offered())
    assert await jobs.finish(PART, page(0), rest=NEXT, aliases={"1@lid": "1@lid"})
    assert await jobs.all() == [NEXT]
    assert await mailbox.chats() == {"1@lid": "1@lid"}
    assert await jobs.finish(NEXT, page(9))
    assert await jobs.all() == []
    assert [event.type for event in await mailbox.read()] == ["history.offered", *["history.messages"] * 2]


async def test_a_page_that_is_stored_twice_is_there_once(mailbox: Mailbox, epoch: int) -> None:
    """As when the answer of Redis was lost."""
    jobs = parts(mailbox, epoch)
    await mailbox.append(epoch, offered())
    for _ in range(2):
        assert await jobs.finish(PART, page(0), rest=NEXT)
    assert await jobs.all() == [NEXT]
    assert await jobs.finish(NEXT, page(9))
    # What comes late adds nothing, and brings no job back.
    assert not await jobs.finish(NEXT, page(9))
    assert not await jobs.finish(PART, page(0), rest=NEXT)
    assert await jobs.all() == []
    assert len(await mailbox.read()) == 3


async def test_a_full_mailbox_refuses_a_page_and_the_job_stays(store: Store, registry: Registry) -> None:
    epoch = await grant(registry)
    mailbox = Mailbox(store, INSTANCE, MailboxSettings(soft_bound=1, hard_bound=1))
    await raise_floor(mailbox, 0)
    await mailbox.append(epoch, offered())
    before = await snapshot(store)
    with pytest.raises(MailboxFull):
        await parts(mailbox, epoch).finish(PART, page(0), rest=NEXT, force=False)
    assert await snapshot(store) == before
    # That a part failed is told all the same: nobody holds it for us.
    assert await parts(mailbox, epoch).finish(PART, page(0))


async def test_who_is_no_longer_the_owner_changes_nothing(
    store: Store, mailbox: Mailbox, registry: Registry, epoch: int
) -> None:
    await mailbox.append(epoch, offered())
    await grant(registry, after=epoch)
    before = await snapshot(store)
    stale = parts(mailbox, epoch)
    with pytest.raises(StaleEpoch):
        await stale.finish(PART, page(0), rest=NEXT)
    with pytest.raises(StaleEpoch):
        await stale.delay(NEXT)
    assert await snapshot(store) == before
    assert await parts(mailbox, epoch + 1).all() == [PART]


async def test_a_lost_answer_is_asked_for_again(
    proxy: Proxy, proxied_mailbox: Mailbox, mailbox: Mailbox, epoch: int
) -> None:
    await mailbox.append(epoch, offered())
    proxy.lose_reply(times=2)
    assert await parts(proxied_mailbox, epoch).finish(PART, page(0), rest=NEXT)
    assert proxy.lost == 2
    assert await parts(mailbox, epoch).all() == [NEXT]
    assert len(await mailbox.read()) == 2


async def test_a_job_of_another_version_is_left_alone(store: Store, mailbox: Mailbox, epoch: int) -> None:
    await mailbox.append(epoch, offered())
    await store.redis.hset(mailbox.key("history"), "H2", '{"id": "H2"}')
    assert await parts(mailbox, epoch).all() == [PART]
    assert await store.redis.hexists(mailbox.key("history"), "H2")
