from __future__ import annotations

import time
from pathlib import Path

import pytest

from lab.accounts import Account
from lab.network import Lab
from lab.noise import frame
from lab.wire import SERVER, Jid, node
from tests.lab.client import PROLOGUE, Client, Keys
from tests.lab.conftest import ANA, BIA, back, linked, online


async def refusal(lab: Lab, keys: Keys) -> dict[str, str]:
    """Why a login is refused; the connection must end after it."""
    async with Client(lab.target, keys) as client:
        failure = await client.first("failure")
        await client.closed.wait()
        assert client.all("success") == []
        return {name: str(value) for name, value in failure.attrs.items()}


async def test_an_unknown_device_is_logged_out(lab: Lab, ana: Account) -> None:
    keys = await linked(lab, ANA)
    assert keys.jid
    keys.jid = Jid(ANA, device=9)
    assert (await refusal(lab, keys))["reason"] == "401"
    keys.jid = Jid("5511900009999", device=1)
    assert (await refusal(lab, keys))["reason"] == "401"


async def test_a_device_needs_its_own_key(lab: Lab, ana: Account) -> None:
    keys, thief = await linked(lab, ANA), Keys()
    thief.jid = keys.jid
    assert (await refusal(lab, thief))["reason"] == "401"
    counters = lab.device(ANA, 1).counters
    assert (counters.connections, counters.logins, counters.refused) == (1, 0, 1)


async def test_the_newer_connection_replaces_the_older(lab: Lab, ana: Account) -> None:
    older = await online(lab, ANA)
    newer = await back(lab, older.keys)
    error = await older.first("stream:error")
    conflict = error.child("conflict")
    assert conflict is not None
    assert conflict.text("type") == "replaced"
    await older.closed.wait()
    assert (await newer.query("w:p", "get", None)).text("type") == "result"
    await older.close()
    assert (await newer.query("w:p", "get", None)).text("type") == "result"
    assert lab.board.connection(lab.device(ANA, 1)) is not None
    await newer.close()
    await (await back(lab, older.keys)).close()
    assert lab.device(ANA, 1).counters.conflicts == 1


async def test_the_phone_logs_out_a_connected_device(lab: Lab, ana: Account) -> None:
    client = await online(lab, ANA)
    lab.log_out(ANA, 1)
    error = await client.first("stream:error", code="401")
    conflict = error.child("conflict")
    assert conflict is not None
    assert conflict.text("type") == "device_removed"
    await client.closed.wait()
    await client.close()
    assert (await refusal(lab, client.keys))["reason"] == "401"
    assert not ana.devices


async def test_a_device_unlinks_itself(lab: Lab, ana: Account) -> None:
    client = await online(lab, ANA)
    content = node("remove-companion-device", {"jid": client.own("s"), "reason": "user_initiated"})
    assert (await client.query("md", "set", content)).text("type") == "result"
    await client.closed.wait()
    await client.close()
    assert not ana.devices


async def test_a_device_cannot_unlink_anothers(lab: Lab, ana: Account, bia: Account) -> None:
    client, other = await online(lab, ANA), await linked(lab, BIA)
    assert other.jid
    content = node("remove-companion-device", {"jid": other.jid, "reason": "user_initiated"})
    error = (await client.query("md", "set", content)).child("error")
    assert error is not None
    assert error.text("code") == "403"
    assert list(bia.devices) == [1]
    await client.close()


async def test_a_ban_ends_connections_and_refuses_logins_until_it_ends(lab: Lab, ana: Account) -> None:
    client = await online(lab, ANA)
    lab.ban(ANA, 3600, 102)
    await client.closed.wait()
    await client.close()
    refused = await refusal(lab, client.keys)
    assert (refused["reason"], refused["code"]) == ("402", "102")
    assert 3500 < int(refused["expire"]) <= 3600
    lab.unban(ANA)
    await (await back(lab, client.keys)).close()


async def test_a_passive_login_gets_nothing_before_it_is_active(lab: Lab, ana: Account, bia: Account) -> None:
    writer, keys = await online(lab, BIA), await linked(lab, ANA)
    assert keys.lid
    await writer.write("M1", Jid(ana.lid, "lid"), [keys.lid])
    await writer.first("ack", id="M1")
    reader = Client(lab.target, keys)
    await reader.open()
    await reader.first("success")
    assert (await reader.query("w:p", "get", None)).text("type") == "result"
    assert reader.all("message") == []
    assert reader.all("ib") == []
    await reader.activate()
    await reader.messages(1)
    await reader.close()
    await writer.close()


async def test_an_active_login_gets_everything_at_once(lab: Lab, ana: Account) -> None:
    keys = await linked(lab, ANA)
    client = Client(lab.target, keys)
    await client.open(passive=False)
    await client.first("ib", "offline")
    await client.close()


async def test_the_network_pings_its_clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.network._PING_INTERVAL", 0.05)
    lab = await Lab.start(tmp_path)
    lab.account(ANA)
    client = await online(lab, ANA)
    ping = await client.first("iq", xmlns="urn:xmpp:ping")
    assert (ping.text("type"), ping.jid("from")) == ("get", SERVER)
    monkeypatch.setattr("lab.connection._SILENCE_LIMIT", 0.2)
    await client.closed.wait()
    await client.close()
    await lab.stop()


async def test_a_client_that_speaks_nonsense_is_cut_off(lab: Lab, ana: Account) -> None:
    client = await online(lab, ANA)
    assert client._socket
    await client._socket.send_bytes(frame(b"not encrypted"))
    await client.first("stream:error")
    await client.closed.wait()
    await client.close()
    await (await back(lab, client.keys)).close()


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n\r\n", PROLOGUE + frame(b"hello"), b""])
async def test_nonsense_instead_of_a_handshake_ends_the_connection(lab: Lab, first: bytes) -> None:
    client = Client(lab.target, Keys())
    socket = await client.dial()
    await socket.send_bytes(first)
    await socket.close()
    await client.close()
    async with Client(lab.target, Keys()) as sane:
        await sane.first("iq", "pair-device")


async def test_a_client_must_trust_the_root(lab: Lab) -> None:
    client = Client(lab.target, Keys())
    with pytest.raises(AssertionError):
        await client.open(trust=bytes(32))
    await client.close()


async def test_the_login_tells_time_and_name(lab: Lab, ana: Account) -> None:
    client = await online(lab, ANA)
    success = await client.first("success")
    assert abs(int(success.text("t")) - time.time()) < 60
    assert success.text("display_name") == "Ana"
    assert (await client.query("urn:xmpp:ping", "get", None)).attrs["from"] == SERVER
    await client.close()
