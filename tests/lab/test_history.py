"""A phone's past: given to it, kept over restarts, offered to devices in parts."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from lab.accounts import LabError
from lab.network import Lab
from lab.past import PastChat, PastMessage
from tests.lab.conftest import ANA, BIA

GROUP = "120363000000000001@g.us"
PAST = [
    {"chat": BIA, "name": "Bia", "messages": [{"text": "hello"}, {"id": "X", "text": "hi", "from_me": True}]},
    {"chat": GROUP, "messages": [{"text": "all", "sender": BIA, "timestamp": 1_600_000_000}]},
]


async def test_a_past_is_given_and_shown(lab: Lab) -> None:
    lab.account(ANA)
    async with aiohttp.ClientSession(lab.control_url) as http:
        path = f"/accounts/{ANA}/history"
        async with http.get(path) as answer:
            assert await answer.json() == []
        async with http.put(path, json=PAST) as answer:
            assert answer.status == 204
        async with http.get(path) as answer:
            bia, group = await answer.json()
        assert [message["id"] for message in bia["messages"]] == [f"PAST{BIA}000001", "X"]
        assert bia["messages"][1]["timestamp"] - bia["messages"][0]["timestamp"] == 60
        assert group["messages"][0]["timestamp"] == 1_600_000_000
        for wrong, status in (
            ([{"chat": "nobody"}], 422),
            ([PAST[0], PAST[0]], 422),
            ([{"chat": GROUP, "messages": [{"text": "by whom?"}]}], 422),
        ):
            async with http.put(path, json=wrong) as answer:
                assert answer.status == status
        async with http.put("/accounts/5511999999999/history", json=[]) as answer:
            assert answer.status == 404
        async with http.post(f"/accounts/{ANA}/devices/1/history", json={}) as answer:
            assert answer.status == 404


async def test_it_is_kept_over_a_restart(tmp_path: Path) -> None:
    lab = await Lab.start(tmp_path)
    lab.account(ANA)
    lab.board.phones.pasts.set(ANA, [PastChat(chat=BIA, messages=[PastMessage(text="hello")])])
    before = lab.board.phones.pasts.of(ANA)
    await lab.stop()
    lab = await Lab.start(tmp_path)
    assert lab.board.phones.pasts.of(ANA) == before
    await lab.stop()


async def test_nobody_without_an_account_has_a_past(lab: Lab) -> None:
    with pytest.raises(LabError):
        lab.board.phones.pasts.set("5511999999999", [])
