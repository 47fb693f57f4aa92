"""Clients that are slow, or gone: they hold nothing for ever, and are no fault of ours."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import aiohttp
import pytest

from actors.media.errors import Code, MediaError
from tests.api.world import World, running_world
from tests.wait import until

FILE = bytes(range(256)) * 4096 * 32
"""32 MiB: more than the buffers between a gateway and its reader hold."""


async def link(world: World) -> str:
    """Of a stored file."""
    iid = await world.instance()
    answer = await world.ask("POST", f"/v1/instances/{iid}/media", data=io.BytesIO(FILE))
    return str(answer.json["link"]["url"])


@contextlib.contextmanager
def connected(world: World) -> Iterator[socket.socket]:
    """A connection that takes hardly anything unless it is read."""
    place = urlsplit(world.url)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect((place.hostname, place.port))
        sock.setblocking(False)
        yield sock


@contextlib.asynccontextmanager
async def downloading(world: World) -> AsyncIterator[socket.socket]:
    """A reader that has begun to take a file, and takes no more."""
    url = await link(world)
    with connected(world) as sock:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, f"GET {url} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert (await loop.sock_recv(sock, 15)) == b"HTTP/1.1 200 OK"
        yield sock


async def left_alone(world: World) -> bool:
    """True once the gateway has no connection but those of the tests' client."""
    server = world.runner.server
    assert server is not None
    used = len(world.client.connector._conns) if world.client.connector else 0  # type: ignore[attr-defined]
    return len(server.connections) <= used  # type: ignore[attr-defined]


@pytest.mark.parametrize("said", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"])
async def test_who_says_nothing_or_never_comes_to_the_end_of_a_request_is_left(
    redis_url: str, prefix: str, said: bytes
) -> None:
    async with running_world(redis_url, prefix, idle_timeout=0.5) as world:
        with connected(world) as sock:
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(sock, said)
            async with asyncio.timeout(20):
                assert await loop.sock_recv(sock, 1) == b""


async def test_who_takes_nothing_of_a_file_is_left(
    redis_url: str, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_world(redis_url, prefix, stream_write_timeout=0.5) as world, downloading(world):
        assert await until(lambda: left_alone(world), what="the connection's end")
    assert not [line for line in caplog.records if line.levelno >= logging.ERROR]


async def test_who_goes_in_the_middle_of_a_file_is_no_fault_of_ours(
    redis_url: str, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_world(redis_url, prefix) as world:
        async with downloading(world):
            pass
        assert await until(lambda: left_alone(world), what="the connection's end")
        numbers = (await world.ask("GET", "/metrics", key=None)).body.decode()
    assert not [line for line in caplog.records if line.levelno >= logging.ERROR]
    assert 'route="/v1/media/{instance_id}/{media_id}",status="500"' not in numbers


async def test_a_file_that_cannot_be_read_to_its_end_is_broken_off(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not filled up with what went wrong."""
    async with running_world(redis_url, prefix) as world:
        url = await link(world)
        whole = world.services.files.read

        async def half(*args: object, **more: object) -> AsyncIterator[bytes]:
            size = 0
            async for chunk in whole(*args, **more):  # type: ignore[arg-type]
                yield chunk
                size += len(chunk)
                if size > len(FILE) // 2:
                    raise MediaError(Code.STORE, "the disk is gone", again=True)

        monkeypatch.setattr(world.services.files, "read", half)
        got = bytearray()
        with pytest.raises((aiohttp.ClientPayloadError, ConnectionError)):  # noqa: PT012
            async with asyncio.timeout(30), world.client.get(f"{world.url}{url}") as response:
                async for chunk in response.content.iter_any():
                    got += chunk
        assert FILE.startswith(got)


async def test_a_form_that_never_comes_to_its_file_is_left(redis_url: str, prefix: str) -> None:
    async with running_world(redis_url, prefix, media={"intake_timeout": 0.5}) as world:
        iid = await world.instance()

        async def endless() -> AsyncIterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="note"\r\n\r\n'
            while True:
                yield b"a" * 1000
                await asyncio.sleep(0.05)

        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        path = f"/v1/instances/{iid}/media"
        async with asyncio.timeout(30):
            answer = await world.ask("POST", path, data=endless(), headers=headers)
        assert answer.problem("media-refused")["code"] == "media_url_slow"
