"""Groups, calls and statuses through the control interface."""

from __future__ import annotations

from lab.accounts import Account
from lab.network import Lab
from lab.wire import LIDS, Jid, node
from tests.lab.conftest import ANA, BIA, online
from tests.lab.test_control import Control
from tests.lab.test_control import control as control

CAIO, DUDA = "5511900000003", "5511900000004"


async def test_a_group_is_made_changed_and_left(
    lab: Lab, ana: Account, bia: Account, control: Control
) -> None:
    lab.account(CAIO)
    body = {"name": "Family", "owner": f"+{ANA}", "members": [BIA]}
    made = await control("POST", "/groups", json=body, status=201)
    path = f"/groups/{made['jid']}"
    assert made["members"] == {ANA: "superadmin", BIA: "member"}
    assert await control("GET", path) == made == (await control("GET", "/groups"))[0]
    assert (await control("GET", "/"))["groups"] == 1
    change = {
        "by": ANA, "name": "Relatives", "topic": "Sundays", "locked": True, "announce": True,
        "join_approval": True, "members_add": False, "disappearing_s": 86_400,
    }  # fmt: skip
    changed = await control("PATCH", path, json=change)
    assert {name: changed[name] for name in change if name != "by"} == {
        name: value for name, value in change.items() if name != "by"
    }
    assert await control("POST", f"{path}/join", json={"phone": CAIO}) == {"done": False}
    assert (await control("GET", path))["requests"] == [CAIO]
    members = f"{path}/members"
    for action, phone, code in (
        ("approve", CAIO, 0), ("add", CAIO, 409), ("promote", BIA, 0), ("demote", BIA, 0), ("remove", BIA, 0),
        ("reject", BIA, 404),
    ):  # fmt: skip
        order = {"by": ANA, "action": action, "people": [phone]}
        assert await control("POST", members, json=order) == {phone: code}, action
    await control("POST", f"{path}/leave", json={"phone": ANA}, status=204)
    assert (await control("GET", path))["members"] == {CAIO: "admin"}


async def test_what_a_client_may_not_a_phone_may_not(
    lab: Lab, ana: Account, bia: Account, control: Control
) -> None:
    made = await control(
        "POST", "/groups", json={"name": "Family", "owner": ANA, "members": [BIA]}, status=201
    )
    path = f"/groups/{made['jid'].partition('@')[0]}"
    problem = await control.problem("PATCH", path, 409, json={"by": BIA, "announce": True})
    assert (problem["code"], "403" in problem["detail"]) == ("refused", True)
    await control.problem("POST", "/groups", 409, json={"name": "", "owner": ANA})
    await control.problem("POST", "/groups", 404, json={"name": "Family", "owner": DUDA})
    await control.problem("GET", "/groups/1", 404)
    await control.problem("POST", f"{path}/members", 422, json={"by": ANA, "action": "add", "people": []})


async def test_a_call_is_made_and_its_end_is_shown(
    lab: Lab, ana: Account, bia: Account, control: Control
) -> None:
    called, caller = await online(lab, BIA), await online(lab, ANA)
    made = await control("POST", f"/accounts/{ANA}/calls", json={"to": BIA, "video": True}, status=201)
    assert (made["state"], made["callee"], made["video"]) == ("ringing", BIA, True)
    offer = await called.first("call", "offer")
    attrs = {
        "call-id": offer.child("offer").text("call-id"),
        "call-creator": Jid(ana.lid, LIDS),
        "count": "0",
    }
    await called.send(node("call", {"id": "C1", "to": offer.attrs["from"]}, node("reject", attrs)))
    assert (await called.first("ack", id="C1")).text("type") == "reject"
    for phone in (ANA, BIA):
        [shown] = await control("GET", f"/accounts/{phone}/calls")
        assert (shown["id"], shown["state"], shown["rejected_by"]) == (made["id"], "rejected", 1)
    assert (await caller.first("call", "reject")).jid("from") == Jid(bia.lid, LIDS)
    assert await control("DELETE", f"/accounts/{ANA}/calls/{made['id']}") == {"done": False}
    await control.problem("DELETE", f"/accounts/{BIA}/calls/{made['id']}", 404)
    await control.problem("POST", f"/accounts/{ANA}/calls", 422, json={"to": ANA})
    await called.close()
    await caller.close()


async def test_to_whom_a_status_goes(lab: Lab, ana: Account, bia: Account, control: Control) -> None:
    client = await online(lab, ANA)
    body = {"audience": "whitelist", "people": [BIA]}
    await control("PUT", f"/accounts/{ANA}/status-privacy", json=body, status=204)
    answer = await client.query("status", "get", node("privacy"))
    chosen = answer.child("privacy", "list")
    assert (chosen.text("type"), [user.jid("jid") for user in chosen.children()]) == ("whitelist", [Jid(BIA)])
    await client.close()


async def test_a_business_has_a_name_of_its_own(control: Control) -> None:
    body = {"phone": ANA, "name": "Ana", "verified_name": "Ana's Café"}
    assert (await control("POST", "/accounts", json=body, status=201))["verified_name"] == "Ana's Café"
