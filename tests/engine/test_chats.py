"""Settings of chats that the devices of an account share: set by one, known to all, read by nobody else."""

from __future__ import annotations

import pytest

from actors.instance.connection import engine_pb2 as pb
from lab.app_state import ChatSettings
from lab.network import Lab
from tests.engine.conftest import ANA, BIA, MakeDevice
from tests.engine.device import Device, refused
from tests.wait import until

pytestmark = pytest.mark.engine
CHAT = f"{BIA}@s.whatsapp.net"


def shown(lab: Lab) -> ChatSettings:
    """What Ana's phone shows of the chat with Bia."""
    return lab.board.app_states.chats(lab.account(ANA)).get(CHAT, ChatSettings())


async def shared(device: Device) -> None:
    """Wait until the phone's key has come."""

    async def look() -> bool:
        return not len(device.lab.device(device.phone, 1).queue)

    await until(look, what="the key of shared settings")


async def test_what_a_device_sets_the_phone_shows(device: MakeDevice, lab: Lab) -> None:
    ana = await device(ANA)
    await shared(ana)
    await ana.engine.chats.set(pb.SetChat(chat=CHAT, pinned=True))
    assert shown(lab) == ChatSettings(pinned=True)
    await ana.engine.chats.set(
        pb.SetChat(chat=CHAT, archived=True, last_id="M1", last_at_ms=1_700_000_000_000)
    )
    assert shown(lab) == ChatSettings(archived=True, pinned=False), "archiving takes the pin off"
    await ana.engine.chats.set(pb.SetChat(chat=CHAT, muted_until_ms=-1))
    await ana.engine.chats.set(pb.SetChat(chat=CHAT, read=False))
    assert shown(lab) == ChatSettings(archived=True, pinned=False, muted_until=-1, read=False)
    await ana.engine.chats.set(pb.SetChat(chat=CHAT, muted_until_ms=0))
    assert shown(lab).muted_until == 0
    assert [event["Action"] for event in ana.others("pin")] == [{"pinned": True}, {"pinned": False}]
    assert (await refused(ana.engine.chats.set(pb.SetChat(chat=CHAT)))).code == "bad_request"
    assert (await refused(ana.engine.chats.set(pb.SetChat(chat="@", pinned=True)))).code == "bad_request"


async def test_what_the_phone_sets_a_device_hears_of(device: MakeDevice, lab: Lab) -> None:
    ana = await device(ANA)
    await shared(ana)
    states, account = lab.board.app_states, lab.account(ANA)
    states.set(account, CHAT, ChatSettings(archived=True, muted_until=-1))
    assert await ana.other("archive", "Action") == {"archived": True}
    assert await ana.other("mute", "Action") == {"muted": True, "muteEndTimestamp": -1}
    # Both sides change it at the same time: the one that comes second learns of the other's first.
    ana.lab.drop(ANA, 1)
    states.set(account, CHAT, ChatSettings(archived=False))
    await ana.restart()
    await ana.engine.chats.set(pb.SetChat(chat=CHAT, pinned=True))
    assert shown(lab) == ChatSettings(archived=False, pinned=True, muted_until=-1)


async def test_a_device_that_comes_later_takes_over_what_was_set(device: MakeDevice, lab: Lab) -> None:
    states, account = lab.board.app_states, lab.account(ANA)
    for pinned in (True, False, True):
        states.set(account, CHAT, ChatSettings(pinned=pinned))
    states.set(account, CHAT, ChatSettings(archived=True))
    ana = await device(ANA)
    assert await ana.other("pin", "Action") == {"pinned": True}
    assert await ana.other("archive", "Action") == {"archived": True}
    # It has to know all that was set to be able to add to it.
    await ana.engine.chats.set(pb.SetChat(chat=CHAT, archived=False))
    assert shown(lab) == ChatSettings(archived=False, pinned=True)
    assert lab.board.media.all()[0].kind == "md-app-state", "as a snapshot"
    assert not lab.board.errors


async def test_a_patch_of_another_state_is_refused(device: MakeDevice, lab: Lab) -> None:
    ana = await device(ANA)
    await shared(ana)
    await ana.engine.chats.set(pb.SetChat(chat=CHAT, pinned=True))
    # The network takes nothing that was made without knowing what is there.
    lab.board.app_states._state.run("UPDATE app_key SET key = zeroblob(32)")
    failed = await refused(ana.engine.chats.set(pb.SetChat(chat=CHAT, pinned=False)))
    assert failed.code == "rejected"
