from __future__ import annotations

from lab.network import Lab
from tests.lab.client import Client
from tests.lab.conftest import paired


async def test_a_scanned_client_logs_in_as_the_device_it_became(lab: Lab) -> None:
    keys = await paired(lab, "5511900000001")
    async with Client(lab.target, keys) as client:
        success = await client.first("success")
        assert success.jid("lid") == keys.lid
        await client.activate()
        done = await client.first("ib", "offline")
        assert done.child("offline").text("count") == "0"
    assert lab.device("5511900000001", 1).counters.logins == 1
