"""Contacts, the pure parts: what is asked first, when nothing is, how old is too old, what events teach."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.events import EventDraft, EventType
from actors.instance.connection.chats import ChatIds
from actors.instance.contacts.agenda import Agenda, Priority, Subject
from actors.instance.contacts.breaker import Breaker, State
from actors.instance.contacts.facts import Age, Fact, Kind, age_of, changes
from actors.instance.contacts.lessons import Lesson, Names, lessons, with_names
from actors.registry import now
from actors.settings import ContactSettings

SETTINGS = ContactSettings()


def of(number: int) -> Subject:
    return Kind.PERSON, f"{number}@lid"


# ---- the agenda -----------------------------------------------------------------------------------------


def test_who_waits_comes_first_and_in_order_then_the_latest() -> None:
    agenda = Agenda(10)
    for number, priority in enumerate([2, 1, 0, 2, 0, 1]):
        assert agenda.add(of(number), Priority(priority))
    order = []
    while (subject := agenda.next()) is not None:
        order.append(subject)
    assert order == [of(2), of(4), of(5), of(1), of(3), of(0)]


@given(
    st.integers(1, 8),
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from(Priority)) | st.none(), max_size=80),
)
def test_the_agenda_is_bounded_and_loses_only_what_nobody_waits_for(
    bound: int, steps: list[tuple[int, Priority] | None]
) -> None:
    agenda, model = Agenda(bound), dict[Subject, Priority]()
    for step in steps:
        if step is None:
            taken = agenda.next()
            assert (taken is None) == (not model)
            if taken is not None:
                assert model[taken] == min(model.values())
                del model[taken]
            continue
        subject, priority = of(step[0]), step[1]
        before = dict(model)
        if agenda.add(subject, priority):
            model[subject] = min(priority, model.get(subject, priority))
        else:
            assert len(before) == bound, "refused only when it is full"
            assert all(kept < priority or kept is Priority.ASKED for kept in before.values())
        for gone in [one for one in model if one not in agenda]:
            assert model.pop(gone) is not Priority.ASKED
        assert len(agenda) == len(model) <= bound
    asked = [one for one, priority in model.items() if priority is Priority.ASKED]
    assert set(agenda.asked()) == set(asked)


@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from(Priority)), max_size=40))
def test_nothing_is_taken_before_what_is_more_important(steps: list[tuple[int, Priority]]) -> None:
    agenda, model = Agenda(100), dict[Subject, Priority]()
    for number, priority in steps:
        agenda.add(of(number), priority)
        model[of(number)] = min(priority, model.get(of(number), priority))
    taken = []
    while (subject := agenda.next()) is not None:
        taken.append(model.pop(subject))
    assert taken == sorted(taken)
    assert not model, "each stands in it once, and none is forgotten"


def test_prefetching_can_be_put_off() -> None:
    agenda = Agenda(10)
    agenda.add(of(1), Priority.PREFETCH)
    assert agenda.next(Priority.STALE) is None
    agenda.add(of(1), Priority.STALE)
    assert agenda.next(Priority.STALE) == of(1)


# ---- the breaker ----------------------------------------------------------------------------------------


def test_a_run_of_time_outs_opens_it_and_an_answer_closes_it() -> None:
    breaker = Breaker(3, 30.0, 100.0)
    for _ in range(2):
        breaker.timed_out(0.0, probe=breaker.started())
    breaker.answered()
    for _ in range(3):
        assert breaker.state is State.CLOSED
        breaker.timed_out(0.0, probe=breaker.started())
    assert (breaker.state, breaker.wait(0.0), breaker.opened) == (State.OPEN, 30.0, 1)
    now, waits = 0.0, []
    for _ in range(4):
        wait = breaker.wait(now)
        assert wait is not None
        waits.append(wait)
        now += wait
        assert breaker.started()
        assert breaker.wait(now) is None, "nothing beside the probe"
        breaker.timed_out(now, probe=True)
    assert waits == [30.0, 60.0, 100.0, 100.0]
    breaker.answered()
    assert (breaker.state, breaker.wait(now)) == (State.CLOSED, 0.0)


def test_a_word_of_too_many_questions_opens_it_at_once() -> None:
    breaker = Breaker(3, 30.0, 100.0)
    breaker.started()
    breaker.trip(5.0)
    assert breaker.wait(5.0) == 30.0


@given(
    st.lists(
        st.tuples(st.sampled_from(["answer", "time-out", "cut", "late", "trip"]), st.floats(0, 50)),
        max_size=60,
    )
)
def test_the_breaker_can_always_be_left(steps: list[tuple[str, float]]) -> None:
    breaker, now = Breaker(3, 30.0, 100.0), 0.0
    for what, pause in steps:
        wait = breaker.wait(now)
        assert wait is not None, "no probe is under way, so one may begin"
        assert 0.0 <= wait <= 100.0 + 1e-9, "apart from what adding times costs"
        now += wait
        probe = breaker.started()
        if what == "answer":
            breaker.answered()
            assert breaker.wait(now) == 0.0
        elif what == "time-out":
            breaker.timed_out(now, probe=probe)
        elif what == "trip":
            breaker.trip(now)
        else:
            if what == "late":
                breaker.timed_out(now, probe=False)  # one of before it opened
            breaker.abandoned(probe=probe)
        now += pause


# ---- how old is too old ---------------------------------------------------------------------------------


@given(
    st.sampled_from([Kind.PERSON, Kind.PICTURE, Kind.GROUP]),
    st.booleans(),
    st.floats(0, 1e8),
    st.floats(0, 1e8),
)
def test_it_only_grows_older(kind: Kind, there: bool, first: float, more: float) -> None:
    fact = Fact(data={"about": "x"} if there else None, at=1000.0)
    order = [Age.FRESH, Age.STALE, Age.GONE]
    earlier = age_of(fact, kind, SETTINGS, 1000.0 + first)
    later = age_of(fact, kind, SETTINGS, 1000.0 + first + more)
    assert order.index(earlier) <= order.index(later)


def test_ages_by_kind() -> None:
    there, absent = Fact(data={"id": "1"}, at=0.0), Fact(data=None, at=0.0, why="not_set")
    assert age_of(None, Kind.PERSON, SETTINGS, 0.0) is Age.GONE
    assert age_of(there, Kind.PERSON, SETTINGS, SETTINGS.ttl_picture + 1) is Age.FRESH
    assert age_of(there, Kind.PICTURE, SETTINGS, SETTINGS.ttl_picture + 1) is Age.STALE
    assert age_of(there, Kind.PICTURE, SETTINGS, 90_000.0) is Age.GONE, "its link may be dead"
    assert age_of(absent, Kind.PERSON, SETTINGS, SETTINGS.ttl_absent + 1) is Age.STALE
    assert age_of(there, Kind.PERSON, SETTINGS, -50.0) is Age.FRESH, "the clock was set back"


def test_changes_are_only_between_two_answers() -> None:
    before = Fact(data={"about": "old", "picture_id": "7", "verified_name": None}, at=0.0)
    after = Fact(data={"about": None, "picture_id": "7", "verified_name": "Padaria"}, at=1.0)
    assert changes(before, after, Kind.PERSON) == {"about": "", "verified_name": "Padaria"}
    assert changes(None, after, Kind.PERSON) == {}
    assert changes(before, Fact(data=None, at=1.0, why="hidden"), Kind.PERSON) == {}


# ---- what events teach ----------------------------------------------------------------------------------

ANA: dict[str, Any] = {"phone": "+5511912345678", "lid": "1@lid", "name": None}
DIRECT: dict[str, Any] = {"id": "1@lid", "kind": "direct", "phone": "+5511912345678", "lid": "1@lid"}
GROUP: dict[str, Any] = {"id": "12@g.us", "kind": "group", "phone": None, "lid": None}


def event(kind: EventType, **data: Any) -> EventDraft:
    return EventDraft(type=kind, dedupe_key="k", occurred_at=now(), received_at=now(), data=data)


@pytest.mark.parametrize(
    ("told", "learnt"),
    [
        (
            event(EventType.MESSAGE_RECEIVED, chat=GROUP, sender=ANA, push_name="Ana", from_me=False),
            [Lesson(Kind.NAME, "1@lid", {"name": "Ana"})],
        ),
        (event(EventType.MESSAGE_SENT, chat=DIRECT, sender=ANA, push_name="Me", from_me=True), []),
        (
            event(EventType.GROUP_CHANGED, chat=GROUP, changes={"name": "New", "locked": True}),
            [
                Lesson(Kind.NAME, "12@g.us", {"name": "New"}),
                Lesson(Kind.GROUP, "12@g.us", {"name": "New"}, amend=True),
            ],
        ),
        (
            event(EventType.GROUP_JOINED, chat=GROUP, group={"name": "Old"}),
            [Lesson(Kind.NAME, "12@g.us", {"name": "Old"})],
        ),
        (
            event(EventType.CONTACT_CHANGED, chat=DIRECT, changes={"picture_id": ""}),
            [
                Lesson(Kind.PERSON, "1@lid", {"picture_id": None}, amend=True),
                Lesson(Kind.PICTURE, "1@lid", None),
                Lesson(Kind.PREVIEW, "1@lid", None),
            ],
        ),
        (event(EventType.MESSAGE_STATUS, chat=DIRECT, sender=ANA), []),
        (event(EventType.CONNECTION_CHANGED, state="connected"), []),
    ],
)
def test_what_events_teach(told: EventDraft, learnt: list[Lesson]) -> None:
    assert list(lessons(told, ChatIds())) == learnt


def test_events_are_told_with_the_names_that_are_known() -> None:
    names, chats = Names(2), ChatIds()
    assert names.learn("1@lid", "Ana")
    assert not names.learn("1@lid", "Ana")
    names.learn("12@g.us", "Friends")
    told = with_names(event(EventType.MESSAGE_STATUS, chat=GROUP, sender=ANA), names, chats).data
    assert (told["chat"]["name"], told["sender"]["name"]) == ("Friends", "Ana")
    came = with_names(
        event(EventType.MESSAGE_RECEIVED, chat=DIRECT, sender=ANA | {"name": "Aninha"}), names, chats
    )
    assert came.data["sender"]["name"] == "Aninha", "what came with the event goes first"
    names.learn("3@lid", "Caio")
    assert names.get("1@lid") is None, "bounded: who was not heard of for longest goes"
    assert ANA["name"] is None, "what was given is left alone"
