"""Groups: made, changed, joined and left, with WhatsApp's word on who may."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from actors.events import EventType
from actors.instance.connection import engine_pb2 as pb
from lab.network import Lab
from tests.engine.conftest import ANA, BIA, CAIO, MakeDevice
from tests.engine.device import Device, refused
from tests.wait import until

pytestmark = pytest.mark.engine

JPEG = b"\xff\xd8\xff\xe0 a picture"
NOBODY = "5511988887777"
UNKNOWN = "120363000000000001@g.us"


def person(phone: str) -> str:
    return f"{phone}@s.whatsapp.net"


async def family(ana: Device, *others: str) -> str:
    """The JID of a group of Ana's."""
    return (await ana.engine.groups.create("Family", [person(phone) for phone in others])).jid


def roles(participants: Iterable[pb.Participant]) -> dict[str, str]:
    return {p.identity.phone: "owner" if p.owner else "admin" if p.admin else "member" for p in participants}


def errors(participants: Iterable[pb.Participant]) -> dict[str, int]:
    return {p.identity.phone: p.error for p in participants}


# ---- what there is ---------------------------------------------------------------------------------------


async def test_a_group_is_created_and_everybody_hears_of_it(device: MakeDevice, lab: Lab) -> None:
    ana, bia = await device(ANA), await device(BIA)
    made = await ana.engine.groups.create("Família", [person(BIA), person(CAIO)])
    assert roles(made.participants) == {ANA: "owner", BIA: "member", CAIO: "member"}
    assert all(p.identity.lid == lab.account(p.identity.phone).lid for p in made.participants)
    assert (made.name, made.size, made.members_add, made.owner.phone) == ("Família", 3, True, ANA)
    assert made.owner.lid == lab.account(ANA).lid
    assert made.created_at_ms > 0
    await bia.other("joined_group", "Name")
    [draft] = bia.of(EventType.GROUP_JOINED)
    assert (draft.chat_id, draft.data["sender"]["phone"]) == (made.jid, f"+{ANA}")
    assert draft.data["sender"]["lid"] == f"{lab.account(ANA).lid}@lid"
    assert draft.data["event"]["Name"] == "Família"
    for member in (ana, bia):
        assert await member.engine.groups.get(made.jid) == made
        assert await member.engine.groups.all() == [made]


async def test_who_cannot_be_added_is_listed_with_the_reason(device: MakeDevice, lab: Lab) -> None:
    ana = await device(ANA)
    lab.set_privacy(BIA, "groupadd", "none")
    made = await ana.engine.groups.create("Family", [person(phone) for phone in (BIA, CAIO, NOBODY)])
    assert errors(made.participants) == {ANA: 0, BIA: 403, CAIO: 0, NOBODY: 404}
    added = await ana.engine.groups.change_participants(
        made.jid, "add", [person(phone) for phone in (BIA, CAIO, NOBODY)]
    )
    assert errors(added) == {BIA: 403, CAIO: 409, NOBODY: 404}
    assert roles((await ana.engine.groups.get(made.jid)).participants) == {ANA: "owner", CAIO: "member"}


# ---- what is changed -------------------------------------------------------------------------------------


async def test_each_change_is_made_and_seen_by_others(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    group = await family(ana, BIA)
    change = ana.engine.groups.change
    await change(
        group, name="Relatives", topic="Sundays", picture=JPEG, locked=True, announce=True,
        join_approval=True, members_add=False,
    )  # fmt: skip
    changed = await bia.engine.groups.get(group)
    assert (changed.name, changed.topic) == ("Relatives", "Sundays")
    assert (changed.locked, changed.announce, changed.join_approval) == (True, True, True)
    assert not changed.members_add
    assert (await bia.engine.picture(group)).id
    assert (await bia.other("group_info", "Name"))["Name"] == "Relatives"
    assert (await bia.other("group_info", "Topic"))["Topic"] == "Sundays"
    assert (await bia.other("picture", "PictureID")) == (await bia.engine.picture(group)).id
    assert (await bia.other("group_info", "Locked"))["IsLocked"]
    assert (await bia.other("group_info", "Announce"))["IsAnnounce"]
    assert (await bia.other("group_info", "MembershipApprovalMode"))["IsJoinApprovalRequired"]
    assert (await bia.other("group_info", "UnknownChanges"))[0]["Tag"] == "member_add_mode"
    await change(
        group, topic="", picture=b"", locked=False, announce=False, join_approval=False, members_add=True
    )
    undone = await bia.engine.groups.get(group)
    assert (undone.name, undone.topic, undone.members_add) == ("Relatives", "", True)
    assert (undone.locked, undone.announce, undone.join_approval) == (False, False, False)
    assert (await bia.engine.picture(group)).absence == pb.GetPictureResult.NOT_SET
    assert (await bia.other("group_info", "Topic", count=2))["TopicDeleted"]
    await bia.other("picture", "Remove")
    assert not (await bia.other("group_info", "Locked", count=2))["IsLocked"]
    assert not (await bia.other("group_info", "Announce", count=2))["IsAnnounce"]
    ended = await bia.other("group_info", "UnknownChanges", count=2)
    assert ended[0]["Tag"] == "not_membership_approval_mode", "its end looks like its beginning"
    assert all(draft.chat_id == group for draft in bia.of(EventType.GROUP_CHANGED))


async def test_what_is_changed_there_and_back_within_a_second_is_seen(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    group = await family(ana, BIA)
    for locked in (True, False, True, False, True):
        await ana.engine.groups.change(group, locked=locked)
    await bia.other("group_info", "Locked", count=5)
    seen = [event["Locked"]["IsLocked"] for event in bia.others("group_info")]
    assert seen == [True, False, True, False, True]


async def test_messages_that_disappear(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    group = await family(ana, BIA)
    await ana.engine.profile.set_disappearing(604_800, chat=group)
    assert (await bia.other("group_info", "Ephemeral"))["DisappearingTimer"] == 604_800
    assert (await bia.engine.groups.get(group)).disappearing_s == 604_800
    await ana.engine.profile.set_disappearing(0, chat=group)
    assert not (await bia.other("group_info", "Ephemeral", count=2))["IsEphemeral"]
    assert (await bia.engine.groups.get(group)).disappearing_s == 0


async def test_admins_are_made_and_unmade(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    group = await family(ana, BIA)
    changed = await ana.engine.groups.change_participants(group, "promote", [person(BIA), person(CAIO)])
    assert errors(changed) == {BIA: 0, CAIO: 404}
    assert len(await bia.other("group_info", "Promote")) == 1
    await bia.engine.groups.change(group, announce=True)
    assert errors(await bia.engine.groups.change_participants(group, "demote", [person(ANA)])) == {ANA: 403}
    await ana.engine.groups.change_participants(group, "demote", [person(BIA)])
    await bia.other("group_info", "Demote")
    assert (await refused(bia.engine.groups.change(group, announce=False))).server_code == 403


# ---- coming and going ------------------------------------------------------------------------------------


async def test_a_member_joins_by_a_link_and_reads_what_comes_then(device: MakeDevice) -> None:
    ana, bia, caio = await device(ANA), await device(BIA), await device(CAIO)
    group = await family(ana, BIA)
    await ana.send(group, "before", "A1")
    link = await ana.engine.groups.invite(group)
    shown = await caio.engine.groups.inspect_invite(link)
    assert (shown.jid, shown.name, shown.size, len(shown.participants)) == (group, "Family", 2, 0)
    assert await caio.engine.groups.join(link) == group
    assert await caio.other("joined_group", "Reason") == "invite"
    for member in (ana, bia):
        assert await member.other("group_info", "JoinReason") == "invite"
    await ana.send(group, "after", "A2")
    await caio.received(1)
    await caio.send(group, "thank you", "C1")
    await bia.received(3)
    assert caio.texts() == ["after"]
    assert bia.texts() == ["before", "after", "thank you"]
    assert (await refused(caio.engine.groups.join(link))).server_code == 409


async def test_a_link_that_was_reset_leads_nowhere(device: MakeDevice) -> None:
    ana, caio = await device(ANA), await device(CAIO)
    group = await family(ana)
    old = await ana.engine.groups.invite(group)
    new = await ana.engine.groups.invite(group, reset=True)
    assert await ana.other("group_info", "NewInviteLink") == new
    assert new != old
    for asked in (caio.engine.groups.join(old), caio.engine.groups.inspect_invite(old)):
        error = await refused(asked)
        assert (error.code, error.server_code) == ("rejected", 410)
    guessed = "https://chat.whatsapp.com/AbCdEfGhIjKlMnOpQrStUv"
    assert (await refused(caio.engine.groups.join(guessed))).server_code == 406
    assert await caio.engine.groups.join(new) == group


async def test_a_removed_member_writes_and_reads_nothing_more(device: MakeDevice) -> None:
    ana, bia, caio = await device(ANA), await device(BIA), await device(CAIO)
    group = await family(ana, BIA, CAIO)
    await bia.send(group, "still here", "B1")
    assert await caio.received(1) == ["still here"]
    await ana.engine.groups.change_participants(group, "remove", [person(BIA)])
    error = await refused(bia.send(group, "still there?", "B2"))
    assert (error.code, error.server_code) == ("rejected", 403)
    assert len(await bia.other("group_info", "Leave")) == 1
    await ana.send(group, "among us", "A1")
    assert await caio.received(2) == ["still here", "among us"]
    await ana.send(BIA, "just you", "A2")
    assert await bia.received(1) == ["just you"]
    assert (await refused(bia.engine.groups.get(group))).server_code == 403
    assert await bia.engine.groups.all() == []


async def test_who_leaves_is_gone_and_may_come_back(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    group = await family(ana, BIA)
    await bia.engine.groups.leave(group)
    assert len(await ana.other("group_info", "Leave")) == 1
    assert roles((await ana.engine.groups.get(group)).participants) == {ANA: "owner"}
    await ana.engine.groups.change_participants(group, "add", [person(BIA)])
    await bia.other("joined_group", "Name", count=2)
    await ana.send(group, "welcome back", "A1")
    assert await bia.received(1) == ["welcome back"]


async def test_a_group_without_admins_gets_one(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    group = await family(ana, BIA)
    await ana.engine.groups.leave(group)
    await bia.other("group_info", "Promote")
    assert roles((await bia.engine.groups.get(group)).participants) == {BIA: "admin"}


async def test_admins_decide_who_joins(device: MakeDevice) -> None:
    ana, bia, caio = await device(ANA), await device(BIA), await device(CAIO)
    group = await family(ana)
    await ana.engine.groups.change(group, join_approval=True)
    link = await ana.engine.groups.invite(group)
    for asking in (bia, caio):
        assert await asking.engine.groups.join(link) == group
        assert (await refused(asking.engine.groups.get(group))).server_code == 403, "not in yet"
    [told] = await ana.other("group_info", "UnknownChanges", count=2)
    assert told["Tag"] == "created_membership_requests"
    waiting = await ana.engine.groups.join_requests(group)
    assert [entry.identity.phone for entry in waiting] == [BIA, CAIO]
    assert all(entry.requested_at_ms > 0 for entry in waiting)
    change = ana.engine.groups.change_participants
    assert errors(await change(group, "approve", [person(BIA), person(NOBODY)])) == {BIA: 0, NOBODY: 404}
    assert errors(await change(group, "reject", [person(CAIO)])) == {CAIO: 0}
    assert await ana.engine.groups.join_requests(group) == []
    await bia.other("joined_group", "Name")
    assert roles((await bia.engine.groups.get(group)).participants) == {ANA: "owner", BIA: "member"}
    assert caio.of(EventType.GROUP_CHANGED) == []


# ---- who may not -----------------------------------------------------------------------------------------


async def test_what_only_admins_may(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    group = await family(ana, BIA)
    groups = bia.engine.groups
    await groups.change(group, name="Anybody may", topic="this")
    await ana.engine.groups.change(group, locked=True, members_add=False)
    asked = {
        groups.change(group, name="mine"): 403,
        groups.change(group, topic="mine"): 403,
        groups.change(group, picture=JPEG): 403,
        groups.change(group, locked=False): 403,
        groups.change(group, announce=True): 403,
        groups.change(group, join_approval=True): 403,
        groups.change(group, members_add=True): 403,
        groups.change_participants(group, "add", [person(CAIO)]): 403,
        groups.change_participants(group, "remove", [person(ANA)]): 403,
        groups.change_participants(group, "promote", [person(BIA)]): 403,
        groups.join_requests(group): 403,
        groups.invite(group): 401,
        bia.engine.profile.set_disappearing(86_400, chat=group): 403,
    }
    for question, code in asked.items():
        error = await refused(question)
        assert (error.code, error.server_code) == ("rejected", code), error
    assert (await groups.get(group)).name == "Anybody may"


async def test_a_group_that_is_not_there(device: MakeDevice) -> None:
    ana = await device(ANA)
    groups = ana.engine.groups
    for asked in (
        groups.get(UNKNOWN),
        groups.change(UNKNOWN, name="x"),
        groups.change_participants(UNKNOWN, "add", [person(BIA)]),
        groups.invite(UNKNOWN),
        groups.join_requests(UNKNOWN),
        ana.send(UNKNOWN, "anybody?", "A1"),
    ):
        error = await refused(asked)
        assert (error.code, error.server_code) == ("rejected", 404), error


async def test_bad_commands_are_refused(device: MakeDevice) -> None:
    ana = await device(ANA)
    group, groups = await family(ana), ana.engine.groups
    for asked in (
        groups.create("", []),
        groups.create("x" * 101, []),
        groups.create("Family", ["ana"]),
        groups.get(person(BIA)),
        groups.change(group, name=""),
        groups.change(group, topic="x" * 2049),
        groups.change(group, picture=b"no JPEG"),
        groups.change_participants(group, "add", []),
        groups.change_participants(group, "add", [group]),
        groups.change_participants(group, "invite", [person(BIA)]),  # type: ignore[arg-type]
        groups.invite("family"),
        groups.inspect_invite("https://example.com/AbCdEfGhIjKlMnOpQrStUv"),
        groups.join(""),
        groups.leave("status@broadcast"),
        ana.engine.profile.set_disappearing(5, chat=group),
    ):
        assert (await refused(asked)).code == "bad_request"
    await ana.engine.disconnect()
    assert (await refused(groups.all())).code == "not_connected"


async def test_a_failed_change_leaves_what_came_before_it(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    group = await family(ana, BIA)
    assert (
        await refused(bia.engine.groups.change(group, name="Relatives", announce=True))
    ).server_code == 403
    await until(lambda: bia.others("group_info"))
    assert (await ana.engine.groups.get(group)).name == "Relatives"
