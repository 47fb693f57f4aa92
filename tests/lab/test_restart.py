from __future__ import annotations

import json
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lab.network import Lab
from lab.wire import LIDS, Jid, node
from tests.lab.conftest import ANA, BIA, back, linked, online


async def test_clients_connect_and_get_what_waits_after_a_restart(tmp_path: Path) -> None:
    before = await Lab.start(tmp_path)
    before.account(ANA, "Ana")
    bia = before.account(BIA, "Bia")
    writer, keys = await online(before, ANA), await linked(before, BIA)
    await writer.upload_prekeys(1, 21)  # the phone takes one of them
    for number in range(50):
        await writer.write(f"M{number}", Jid(bia.lid, LIDS), [keys.lid or Jid("")])
    await writer.first("ack", id="M49")
    before.set_picture(ANA, b"\xff\xd8\xffimage")
    before.set_privacy(ANA, "last", "none")
    before.ban(BIA, 3600)
    await before.stop()
    await writer.close()

    after = await Lab.start(tmp_path)
    assert after.target.noise_root_key == before.target.noise_root_key
    assert after.target.tls_ca_pem == before.target.tls_ca_pem
    assert after.account(BIA).lid == bia.lid
    assert after.account(BIA).banned
    assert after.account(ANA).record.privacy["last"] == "none"
    assert after.account(ANA).picture == before.account(ANA).picture
    assert len(after.device(ANA, 1).prekeys) == 20
    after.unban(BIA)
    reader = await back(after, keys)
    messages = await reader.messages(50)
    assert [message.text("id") for message in messages] == [f"M{number}" for number in range(50)]
    for message in messages[:-1]:
        await reader.ack(message)
    await reader.query("w:p", "get", None)
    again = await back(after, writer.keys)
    await again.write("live", Jid(bia.lid, LIDS), [keys.lid or Jid("")])
    await reader.first("message", id="live")
    await reader.close()
    await again.close()
    await after.stop()

    last = await Lab.start(tmp_path)
    assert len(last.device(BIA, 1).queue) == 2
    assert await linked(last, BIA)
    assert list(last.account(BIA).devices) == [1, 2]
    await last.stop()


async def test_the_network_is_found_where_it_was(tmp_path: Path) -> None:
    before = await Lab.start(tmp_path)
    address, control_url = before.target.address, before.control_url
    await before.stop()
    after = await Lab.start(tmp_path)
    assert (after.target.address, after.control_url) == (address, control_url)
    await after.stop()
    with socket.create_server(("127.0.0.1", int(address.rpartition(":")[2]))):
        elsewhere = await Lab.start(tmp_path)
        assert elsewhere.target.address != address
        assert elsewhere.control_url == control_url
        await elsewhere.stop()


async def test_a_folder_has_one_lab_at_a_time(tmp_path: Path) -> None:
    lab = await Lab.start(tmp_path)
    with pytest.raises(OSError, match="another lab runs"):
        await Lab.start(tmp_path)
    await lab.stop()
    await (await Lab.start(tmp_path)).stop()


async def test_a_file_of_another_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "lab.db")) as db:
        db.execute("CREATE TABLE account (phone TEXT)")
    for _ in range(2):
        with pytest.raises(OSError, match="another version"):
            await Lab.start(tmp_path)
    with closing(sqlite3.connect(tmp_path / "lab.db")) as db:
        assert db.execute("SELECT name FROM sqlite_schema").fetchall() == [("account",)]


async def test_an_unlinked_device_stays_unlinked(tmp_path: Path) -> None:
    before = await Lab.start(tmp_path)
    before.account(ANA)
    client = await online(before, ANA)
    await client.upload_prekeys(1, 5)
    before.log_out(ANA, 1)
    await client.closed.wait()
    await client.close()
    await before.stop()
    after = await Lab.start(tmp_path)
    assert not after.account(ANA).devices
    assert (await linked(after, ANA)).jid == Jid(ANA, device=2)
    await after.stop()


async def test_stopping_tells_the_clients(tmp_path: Path) -> None:
    lab = await Lab.start(tmp_path)
    lab.account(ANA)
    client = await online(lab, ANA)
    await lab.stop()
    assert (await client.first("stream:error")).text("code") == "503"
    await client.closed.wait()
    await client.close()


async def test_the_folder_says_where_the_network_is(tmp_path: Path) -> None:
    lab = await Lab.start(tmp_path)
    found = json.loads((tmp_path / "lab.json").read_text())
    assert found == {
        "address": lab.target.address,
        "control_url": lab.control_url,
        "tls_ca_pem": lab.target.tls_ca_pem.decode(),
        "noise_root_key": lab.target.noise_root_key.hex(),
    }
    await lab.stop()


async def test_a_read_receipt_does_not_outlive_its_acknowledgement(tmp_path: Path) -> None:
    lab = await Lab.start(tmp_path)
    ana, _ = lab.account(ANA), lab.account(BIA)
    writer, reader = await online(lab, ANA), await online(lab, BIA)
    await reader.send(node("receipt", {"id": "M1", "to": Jid(ana.lid, LIDS), "type": "read"}))
    await writer.ack(await writer.first("receipt", id="M1"))
    await writer.query("w:p", "get", None)
    await writer.close()
    await reader.close()
    await lab.stop()
    again = await Lab.start(tmp_path)
    assert len(again.device(ANA, 1).queue) == 0
    await again.stop()
