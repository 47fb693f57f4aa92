"""The parts of the delivery benchmark: its receiver, its verdict, its picture, its command line."""

from __future__ import annotations

import asyncio
import json
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bench.delivery import picture
from bench.delivery.books import Count
from bench.delivery.options import BAD, PARTS
from bench.delivery.options import read as read_options
from bench.delivery.outage import Outage
from bench.delivery.receiver import Manner, Receiver
from bench.delivery.report import conclude

SVG = "{http://www.w3.org/2000/svg}"


class Customer:
    """A receiver and a client that posts to it."""

    def __init__(self, client: aiohttp.ClientSession) -> None:
        self.receiver = Receiver()
        self._client = client
        self._ports = (0, 0)

    async def start(self) -> None:
        self._ports = await self.receiver.start()

    async def post(self, seq: int, *, dark: bool = False, padding: int = 0) -> int:
        event: dict[str, Any] = {"id": f"e-{seq}", "instance_id": "i", "seq": seq, "chat_id": "a"}
        headers = {
            "Webhook-Id": f"e-{seq}",
            "Malote-Instance": "i",
            "malote-seq": str(seq),
            "malote-attempt": "3",
        }
        url = f"http://127.0.0.1:{self._ports[dark]}/i"
        body = json.dumps({**event, "data": "x" * padding}).encode()
        async with self._client.post(url, data=body, headers=headers) as response:
            await response.read()
            return response.status


@pytest.fixture
async def customer() -> AsyncIterator[Customer]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as client:
        one = Customer(client)
        await one.start()
        yield one
        await one.receiver.close()


async def test_the_receiver_reads_whole_requests_on_kept_connections(customer: Customer) -> None:
    for seq in range(1, 4):
        assert await customer.post(seq, padding=300_000) == 204
    assert len(customer.receiver.connections) == 1
    assert await customer.receiver.wait(3, 1.0) == 3
    came = await customer.receiver.take()
    assert [(one.instance_id, one.seq, one.event_id, one.chat, one.attempt, one.status) for one in came] == [
        ("i", seq, f"e-{seq}", "a", 3, 204) for seq in range(1, 4)
    ]
    assert await customer.receiver.take() == []
    assert await customer.receiver.wait(1, 0.01) == 0


@pytest.mark.parametrize(("manner", "status"), [(Manner.FAIL, 500), (Manner.BUSY, 429)])
async def test_the_receiver_refuses(customer: Customer, manner: Manner, status: int) -> None:
    await customer.receiver.behave({"/i": manner})
    assert await customer.post(1) == status
    await customer.receiver.behave({})
    assert await customer.post(1) == 204
    assert [one.status for one in await customer.receiver.take()] == [status, 204]


@pytest.mark.parametrize("manner", [Manner.HANG, Manner.DRIP])
async def test_who_waits_for_an_answer_is_cut_off_when_all_is_well_again(
    customer: Customer, manner: Manner
) -> None:
    await customer.receiver.behave({"/i": manner})
    posting = asyncio.create_task(customer.post(1))
    await customer.receiver.wait(1, 10.0)
    await customer.receiver.behave({})
    with pytest.raises(aiohttp.ClientError):
        await posting
    assert await customer.post(1) == 204
    assert [one.status for one in await customer.receiver.take()] == [None, 204]


async def test_the_receiver_resets(customer: Customer) -> None:
    await customer.receiver.behave({"/i": Manner.RESET})
    with pytest.raises(aiohttp.ClientError):
        await customer.post(1)
    assert [one.status for one in await customer.receiver.take()] == [None]


async def test_a_dark_port_refuses_until_it_is_lit(customer: Customer) -> None:
    with pytest.raises(aiohttp.ClientConnectorError):
        await customer.post(1, dark=True)
    await customer.receiver.light()
    assert await customer.post(1, dark=True) == 204


async def test_what_is_no_request_is_refused(customer: Customer) -> None:
    port = customer._ports[0]
    for wrong in (b"GET / HTTP/1.1\r\n\r\n", b"POST /i HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(wrong)
        assert (await reader.read()).startswith(b"HTTP/1.1 400")
        writer.close()
        await writer.wait_closed()
    assert await customer.receiver.take() == []


def outage(**numbers: int) -> Outage:
    return Outage(
        virtual_days=3,
        recovery_hours=1,
        failed_attempts=9,
        real_s=1,
        events_away=5,
        events_healthy=5,
        count=Count(events=10, **numbers),
    )


def test_a_clean_run_has_passed() -> None:
    excused = outage(dead=3, duplicated_unanswered=2, refused=9, unanswered=2)
    result = conclude(None, None, excused, seed=1, seconds=2)
    assert result.passed
    assert (result.dead, result.duplicated_unanswered, result.throughput_ratio) == (3, 2, None)


@pytest.mark.parametrize("wrong", ["lost", "reordered", "duplicated", "unknown"])
def test_one_fault_is_one_too_many(wrong: str) -> None:
    result = conclude(None, None, outage(**{wrong: 1}), seed=1, seconds=2)
    assert not result.passed
    assert getattr(result, wrong) == 1


def test_the_picture_shows_every_endpoint_twice() -> None:
    well = {f"i-{n}": [0.003 + n / 1000, 0.01] for n in range(20)}
    bad = {f"i-{n}": [0.004, 0.9] for n in range(20)}
    drawn = ElementTree.fromstring(picture.draw(well, bad, "a & b", ("well", "<bad>")))
    dots = Counter(dot.get("class") for dot in drawn.iter(f"{SVG}circle"))
    assert dots == {"p50": 40, "p99": 40}
    heights = [float(dot.get("cy", "nan")) for dot in drawn.iter(f"{SVG}circle")]
    assert all(picture.TOP <= height <= picture.HEIGHT - picture.BOTTOM for height in heights)
    texts = [text.text for text in drawn.iter(f"{SVG}text")]
    assert {"Latency of 20 healthy endpoints", "a & b", "well", "<bad>", "p99 900.0 ms"} <= set(texts)


def test_nothing_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="no latencies"):
        picture.draw({}, {"i": [0.1]}, "", ("", ""))


@pytest.mark.parametrize(
    "wrong",
    [
        ["--endpoints", str(len(BAD))],
        ["--days", "5"],
        ["--only", "nothing"],
        ["--only", "outage", "--picture", "x.svg"],
        ["--only", "outage", "--profile", "x.txt"],
        ["--rate", "0"],
    ],
)
def test_a_wrong_command_line_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        read_options(wrong)
    assert end.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_what_is_not_given_is_everything() -> None:
    assert read_options([]).parts == PARTS
    chosen = read_options(["--only", "outage", "--only", "isolation", "--seed", "7", "--picture", "x"])
    assert (chosen.parts, chosen.seed, chosen.picture) == (("isolation", "outage"), 7, Path("x"))
