"""The roll-out as a state machine: whatever happens to the instances, it keeps its word."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.supervisor.rollout import RETRY, SETTLE, TRIES, decide
from actors.supervisor.rollout_record import Orders, Phase, Plan, Rollout, Seen, Sight

ENOUGH_LOOKS = 400
OLD = Sight("old", up=True)
NEW = Sight("new", epoch=2, up=True)


def begun(**plan: float) -> Rollout:
    return Rollout(id="r", old="old", new="new", plan=Plan(**plan), began_at=0.0)


class World(RuleBasedStateMachine):
    """Instances and couriers, and a leader that does what it is told, when it lives."""

    @initialize(
        count=st.integers(0, 8),
        couriers=st.integers(0, 3),
        plan=st.builds(
            Plan,
            canary=st.integers(0, 3),
            canary_watch=st.sampled_from([0.0, 30.0]),
            batch=st.integers(1, 4),
            budget=st.integers(0, 4),
        ),
    )
    def begin(self, count: int, couriers: int, plan: Plan) -> None:
        self.now = 1000.0
        self.made = count
        self.rollout = Rollout(id="r", old="old", new="new", plan=plan, began_at=self.now)
        self.instances = {f"i{number}": OLD for number in range(count)}
        self.couriers: dict[int, str | None] = dict.fromkeys(range(couriers), "old")
        self.ends = 0

    # ---- the leader ----

    def look(self, seconds: float = 1.0, *, dies: bool = False) -> Orders:
        self.now += seconds
        before = self.rollout
        rollout, orders = decide(before, Seen(self.instances, self.couriers), self.now)
        if before.ended:
            assert (rollout, orders) == (before, Orders())
        # It can be written down, and read by another leader.
        self.rollout = Rollout.model_validate_json(rollout.model_dump_json())
        assert self.rollout == rollout
        if before.paused:
            assert orders == Orders()
        moving = sum(sight.moving for sight in self.instances.values())
        assert not orders.move or moving + len(orders.move) <= rollout.plan.batch
        assert len(set(orders.move)) == len(orders.move)
        for one in orders.move:
            assert not self.instances[one].moving
            assert self.instances[one].version != rollout.goal
            if rollout.phase is Phase.CANARY:
                assert one in rollout.canaries
        if orders.courier is not None:
            assert None not in self.couriers.values(), "one at a time"
            assert self.couriers[orders.courier] != rollout.goal
        if rollout.ended and not before.ended:
            self.is_where_it_belongs(rollout)
        if not dies:
            for one in orders.move:
                self.instances[one] = replace(self.instances[one], moving=True, trouble="")
            if orders.courier is not None:
                self.couriers[orders.courier] = None
        return orders

    def is_where_it_belongs(self, rollout: Rollout) -> None:
        failed = rollout.failed if rollout.phase is Phase.DONE else {}
        assert set(self.couriers.values()) <= {rollout.goal}
        for one, sight in self.instances.items():
            assert not sight.moving
            # Without a living owner it gets one of the leader's version, whenever there is room for it.
            assert sight.version in (None, rollout.goal) or one in failed or not sight.ready

    @rule(seconds=st.sampled_from([0.0, 1.0, RETRY, SETTLE, 40.0]), dies=st.booleans())
    def leader_looks(self, seconds: float, dies: bool) -> None:
        self.look(seconds, dies=dies)

    @rule()
    def another_leader_comes(self) -> None:
        for one, sight in self.instances.items():
            self.instances[one] = replace(sight, moving=False, trouble="")

    # ---- what happens ----

    @precondition(lambda self: self.instances)
    @rule(data=st.data(), outcome=st.sampled_from(["moved", "moved", "moved", "kept", "unconnected"]))
    def handoff_ends(self, data: st.DataObject, outcome: str) -> None:
        one = data.draw(st.sampled_from(sorted(self.instances)))
        if self.instances[one].moving:
            self.end(one, outcome)

    def end(self, one: str, outcome: str = "moved") -> None:
        sight = self.instances[one]
        if outcome == "kept":
            self.instances[one] = replace(sight, moving=False, trouble="kept")
            return
        self.instances[one] = Sight(
            version=self.rollout.goal,
            epoch=sight.epoch + 1,
            up=sight.up and outcome == "moved",
            trouble="" if outcome == "moved" else outcome,
        )

    @precondition(lambda self: self.instances)
    @rule(data=st.data())
    def owner_dies(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(sorted(self.instances)))
        self.instances[one] = replace(self.instances[one], ready=False, moving=False, up=False)

    @rule()
    def owners_are_made_anew(self) -> None:
        for one, sight in self.instances.items():
            if not sight.ready:
                epoch = sight.epoch + 1
                self.instances[one] = Sight(self.rollout.goal, epoch=epoch, recovered=True, up=True)

    @precondition(lambda self: self.instances)
    @rule(data=st.data(), up=st.sampled_from([True, False, None]))
    def connection_changes(self, data: st.DataObject, up: bool | None) -> None:
        one = data.draw(st.sampled_from(sorted(self.instances)))
        self.instances[one] = replace(self.instances[one], up=up)

    @rule()
    def couriers_come_up(self) -> None:
        self.couriers = {one: found or self.rollout.goal for one, found in self.couriers.items()}

    @rule()
    def instance_is_created(self) -> None:
        self.instances[f"i{self.made}"] = Sight(None, ready=False)
        self.made += 1

    @precondition(lambda self: self.instances)
    @rule(data=st.data())
    def instance_is_deleted(self, data: st.DataObject) -> None:
        del self.instances[data.draw(st.sampled_from(sorted(self.instances)))]

    @rule(paused=st.booleans())
    def is_paused(self, paused: bool) -> None:
        if not self.rollout.ended:
            self.rollout = self.rollout.change(paused=paused)

    @rule()
    def is_called_back(self) -> None:
        turned = self.rollout.turned("asked")
        assert turned.ended == self.rollout.ended
        self.rollout = turned

    @invariant()
    def budget_is_kept(self) -> None:
        if hasattr(self, "rollout") and self.rollout.phase is Phase.DONE:
            assert len(self.rollout.failed) <= self.rollout.plan.budget

    # ---- in the end ----

    def teardown(self) -> None:
        """Once nothing goes wrong any more, it ends, and everything is where it belongs."""
        if not hasattr(self, "rollout"):
            return
        if self.rollout.paused:
            self.is_paused(False)
        for _ in range(ENOUGH_LOOKS):
            if self.rollout.ended:
                break
            self.look()
            self.owners_are_made_anew()
            for one, sight in list(self.instances.items()):
                if sight.moving:
                    self.end(one)
                elif sight.up is False:
                    self.instances[one] = replace(sight, up=True)
            self.couriers_come_up()
        else:
            raise AssertionError(f"it does not end: {self.rollout} {self.instances} {self.couriers}")


TestWorld = World.TestCase
TestWorld.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def run(rollout: Rollout, instances: dict[str, Sight], **seen: object) -> tuple[Rollout, Orders]:
    return decide(rollout, Seen(instances, **seen), 100.0)


def test_everything_is_on_the_old_version_when_it_was_rolled_back() -> None:
    back = begun().turned("asked")
    rollout, orders = run(back, {"a": OLD, "b": NEW}, couriers={0: "old"})
    assert (rollout.phase, orders.move) == (Phase.ROLLING_BACK, ("b",))
    rollout, orders = run(rollout, {"a": OLD, "b": replace(NEW, moving=True)}, couriers={0: "old"})
    assert (rollout.phase, orders) == (Phase.ROLLING_BACK, Orders())
    rollout, orders = run(rollout, {"a": OLD, "b": OLD}, couriers={0: "new"})
    assert (rollout.phase, orders.courier) == (Phase.ROLLING_BACK, 0)
    assert run(rollout, {"a": OLD, "b": OLD}, couriers={0: "old"})[0].phase is Phase.ROLLED_BACK


def test_the_canary_is_one_that_is_connected() -> None:
    _, orders = run(begun(), {"a": replace(OLD, up=False), "b": replace(OLD, up=None), "c": OLD})
    assert orders.move == ("c",)


def moved_canary(**plan: float) -> Rollout:
    rollout, orders = run(begun(**plan), {"a": OLD, "b": OLD})
    assert orders.move == ("a",)
    return rollout


def test_the_canary_is_watched_before_anything_else_moves() -> None:
    rollout, _ = decide(moved_canary(canary_watch=60.0), Seen({"a": NEW, "b": OLD}), 110.0)
    assert rollout.watched_since == 110.0
    rollout, orders = decide(rollout, Seen({"a": NEW, "b": OLD}), 169.0)
    assert (rollout.phase, orders) == (Phase.CANARY, Orders())
    assert decide(rollout, Seen({"a": NEW, "b": OLD}), 170.0)[0].phase is Phase.COURIERS


@pytest.mark.parametrize(
    ("sight", "later"),
    [
        (replace(NEW, trouble="its handoff ended as unconnected"), 0.0),
        (replace(NEW, up=False), SETTLE),
        (replace(NEW, epoch=3, recovered=True), 0.0),
        (replace(NEW, ready=False), SETTLE),
    ],
)
def test_a_canary_that_does_not_work_turns_it_round(sight: Sight, later: float) -> None:
    # Whatever the budget: that is for those that come after it.
    rollout, _ = decide(moved_canary(budget=9), Seen({"a": NEW, "b": OLD}), 110.0)
    rollout, _ = decide(rollout, Seen({"a": sight, "b": OLD}), 111.0)
    rollout, _ = decide(rollout, Seen({"a": sight, "b": OLD}), 111.0 + later)
    assert rollout.phase is Phase.ROLLING_BACK
    assert "canary" in rollout.reason


def test_an_instance_that_stays_where_it_is_is_told_again_and_then_has_failed() -> None:
    rollout, kept = moved_canary(), replace(OLD, trouble="kept")
    for number in range(1, TRIES):
        rollout, orders = decide(rollout, Seen({"a": kept, "b": OLD}), 100.0 + number * RETRY)
        assert orders.move == ("a",)
    rollout, orders = decide(rollout, Seen({"a": kept, "b": OLD}), 100.0 + TRIES * RETRY)
    assert (rollout.phase, orders) == (Phase.ROLLING_BACK, Orders())


def test_one_that_was_not_connected_before_need_not_be_after() -> None:
    down = replace(OLD, up=False)
    rollout, orders = run(begun(canary=0).change(phase=Phase.MOVING), {"a": down})
    assert orders.move == ("a",)
    now = 100.0 + 3 * SETTLE
    rollout, _ = decide(rollout, Seen({"a": replace(NEW, up=False)}), now)
    assert (rollout.phase, rollout.failed) == (Phase.DONE, {})


@pytest.mark.parametrize(("budget", "phase"), [(1, Phase.MOVING), (0, Phase.ROLLING_BACK)])
def test_more_failures_than_the_budget_turn_it_round(budget: int, phase: Phase) -> None:
    rollout, orders = run(begun(budget=budget).change(phase=Phase.MOVING), {"a": OLD, "b": OLD, "c": OLD})
    assert orders.move == ("a", "b", "c")
    seen = {"a": replace(NEW, trouble="unconnected"), "b": NEW, "c": replace(OLD, moving=True)}
    assert run(rollout, seen)[0].phase is phase


def test_a_courier_that_does_not_come_up_turns_it_round() -> None:
    rollout = begun(budget=9).change(phase=Phase.COURIERS)
    rollout, orders = run(rollout, {}, couriers={0: "old", 1: "old"})
    assert orders.courier == 0
    rollout, orders = run(rollout, {}, couriers={0: None, 1: "old"})
    assert orders == Orders()
    rollout, _ = run(rollout, {}, couriers={0: None, 1: "old"}, courier_trouble="it crashes")
    assert (rollout.phase, rollout.reason) == (
        Phase.ROLLING_BACK,
        "a courier does not come up: it crashes",
    )
