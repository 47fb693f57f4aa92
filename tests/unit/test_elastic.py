"""How many slots the autoscaler is asked for, and which worker goes."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from actors.supervisor.elastic import WORKER, Limits, Member, plan

LIMITS = Limits(workers=10, slots=4, headroom=2, least=0)


def worker(name: str, used: int = 0, **more: object) -> Member:
    return Member(name, 4, used, group=WORKER, **more)  # type: ignore[arg-type]


def test_slots_are_requested_for_instances_that_have_no_node_yet_and_some_more() -> None:
    assert plan(5, [Member("head", 0, group="head")], LIMITS).request == 7
    assert plan(0, [], replace(LIMITS, least=9)).request == 9


def test_nodes_that_the_autoscaler_does_not_know_count_for_themselves() -> None:
    assert plan(5, [Member("static", 4, 4)], LIMITS).request == 3
    assert plan(5, [Member("static", 4, 4, ending=True)], LIMITS).request == 7


def test_a_leaving_worker_is_replaced_before_it_is_empty() -> None:
    # The autoscaler counts it: eight slots are there to it, four of them take nothing.
    assert plan(4, [worker("a", 4, leaving=True), worker("b")], LIMITS).request == 6 + 4
    # Once Ray drains it, the autoscaler does not count it any more.
    assert plan(4, [worker("a", 4, leaving=True, ending=True), worker("b")], LIMITS).request == 6


def test_more_than_there_can_be_is_not_requested() -> None:
    # Ray would start nothing at all.
    assert plan(400, [], LIMITS).request == 40
    # Started when they had fewer each.
    small = [replace(worker(name), slots=3) for name in "abc"]
    assert plan(400, small, LIMITS).request == 3 * 3 + 7 * 4
    assert plan(400, [worker("a", ending=True), *small], LIMITS).request == 3 * 3 + 7 * 4


def test_an_emptied_worker_ends_and_nothing_else_does() -> None:
    members = [
        worker("empty", leaving=True),
        worker("courier", leaving=True, couriers=1),
        worker("busy", 1, leaving=True),
        worker("ended", leaving=True, ending=True),
        worker("serving"),
        Member("static", 4, leaving=True),
        Member("head", 0, group="head", leaving=True),
    ]
    assert plan(1, members, LIMITS).empty == ("empty",)


def test_the_least_loaded_worker_is_one_too_many_if_the_others_have_room() -> None:
    members = [worker("a", 2), worker("b", 1), worker("c", 2)]
    assert plan(5, members, LIMITS).surplus == "b"
    assert plan(7, [worker("a", 3), worker("b", 2), worker("c", 2)], LIMITS).surplus is None
    assert plan(5, members, replace(LIMITS, least=9)).surplus is None


def test_workers_go_one_at_a_time_and_not_while_an_instance_waits() -> None:
    members = [worker("a", 1), worker("b", 1), worker("c"), worker("d")]
    assert plan(2, members, LIMITS).surplus == "c"
    assert plan(2, [*members, worker("e", leaving=True)], LIMITS).surplus is None
    assert plan(3, members, LIMITS).surplus is None


@given(
    instances=st.integers(0, 60),
    then=st.integers(0, 60),
    headroom=st.integers(0, 10),
    size=st.integers(1, 8),
    most=st.integers(1, 12),
)
def test_it_settles_at_the_fewest_workers_that_do(
    instances: int, then: int, headroom: int, size: int, most: int
) -> None:
    limits = Limits(most, size, headroom, 0)
    workers: list[Member] = []
    made = 0
    for wanted in (instances, then):
        for _ in range(60):
            members = [replace(one, used=0) for one in workers]
            # Instances go wherever there is room, and leave what is leaving.
            left = wanted
            for index, one in enumerate(members):
                if one.serves:
                    members[index] = replace(one, used=min(left, one.slots))
                    left -= members[index].used
            decided = plan(wanted, members, limits)
            assert decided.request <= most * size
            if decided.surplus is not None:
                serving = sum(one.slots for one in members if one.serves and one.id != decided.surplus)
                assert serving >= wanted + headroom
            workers = [
                replace(one, leaving=one.leaving or one.id == decided.surplus)
                for one in members
                if one.id not in decided.empty
            ]
            while sum(one.slots for one in workers) < decided.request:
                workers.append(Member(f"w{made}", size, group=WORKER))
                made += 1
            assert len(workers) <= most
        assert len(workers) == min(most, -(-(wanted + headroom) // size))
        assert all(one.serves for one in workers)
