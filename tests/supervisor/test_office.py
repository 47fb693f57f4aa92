"""Who is to lead: a record that only changes as it was read."""

from __future__ import annotations

import pytest

from actors.store import Store
from actors.supervisor.office import Conflict, Office, Offices
from actors.supervisor.rollout_record import Phase, Rollout

ROLLOUT = Rollout(id="r", old="old", new="new", began_at=1.0)


@pytest.fixture
def offices(store: Store) -> Offices:
    return Offices(store)


async def test_of_two_that_change_the_same_one_is_told_so(offices: Offices) -> None:
    assert await offices.read() is None
    first = await offices.write(Office(appointed="old"))
    assert await offices.read() == first
    with pytest.raises(Conflict):
        await offices.write(Office(appointed="other"))
    # A lost answer is asked for again.
    assert await offices.write(Office(appointed="old")) == first
    await offices.write(first.begin(ROLLOUT))
    with pytest.raises(Conflict):
        await offices.write(first.appoint("other"))


def test_a_roll_out_says_who_leads_and_who_stands_by() -> None:
    office = Office(appointed="old").begin(ROLLOUT)
    assert (office.appointed, office.standby, office.term) == ("new", "old", 2)
    paused = office.follow(ROLLOUT.change(paused=True))
    assert (paused.appointed, paused.standby, paused.term) == ("new", "old", 2)
    done = office.follow(ROLLOUT.over(Phase.DONE, 2.0))
    assert (done.appointed, done.standby, done.rolling) == ("new", None, None)

    back = office.follow(ROLLOUT.turned("asked"))
    assert (back.appointed, back.standby, back.term) == ("old", "new", 3)
    assert back.follow(back.rolling.turned("again")) == back
    ended = back.follow(back.rolling.over(Phase.ROLLED_BACK, 2.0))
    assert (ended.appointed, ended.standby) == ("old", None)


def test_a_roll_out_that_all_supervisors_were_ended_in_is_lost() -> None:
    office = Office(appointed="old").begin(ROLLOUT).appoint("third")
    assert (office.appointed, office.standby, office.rollout.phase) == ("third", None, Phase.LOST)


async def test_only_who_leads_beats(offices: Offices) -> None:
    await offices.beat("new", 60)
    assert await offices.beats("new")
    assert not await offices.beats("old")
