"""Nodes, drains, moves and handoffs through the API."""

from __future__ import annotations

import pytest

from actors.store import StoreUnavailable
from api.calls import SupervisorRefused, SupervisorSilent, SupervisorUnavailable
from tests.api.world import FIRST, SECOND, World, handoff, node

RAYS = "c" * 56
MOVE = "/v1/instances/{}/move"


@pytest.fixture(autouse=True)
def fleet(world: World, iid: str) -> None:
    world.instances.fleet = [
        node(FIRST, 3),
        node(SECOND),
        node(RAYS, 1, draining=True, labels={"by": "ray"}),
    ]
    world.instances.past = [handoff(iid)]


async def test_nodes(world: World) -> None:
    answer = await world.ask("GET", "/v1/nodes")
    assert (answer.status, answer.json) == (200, {"items": world.instances.fleet})


async def test_a_drain_is_begun_at_once(world: World) -> None:
    answer = await world.ask("POST", f"/v1/nodes/{FIRST}/drain")
    assert (answer.status, answer.json) == (202, {"node": FIRST, "instances": 3})
    assert world.instances.calls == [("begin_drain", FIRST)]


async def test_a_drain_can_be_waited_for(world: World, iid: str) -> None:
    late = await world.ask("POST", f"/v1/nodes/{FIRST}/drain?wait=5")
    assert (late.status, late.json) == (202, {"node": FIRST, "instances": 3})
    facts = {"node": FIRST, "instances": 3, "remaining": 0, "seconds": 1.5}
    world.instances.drained = {**facts, "handoffs": [handoff(iid, reason="drain")]}
    done = await world.ask("POST", f"/v1/nodes/{FIRST}/drain?wait=5")
    assert done.status == 200
    assert {key: done.json[key] for key in facts} == facts
    assert [one["reason"] for one in done.json["handoffs"]] == ["drain"]
    assert world.instances.calls[-1] == ("drain", FIRST, 5.0)


@pytest.mark.parametrize("wait", ["-1", "601", "soon"])
async def test_a_bad_wait_is_explained(world: World, wait: str) -> None:
    answer = await world.ask("POST", f"/v1/nodes/{FIRST}/drain?wait={wait}")
    assert answer.problem("invalid")["errors"][0]["parameter"] == "wait"
    assert world.instances.calls == []


async def test_a_drain_is_undone_unless_it_is_ray_s(world: World) -> None:
    await world.ask("POST", f"/v1/nodes/{FIRST}/drain")
    assert (await world.ask("DELETE", f"/v1/nodes/{FIRST}/drain")).status == 204
    refused = await world.ask("DELETE", f"/v1/nodes/{RAYS}/drain")
    assert refused.status == 409
    assert "Ray itself" in refused.problem("not-ready")["detail"]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_nobody_s_node_is_not_drained(world: World, method: str) -> None:
    answer = await world.ask(method, f"/v1/nodes/{'d' * 56}/drain")
    assert answer.status == 404
    assert "/v1/nodes" in answer.problem("not-found")["detail"]
    assert world.instances.calls == []


async def test_a_move_answers_with_the_handoff(world: World, iid: str) -> None:
    answer = await world.ask("POST", MOVE.format(iid))
    assert answer.status == 200
    assert answer.json == {
        "id": "ho_1",
        "instance_id": iid,
        "reason": "move",
        "step": "done",
        "outcome": "moved",
        "from_node": FIRST,
        "to_node": SECOND,
        "epoch": 2,
        "blackout_ms": 31.5,
        "steps": [
            {
                "step": "prepare",
                "attempt": 1,
                "outcome": "prepared",
                "at": "2023-11-14T22:13:20Z",
                "ms": None,
            },
            {
                "step": "disconnect",
                "attempt": 1,
                "outcome": "disconnected",
                "at": "2023-11-14T22:13:20.250000Z",
                "ms": 250.0,
            },
        ],
    }
    await world.ask("POST", MOVE.format(iid), json={"node": SECOND})
    assert world.instances.calls == [("move", iid, None), ("move", iid, SECOND)]


async def test_a_move_to_where_it_cannot_go_is_explained(world: World, iid: str) -> None:
    nowhere = await world.ask("POST", MOVE.format(iid), json={"node": "nowhere"})
    assert nowhere.problem("invalid")["errors"][0]["pointer"] == "#/node"
    leaving = await world.ask("POST", MOVE.format(iid), json={"node": RAYS})
    assert leaving.status == 409
    assert f"/v1/nodes/{RAYS}/drain" in leaving.problem("not-ready")["detail"]
    assert (await world.ask("POST", MOVE.format("nobody"))).problem("not-found")
    assert world.instances.calls == []


async def test_handoffs(world: World, iid: str) -> None:
    going = {"step": "prepare", "outcome": None, "to": None, "epoch": None, "blackout_ms": None, "log": []}
    world.instances.past = [handoff(iid, **going), handoff(iid)]
    everybody_s = await world.ask("GET", "/v1/handoffs")
    assert [one["outcome"] for one in everybody_s.json["items"]] == [None, "moved"]
    its = await world.ask("GET", f"/v1/handoffs?instance_id={iid}&limit=1")
    assert len(its.json["items"]) == 1
    same = await world.ask("GET", f"/v1/instances/{iid}/handoffs?limit=1")
    assert same.json == its.json
    await world.ask("GET", "/v1/handoffs?limit=1000000")
    size = world.settings.gateway.page_size
    assert world.instances.calls == [
        ("handoffs", None, size),
        ("handoffs", iid, 1),
        ("handoffs", iid, 1),
        ("handoffs", None, world.settings.gateway.page_size_max),
    ]


async def test_bad_listings_are_explained(world: World) -> None:
    (await world.ask("GET", "/v1/handoffs?instance_id=nobody")).problem("not-found")
    none = await world.ask("GET", "/v1/handoffs?limit=0")
    assert none.problem("invalid")["errors"][0]["parameter"] == "limit"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/nodes"),
        ("POST", f"/v1/nodes/{FIRST}/drain"),
        ("DELETE", f"/v1/nodes/{FIRST}/drain"),
        ("POST", MOVE),
        ("GET", "/v1/handoffs"),
        ("GET", "/v1/instances/{}/handoffs"),
    ],
)
async def test_an_administrator_s_only_and_each_failure_says_what_to_do(
    world: World, iid: str, method: str, path: str
) -> None:
    where = path.format(iid)
    refused = await world.ask(method, where, key=world.tokens[iid])
    assert refused.status == 403
    refused.problem("forbidden")
    for failure, status, slug in (
        (SupervisorUnavailable("The supervisor does not run."), 503, "supervisor-unavailable"),
        (SupervisorSilent("It did not answer."), 504, "timed-out"),
        (SupervisorRefused("The supervisor refused: no."), 409, "not-ready"),
        (StoreUnavailable("away"), 503, "store-unavailable"),
    ):
        world.instances.failure = failure
        answer = await world.ask(method, where)
        assert answer.status == status
        answer.problem(slug)
        assert ("Retry-After" in answer.headers) == (status == 503)
