"""Downloads: a real server that hangs, drips, lies, breaks off and redirects to where nobody may go.

127.0.0.2 plays an address of the public internet here (the guard is told to allow it).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from actors.courier.addresses import Guard
from actors.courier.egress import Egress
from actors.media.errors import Code, MediaError
from actors.media.fetch import Fetched, Fetcher
from actors.settings import MediaSettings
from tests.courier.outside import Names
from tests.media.server import DATA, GOOD, Handler, Server, running_server, serve
from tests.valkey import free_port

CAP = 100_000


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running_server() as outside:
        yield outside


@pytest.fixture
async def fetch(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Fetched]]]:
    egress = Egress(Guard(allow=[GOOD]), resolver=Names([GOOD], ["127.0.0.1"]))

    async def once(url: str, *, cap: int = CAP, **settings: object) -> Fetched:
        chosen = MediaSettings.model_validate({"fetch_attempts": 1, "fetch_window": 0.5, **settings})
        return await Fetcher(egress, chosen).fetch(url, tmp_path / "got", cap=cap)

    yield once
    await egress.close()


Fetch = Callable[..., Awaitable[Fetched]]


async def refused(call: Awaitable[Fetched]) -> MediaError:
    with pytest.raises(MediaError) as error:
        await call
    assert 400 <= error.value.status < 500
    return error.value


def to(location: str, status: int = 302) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"location": location})

    return answer


async def test_a_file_is_downloaded_with_its_name_and_type(
    server: Server, fetch: Fetch, tmp_path: Path
) -> None:
    url = server.on("/a/photo%20one.png", serve(content_type="image/PNG; x=y"))
    server.handlers["/a/photo one.png"] = server.handlers["/a/photo%20one.png"]
    assert await fetch(url) == Fetched(len(DATA), "image/png", "photo one.png")
    assert (tmp_path / "got").read_bytes() == DATA
    assert server.headers[0]["accept-encoding"] == "identity"
    assert server.headers[0]["user-agent"].startswith("Malote/")


async def test_the_name_that_the_server_gives_comes_first(server: Server, fetch: Fetch) -> None:
    url = server.on("/file", serve(content_disposition='attachment; filename="../../nota fiscal.pdf"'))
    got = await fetch(url)
    assert got.file_name == "nota fiscal.pdf"
    assert got.mime_type is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed(server: Server, fetch: Fetch, status: int) -> None:
    server.on("/file", serve())
    server.on("/two", to("file", status))
    server.on("/one", to(server.url("/two") + "#part", status))
    assert (await fetch(server.on("/start", to("/one", status)))).size == len(DATA)
    assert server.asked == ["/start", "/one", "/two", "/file"]


async def test_only_so_many_redirects_are_followed(server: Server, fetch: Fetch) -> None:
    error = await refused(fetch(server.on("/round", to("/round"))))
    assert error.code is Code.REDIRECTS
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{port}/secret",
        "//127.0.0.1:{port}/secret",
        "http://localhost:{port}/secret",
        "http://[::ffff:127.0.0.1]:{port}/secret",
        "http://2130706433:{port}/secret",
        "http://169.254.169.254/latest/meta-data",
        "http://rebinding.example:{port}/secret",
    ],
)
async def test_a_redirect_to_where_nobody_may_go_is_not_followed(
    server: Server, fetch: Fetch, target: str
) -> None:
    server.on("/secret", serve())
    # The names' server says a good address once, for the first URL, and loopback from then on.
    server.on("/file", to(target.format(port=server.port)))
    error = await refused(fetch(server.url("/file", "first.example")))
    assert error.code is Code.FORBIDDEN
    assert server.asked == ["/file"]


@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "ftp://127.0.0.2/file", "javascript:alert(1)", "http://user:key@127.0.0.2/"],
)
async def test_a_redirect_to_what_is_no_web_address_is_refused(
    server: Server, fetch: Fetch, target: str
) -> None:
    error = await refused(fetch(server.on("/file", to(target))))
    assert error.code is Code.URL
    assert "redirects to" in error.message


async def test_a_redirect_to_nowhere_is_refused(server: Server, fetch: Fetch) -> None:
    async def nowhere(request: web.Request) -> web.Response:
        return web.Response(status=302)

    assert (await refused(fetch(server.on("/file", nowhere)))).code is Code.REDIRECTS


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "0x7f.1", "10.0.0.1", "169.254.169.254"])
async def test_a_private_address_is_refused(server: Server, fetch: Fetch, host: str) -> None:
    server.on("/file", serve())
    assert (await refused(fetch(server.url(host=host)))).code is Code.FORBIDDEN
    assert server.asked == []


@pytest.mark.parametrize(
    "url", ["", "file:///etc/passwd", "ftp://host.example/a", "//host/a", "http://", "http://u:p@host.example/a",
            "http://host.example/a b", "http://host.example:99999/"],
)  # fmt: skip
async def test_what_is_no_url_is_refused(fetch: Fetch, url: str) -> None:
    error = await refused(fetch(url))
    assert error.code is Code.URL


async def test_a_server_that_says_nothing_is_left(server: Server, fetch: Fetch) -> None:
    over = asyncio.Event()
    error = await refused(fetch(server.raw("/file", then=over), fetch_connect_timeout=0.2))
    over.set()
    assert error.code is Code.SLOW
    assert "says nothing" in error.message


async def test_a_server_that_stops_in_the_middle_is_left(server: Server, fetch: Fetch) -> None:
    over = asyncio.Event()
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nsome"
    error = await refused(fetch(server.raw("/file", head, then=over)))
    over.set()
    assert error.code is Code.SLOW
    assert "less than 16384 bytes/s" in error.message


async def test_a_server_that_drips_is_left(server: Server, fetch: Fetch) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"
    error = await refused(fetch(server.raw("/file", head, *[b"x"] * 400, pause=0.05)))
    assert error.code is Code.SLOW
    assert "bytes/s" in error.message


async def test_a_slow_server_that_is_fast_enough_is_waited_for(server: Server, fetch: Fetch) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n"
    url = server.raw("/file", head, *[b"x" * 20] * 20, pause=0.05)
    assert (await fetch(url, fetch_rate=10, fetch_window=0.3)).size == 400


async def test_the_whole_has_a_deadline(server: Server, fetch: Fetch) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"
    url = server.raw("/file", head, *[b"x" * 100] * 400, pause=0.05)
    error = await refused(fetch(url, fetch_rate=1, fetch_timeout=1))
    assert error.code is Code.SLOW
    assert "within 1 s" in error.message


async def test_a_file_that_says_it_is_too_large_is_not_read(server: Server, fetch: Fetch) -> None:
    over = asyncio.Event()
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 100001\r\n\r\n"
    error = await refused(fetch(server.raw("/file", head, then=over)))
    over.set()
    assert (error.code, error.status) == (Code.TOO_LARGE, 413)


async def test_a_file_that_does_not_say_it_is_too_large_is_read_up_to_there(
    server: Server, fetch: Fetch, tmp_path: Path
) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 10_000)

    error = await refused(fetch(server.on("/file", endless)))
    assert error.code is Code.TOO_LARGE
    assert (tmp_path / "got").stat().st_size <= CAP


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nsome",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nsome\r\n",
    ],
)
async def test_a_file_that_breaks_off_is_not_taken_for_whole(
    server: Server, fetch: Fetch, answer: bytes
) -> None:
    error = await refused(fetch(server.raw("/file", answer)))
    assert (error.code, error.again) == (Code.BROKEN, True)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nsome\r\nnonsense\r\n",
    ],
)
async def test_what_is_not_http_is_refused(server: Server, fetch: Fetch, answer: bytes) -> None:
    assert (await refused(fetch(server.raw("/file", answer)))).code is Code.UNREACHABLE


async def test_an_empty_file_is_refused(server: Server, fetch: Fetch) -> None:
    assert (await refused(fetch(server.on("/file", serve(b""))))).code is Code.EMPTY


async def test_a_compressed_file_is_refused_and_never_unpacked(server: Server, fetch: Fetch) -> None:
    error = await refused(fetch(server.on("/file", serve(b"x", content_encoding="gzip"))))
    assert error.code is Code.BROKEN
    assert "compressed (gzip)" in error.message


@pytest.mark.parametrize(("status", "attempts"), [(404, 1), (403, 1), (204, 1), (503, 3), (429, 3)])
async def test_what_may_pass_is_tried_again(server: Server, fetch: Fetch, status: int, attempts: int) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status)

    error = await refused(fetch(server.on("/file", answer), fetch_attempts=3))
    assert error.code is Code.STATUS
    assert f"answered {status}" in error.message
    assert len(server.asked) == attempts


async def test_a_second_attempt_that_goes_well_is_all_that_counts(
    server: Server, fetch: Fetch, tmp_path: Path
) -> None:
    url = server.raw("/file", b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nsome")
    broken = server.handlers["/file"]

    async def first_broken(request: web.Request) -> web.StreamResponse:
        return await (broken if len(server.asked) == 1 else serve())(request)

    server.on("/file", first_broken)
    assert (await fetch(url, fetch_attempts=2)).size == len(DATA)
    assert (tmp_path / "got").read_bytes() == DATA


async def test_nobody_there_is_said_to_be_nobody_there(fetch: Fetch) -> None:
    error = await refused(fetch(f"http://{GOOD}:{free_port()}/file"))
    assert (error.code, error.again) == (Code.UNREACHABLE, True)
    assert "takes no connection" in error.message


async def test_a_server_without_tls_is_named_so(server: Server, fetch: Fetch) -> None:
    error = await refused(fetch(server.url().replace("http:", "https:"), fetch_attempts=3))
    assert (error.code, error.again) == (Code.UNREACHABLE, False)
