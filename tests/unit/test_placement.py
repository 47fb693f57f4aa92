"""Placement: where an instance goes, how a node is emptied, how load is evened out."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.supervisor.placement import (
    Instance,
    Move,
    Node,
    affinity,
    choose,
    choose_for_courier,
    plan_rebalance,
)


def test_the_least_loaded_node_is_chosen() -> None:
    nodes = [Node("a", 10, used=5), Node("b", 100, used=20), Node("c", 10, used=4)]
    assert choose(Instance("i"), nodes) == "b"


def test_load_counts_with_the_instance_itself() -> None:
    # Both are empty, but one would be half full.
    assert choose(Instance("i"), [Node("small", 2), Node("big", 10)]) == "big"


def test_the_target_is_taken_if_it_will_do() -> None:
    nodes = [Node("a", 10, used=9), Node("b", 10)]
    assert choose(Instance("i"), nodes, target="a") == "a"
    assert choose(Instance("i"), nodes, target="a", excluded={"a"}) == "b"
    assert choose(Instance("i"), nodes, target="unknown") == "b"


@pytest.mark.parametrize(
    "node",
    [
        Node("a", 10, draining=True),
        Node("a", 10, alive=False),
        Node("a", 10, used=10),
        Node("a", 10, used=11),
        Node("a", 0),
        Node("a", 10, labels={"zone": "2"}),
        Node("x", 10, labels={"zone": "1"}),
    ],
)
def test_a_node_that_will_not_do_is_never_chosen(node: Node) -> None:
    assert choose(Instance("i", requires={"zone": "1"}), [node], excluded={"x"}, target="a") is None


def test_equals_are_told_apart_by_affinity_and_not_by_order() -> None:
    nodes = [Node(name, 10) for name in "abcd"]
    chosen = {i: choose(Instance(f"i{i}"), nodes) for i in range(100)}
    assert chosen == {i: choose(Instance(f"i{i}"), nodes[::-1]) for i in range(100)}
    assert all(
        affinity(f"i{i}", node or "") == max(affinity(f"i{i}", n.id) for n in nodes)
        for i, node in chosen.items()
    )
    assert set(chosen.values()) == set("abcd")


def test_a_courier_goes_where_the_fewest_are_and_only_at_need_to_a_node_that_leaves() -> None:
    a, b, c = Node("a", 5), Node("b", 10), Node("c", 10, draining=True)
    assert choose_for_courier([a, b, c], {"a": 1}) == "b"
    assert choose_for_courier([a, b, c], {"a": 2, "b": 1}) == "b"
    assert choose_for_courier([a, b, c], {"a": 2}, avoided="b") == "a"
    assert choose_for_courier([b, c], {"b": 9}, avoided="b") == "b"
    assert choose_for_courier([c], {}) == "c"


def test_a_courier_goes_to_a_node_without_slots_only_at_need() -> None:
    head, worker, leaving = Node("a", 0), Node("b", 10), Node("c", 10, draining=True)
    assert choose_for_courier([head, worker, leaving], {"b": 9}) == "b"
    assert choose_for_courier([head, worker], {}, avoided="b") == "a"
    assert choose_for_courier([head, leaving], {}) == "a"


def test_a_new_node_takes_its_share() -> None:
    nodes = [Node("a", 20, used=10), Node("b", 20, used=10), Node("new", 20)]
    instances = [Instance(f"{node}{i}", node) for node in "ab" for i in range(10)]
    moves = plan_rebalance(instances, nodes, max_moves=100, threshold=0)
    assert {move.target for move in moves} == {"new"}
    assert Counter(move.source for move in moves) == {"a": 3, "b": 3}
    assert len(plan_rebalance(instances, nodes, max_moves=2, threshold=0)) == 2


def test_a_difference_below_the_threshold_moves_nothing() -> None:
    nodes = [Node("a", 100, used=15), Node("b", 100, used=5)]
    instances = [Instance(f"i{i}", "a") for i in range(15)]
    assert plan_rebalance(instances, nodes, max_moves=10, threshold=0.1) == ()
    assert len(plan_rebalance(instances, nodes, max_moves=10, threshold=0.09)) == 1
    assert len(plan_rebalance(instances, nodes, max_moves=10, threshold=0)) == 5


def test_a_threshold_is_not_negative() -> None:
    with pytest.raises(ValueError, match="threshold"):
        plan_rebalance([], [], max_moves=1, threshold=-0.1)


def test_pinned_and_draining_stay_where_they_are() -> None:
    nodes = [Node("a", 10, used=4), Node("b", 10, used=5, draining=True), Node("c", 10)]
    instances = [Instance("a1", "a", pinned=True), Instance("a2", "a", requires={"disk": "fast"})]
    instances += [Instance(f"b{i}", "b") for i in range(5)]
    assert plan_rebalance(instances, nodes, max_moves=10, threshold=0) == ()
    nodes[2] = replace(nodes[2], labels={"disk": "fast"})
    assert plan_rebalance(instances, nodes, max_moves=10, threshold=0) == (Move("a2", "a", "c"),)


# ---- what holds for every cluster ----

ZONES = st.sampled_from([{}, {"zone": "1"}, {"zone": "2"}])


@st.composite
def clusters(draw: st.DrawFn) -> tuple[list[Node], list[Instance]]:
    """Nodes that hold the instances that are on them, and a few slots taken by others."""
    nodes: list[Node] = []
    instances: list[Instance] = []
    for number in range(draw(st.integers(1, 6))):
        name = f"n{number}"
        capacity = draw(st.integers(0, 12))
        own = draw(st.integers(0, capacity))
        labels = draw(ZONES)
        for i in range(own):
            requires = labels if draw(st.booleans()) else {}
            pinned = draw(st.integers(0, 4)) == 0
            instances.append(Instance(f"{name}.{i}", name, requires, pinned))
        used = draw(st.integers(own, capacity))
        nodes.append(
            Node(name, capacity, used, draw(st.integers(0, 5)) == 0, draw(st.integers(0, 5)) > 0, labels)
        )
    return nodes, instances


def apply(
    nodes: list[Node], instances: list[Instance], moves: tuple[Move, ...]
) -> tuple[list[Node], list[Instance]]:
    """The cluster after the moves, each of which must be allowed when it is its turn."""
    by_id = {node.id: node for node in nodes}
    at = {instance.id: instance for instance in instances}
    for move in moves:
        instance = at[move.instance_id]
        assert move.source is not None
        assert move.target is not None
        source, target = by_id[move.source], by_id[move.target]
        assert instance.node == source.id
        assert target.alive
        assert not target.draining
        assert target.used < target.capacity
        assert instance.requires.items() <= target.labels.items()
        by_id[source.id] = replace(source, used=source.used - 1)
        by_id[target.id] = replace(target, used=target.used + 1)
        at[instance.id] = replace(instance, node=target.id)
    return list(by_id.values()), list(at.values())


def unevenness(nodes: list[Node]) -> Fraction:
    return sum((Fraction(n.used * (n.used + 1), n.capacity) for n in nodes if n.capacity), Fraction(0))


@settings(deadline=None)
@given(clusters(), st.data())
def test_a_choice_is_allowed_and_no_other_is_better(
    cluster: tuple[list[Node], list[Instance]], data: st.DataObject
) -> None:
    nodes, _ = cluster
    excluded = data.draw(st.sets(st.sampled_from([node.id for node in nodes])))
    instance = Instance("new", requires=data.draw(ZONES))
    fit = [
        node
        for node in nodes
        if node.alive
        and not node.draining
        and node.used < node.capacity
        and node.id not in excluded
        and instance.requires.items() <= node.labels.items()
    ]
    chosen = choose(instance, nodes, excluded=excluded)
    assert (chosen is None) == (not fit)
    if fit:
        loads = {node.id: Fraction(node.used + 1, node.capacity) for node in fit}
        assert loads[chosen or ""] == min(loads.values())


@settings(deadline=None)
@given(clusters(), st.integers(0, 10), st.sampled_from([0.0, 0.1, 0.25]))
def test_a_rebalance_is_bounded_allowed_and_makes_it_better(
    cluster: tuple[list[Node], list[Instance]], max_moves: int, threshold: float
) -> None:
    nodes, instances = cluster
    moves = plan_rebalance(instances, nodes, max_moves=max_moves, threshold=threshold)
    assert moves == plan_rebalance(instances[::-1], nodes[::-1], max_moves=max_moves, threshold=threshold)
    assert len(moves) <= max_moves
    assert len({move.instance_id for move in moves}) == len(moves)
    pinned = {instance.id for instance in instances if instance.pinned}
    assert not pinned & {move.instance_id for move in moves}
    after, _ = apply(nodes, instances, moves)
    if moves:
        assert unevenness(after) < unevenness(nodes)


@settings(deadline=None)
@given(clusters(), st.integers(1, 5), st.sampled_from([0.0, 0.1]))
def test_rebalances_come_to_an_end_and_stay_there(
    cluster: tuple[list[Node], list[Instance]], max_moves: int, threshold: float
) -> None:
    nodes, instances = cluster
    for _ in range(len(instances) * len(nodes) + 1):
        moves = plan_rebalance(instances, nodes, max_moves=max_moves, threshold=threshold)
        if not moves:
            break
        nodes, instances = apply(nodes, instances, moves)
    assert plan_rebalance(instances, nodes, max_moves=max_moves, threshold=threshold) == ()


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(0, 40))
def test_equal_nodes_end_up_even(count: int, total: int) -> None:
    nodes = [Node(f"n{i}", 50, used=total if i == 0 else 0) for i in range(count)]
    instances = [Instance(f"i{i}", "n0") for i in range(total)]
    moves = plan_rebalance(instances, nodes, max_moves=total, threshold=0)
    after, _ = apply(nodes, instances, moves)
    assert max(node.used for node in after) - min(node.used for node in after) <= 1
