"""Files from end to end: a gateway, actors and an engine, each its own process, and a contact beside them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from lab.attachments import Attachment
from lab.faults import SlowMedia
from tests.e2e.stack import ADMIN, FRIEND, PHONE, Stack
from tests.wait import until

pytestmark = [pytest.mark.cluster, pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    running = await Stack.start(tmp_path_factory.mktemp("stack"))
    yield running
    await running.stop()


def delivered(stack: Stack, kind: str, message_id: str) -> list[dict[str, Any]]:
    """What the endpoint took, deliveries of one event counted once."""
    found = {
        got.event["id"]: got.event["data"]
        for got in stack.receiver.taken
        if got.event["type"] == kind
        and message_id in (got.event["data"].get("message_id"), got.event["data"].get("id"))
    }
    return list(found.values())


async def write(stack: Stack, folder: Path, size: int, message_id: str) -> bytes:
    """Let the contact send a file."""
    path, data = (folder / message_id).absolute(), os.urandom(size)
    path.write_bytes(data)
    await stack.friend.write_file(PHONE, path, Attachment("document", file_name="a.bin"), message_id)
    return data


async def fetch(stack: Stack, link: str) -> bytes:
    async with stack.session.get(stack.local.gateway_url + link) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.read()


async def ready(stack: Stack, message_id: str) -> dict[str, Any]:
    [data] = await until(
        lambda: delivered(stack, "media.ready", message_id), timeout=120, what=f"the file of {message_id}"
    )
    media: dict[str, Any] = data["media"]
    return media


async def test_a_file_that_comes_is_delivered_by_link(stack: Stack, tmp_path: Path) -> None:
    data = await write(stack, tmp_path, 300_000, "IN1")
    media = await ready(stack, "IN1")
    assert await fetch(stack, media["url"]) == data
    [message] = delivered(stack, "message.received", "IN1")
    assert message["content"]["media"]["id"] == media["id"]


async def test_an_uploaded_file_is_sent(stack: Stack) -> None:
    data = os.urandom(200_000)
    headers = {"Authorization": f"Bearer {ADMIN}"}
    url = stack.local.gateway_url + stack.path("media")
    async with stack.session.post(url, data=data, headers=headers) as answer:
        media = (await answer.json())["id"]
    body = {"to": f"+{FRIEND}", "type": "document", "media": {"id": media}, "file_name": "a.bin"}
    sent = await stack.call("POST", stack.path("messages"), body, expect=201)
    await until(lambda: any(arrival.id == sent["id"] for arrival in stack.friend.arrivals()))
    assert await stack.friend.fetch(sent["id"]) == data


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", ["engine", "instance"])
async def test_sigkill_amid_a_download(stack: Stack, tmp_path: Path, kind: str) -> None:
    path = stack.local.settings.data_dir / "media"
    message_id = f"KILLED-{os.urandom(4).hex()}"
    # Some six seconds on the way up, and as many on the way down.
    stack.lab.faults.add(SlowMedia(bytes_per_second=100_000))
    data = await write(stack, tmp_path, 600_000, message_id)
    await until(
        lambda: [part for part in path.rglob(".*.part") if part.stat().st_size], what="a download in flight"
    )
    await stack.kill(kind)
    stack.lab.faults.clear()
    media = await ready(stack, message_id)
    assert await fetch(stack, media["url"]) == data
    assert len(delivered(stack, "message.received", message_id)) == 1


async def test_a_deleted_instance_leaves_no_file(stack: Stack) -> None:
    created = await stack.call("POST", "/v1/instances", {"name": "Two"}, expect=201)
    headers = {"Authorization": f"Bearer {ADMIN}"}
    url = f"{stack.local.gateway_url}/v1/instances/{created['id']}/media"
    async with stack.session.post(url, data=b"abc", headers=headers) as answer:
        assert answer.status == 201
    home = stack.local.settings.data_dir / "media" / "files" / created["id"]
    assert list(home.rglob("content"))
    await stack.call("DELETE", f"/v1/instances/{created['id']}", expect=204)
    await until(lambda: not list(home.rglob("content")), timeout=60, what="no file left")
