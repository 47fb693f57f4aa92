"""Files at the door: uploaded, fetched for messages, handed out by links, refused with what to do."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from PIL import Image

from actors.instance.outbox import QueuedMessage
from tests.api.world import ADMIN, Answered, Owner, World, running_world
from tests.media import files
from tests.media.server import DATA, Server, running_server, serve
from tests.wait import until

JID = "5511912345678@s.whatsapp.net"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running_server() as outside:
        yield outside


async def post(world: World, iid: str, kind: str, media: dict[str, Any], **more: Any) -> Answered:
    headers = {name: more.pop(name) for name in list(more) if name == "Idempotency-Key"}
    body = {"to": JID, "type": kind, "media": media, **more}
    return await world.ask("POST", f"/v1/instances/{iid}/messages?wait=0", json=body, headers=headers)


async def upload(
    world: World, iid: str, data: bytes, mime_type: str | None = None, query: str = ""
) -> Answered:
    headers = {"Content-Type": mime_type} if mime_type else {}
    return await world.ask(
        "POST", f"/v1/instances/{iid}/media{query}", data=io.BytesIO(data), headers=headers
    )


async def stored(world: World, iid: str) -> list[str]:
    return [entry.id async for entry in world.services.files.entries(iid)]


async def content(world: World, iid: str, media_id: str) -> bytes:
    return b"".join([chunk async for chunk in world.services.files.read(iid, media_id)])


def leftovers(world: World) -> list[Path]:
    return list(world.services.files.scratch.iterdir())


async def queued(owner: Owner) -> QueuedMessage:
    message = await owner.outbox.head()
    assert message is not None
    return message


# ---- uploads --------------------------------------------------------------------------------------------


async def test_an_uploaded_file_is_described_and_fetched_by_its_link(world: World, iid: str) -> None:
    answer = await upload(world, iid, DATA, "application/x-own", "?file_name=own%20file.bin")
    assert answer.status == 201, answer.body
    media = answer.json
    assert (media["size"], media["mime_type"], media["file_name"]) == (
        len(DATA), "application/x-own", "own file.bin",
    )  # fmt: skip
    shown = await world.ask("GET", f"/v1/instances/{iid}/media/{media['id']}", key=world.tokens[iid])
    assert shown.json | {"link": 0} == media | {"link": 0}
    got = await world.ask("GET", media["link"]["url"], key=None)
    assert (got.status, got.body) == (200, DATA)
    assert got.headers["Content-Type"] == "application/x-own"
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Content-Disposition"] == "attachment; filename*=UTF-8''own%20file.bin"
    assert leftovers(world) == []


async def test_a_form_is_understood_too(world: World, iid: str) -> None:
    form = aiohttp.FormData()
    form.add_field("note", "not the file")
    form.add_field("file", io.BytesIO(DATA), filename="a.bin", content_type="application/x-own")
    answer = await world.ask("POST", f"/v1/instances/{iid}/media", data=form)
    assert answer.status == 201, answer.body
    assert (answer.json["file_name"], answer.json["mime_type"]) == ("a.bin", "application/x-own")
    assert await content(world, iid, answer.json["id"]) == DATA


async def test_a_form_without_a_file(world: World, iid: str) -> None:
    form = aiohttp.FormData({"note": "x"}, default_to_multipart=True)
    answer = await world.ask("POST", f"/v1/instances/{iid}/media", data=form)
    assert answer.problem("media-refused")["code"] == "media_empty"


async def test_a_form_that_is_none(world: World, iid: str) -> None:
    answer = await upload(world, iid, b"nothing of the kind", "multipart/form-data; boundary=x")
    assert answer.status in (400, 422), answer.body
    assert (await upload(world, iid, DATA, "multipart/form-data")).problem("bad-request")
    head = b'Content-Disposition: form-data; name="a\x01b"; filename="x"'
    form = b"--x\r\n" + head + b"\r\n\r\nabc\r\n--x--\r\n"
    assert (await upload(world, iid, form, "multipart/form-data; boundary=x")).problem("bad-request")


async def test_an_upload_may_be_larger_than_a_body_of_json(world: World, iid: str) -> None:
    data = DATA * 20
    assert len(data) > world.settings.gateway.body_bytes
    answer = await upload(world, iid, data)
    assert answer.json["size"] == len(data)


async def test_uploads_that_are_refused(redis_url: str, prefix: str) -> None:
    bounds = dict.fromkeys(
        ("image_bytes", "video_bytes", "gif_bytes", "audio_bytes", "voice_bytes", "sticker_bytes",
         "document_bytes"), 1000,
    )  # fmt: skip
    async with running_world(redis_url, prefix, media={**bounds, "intake_timeout": 0.5}) as world:
        iid = await world.instance()
        assert (await upload(world, iid, b"")).problem("media-refused")["code"] == "media_empty"
        too_large = (await upload(world, iid, DATA)).problem("media-too-large")
        assert "1000 bytes" in too_large["detail"]
        lie = (await upload(world, iid, b"<html><body>no</body></html>", "image/png")).problem(
            "media-wrong-type"
        )
        assert lie["code"] == "media_mismatch"

        async def dripping() -> AsyncIterator[bytes]:
            yield b"x"
            await asyncio.sleep(60)

        slow = await world.ask("POST", f"/v1/instances/{iid}/media", data=dripping())
        assert slow.problem("media-refused")["code"] == "media_url_slow"
        assert await stored(world, iid) == []
        assert leftovers(world) == []


async def test_an_upload_that_breaks_off_leaves_nothing(world: World, iid: str) -> None:
    began = asyncio.Event()

    async def breaking() -> AsyncIterator[bytes]:
        yield DATA
        began.set()
        await asyncio.sleep(60)

    uploading = asyncio.create_task(world.ask("POST", f"/v1/instances/{iid}/media", data=breaking()))
    await began.wait()
    await until(lambda: leftovers(world), what="a file that grows")
    uploading.cancel()
    await until(lambda: not leftovers(world), what="nothing left")
    assert await stored(world, iid) == []


async def test_files_are_the_instances_own(world: World, iid: str) -> None:
    other = await world.instance()
    media = (await upload(world, iid, DATA)).json
    for instance, key in ((iid, world.tokens[other]), (other, world.tokens[other])):
        path = f"/v1/instances/{instance}/media/{media['id']}"
        for method in ("GET", "DELETE"):
            (await world.ask(method, path, key=key)).problem("not-found")
    answer = await post(world, other, "document", {"id": media["id"]})
    assert answer.problem("media-refused")["code"] == "media_not_found"
    assert (await world.ask("DELETE", f"/v1/instances/{iid}/media/{media['id']}")).status == 204
    gone = await world.ask("GET", media["link"]["url"], key=None)
    assert gone.problem("not-found")["code"] == "media_not_found"
    (await world.ask("DELETE", f"/v1/instances/{iid}/media/{media['id']}")).problem("not-found")


# ---- links ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "status", "part", "told"),
    [
        ("bytes=0-9", 206, DATA[:10], f"bytes 0-9/{len(DATA)}"),
        ("bytes=76790-", 206, DATA[76790:], f"bytes 76790-76799/{len(DATA)}"),
        ("bytes=-5", 206, DATA[-5:], f"bytes 76795-76799/{len(DATA)}"),
        ("bytes=76799-99999", 206, DATA[-1:], f"bytes 76799-76799/{len(DATA)}"),
        ("bytes=0-", 200, DATA, None),
        ("bytes=76800-", 416, b"", f"bytes */{len(DATA)}"),
        ("bytes=1-2,5-6", 200, DATA, None),
        ("lines=1-2", 200, DATA, None),
    ],
)
async def test_a_part_of_a_file(
    world: World, iid: str, asked: str, status: int, part: bytes, told: str | None
) -> None:
    url = (await upload(world, iid, DATA)).json["link"]["url"]
    got = await world.ask("GET", url, key=None, headers={"Range": asked})
    assert (got.status, got.body, got.headers.get("Content-Range")) == (status, part, told)
    head = await world.ask("HEAD", url, key=None, headers={"Range": asked})
    assert (head.status, head.body) == (status, b"")
    assert head.headers["Content-Length"] == str(len(part))


async def test_a_file_that_the_client_has_already(world: World, iid: str) -> None:
    url = (await upload(world, iid, DATA)).json["link"]["url"]
    etag = (await world.ask("HEAD", url, key=None)).headers["ETag"]
    assert (await world.ask("GET", url, key=None, headers={"If-None-Match": etag})).status == 304
    for given, status in ((etag, 206), ('"another"', 200)):
        headers = {"Range": "bytes=0-9", "If-Range": given}
        assert (await world.ask("GET", url, key=None, headers=headers)).status == status


async def test_links_that_are_not_ours(world: World, iid: str) -> None:
    media, other = (await upload(world, iid, DATA)).json, (await upload(world, iid, DATA + b"x")).json
    url = media["link"]["url"]
    for changed in (
        url.replace(media["id"], other["id"]),
        url.replace("expires=", "expires=9"),
        url[:-1] + ("A" if url[-1] != "A" else "B"),
        url.replace(iid, await world.instance()),
    ):
        (await world.ask("GET", changed, key=None)).problem("media-link-invalid")
    bare = url.partition("?")[0]
    (await world.ask("GET", bare, key=None)).problem("invalid")
    (await world.ask("GET", bare, key=ADMIN)).problem("invalid")


async def test_a_link_whose_time_is_over(redis_url: str, prefix: str) -> None:
    async with running_world(redis_url, prefix, media={"link_lifetime": 1}) as world:
        iid = await world.instance()
        url = (await upload(world, iid, DATA)).json["link"]["url"]

        async def over() -> Answered | None:
            answer = await world.ask("GET", url, key=None)
            return answer if answer.status != 200 else None

        (await until(over, what="the link to expire")).problem("media-link-expired")


async def test_gateways_of_one_cluster_know_each_others_links(
    world: World, redis_url: str, prefix: str
) -> None:
    iid = await world.instance()
    link = (await upload(world, iid, DATA)).json["link"]["url"]
    async with running_world(redis_url, prefix, public_url="https://wa.example.com") as other:
        # The file is not there, for each has a folder of its own: that is known after the link was checked.
        (await other.ask("GET", link, key=None)).problem("not-found")
        theirs = (await upload(other, iid, DATA)).json["link"]["url"]
    assert theirs.startswith(f"https://wa.example.com/v1/media/{iid}/")


# ---- messages -------------------------------------------------------------------------------------------


def sources(tmp_path: Path) -> dict[str, Path]:
    return {
        "image": files.picture(tmp_path / "a.bmp"),
        "video": files.film(tmp_path / "a.mp4"),
        "gif": files.animation(tmp_path / "a.gif"),
        "audio": files.tone(tmp_path / "a.mp3", "libmp3lame"),
        "voice": files.tone(tmp_path / "a.wav", "pcm_s16le"),
        "sticker": files.picture(tmp_path / "b.png"),
        "document": files.picture(tmp_path / "c.bmp"),
    }


MADE = {
    "image": "image/jpeg",
    "video": "video/mp4",
    "gif": "video/mp4",
    "audio": "audio/mpeg",
    "voice": "audio/ogg; codecs=opus",
    "sticker": "image/webp",
    "document": "image/bmp",
}


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("way", ["id", "url", "base64"])
async def test_every_kind_is_taken_each_way(
    world: World, iid: str, owner: Owner, server: Server, tmp_path: Path, kind: str, way: str
) -> None:
    data = sources(tmp_path)[kind].read_bytes()
    media = {"base64": base64.b64encode(data).decode()}
    if way == "url":
        media = {"url": server.on("/a", serve(data))}
    if way == "id":
        media = {"id": (await upload(world, iid, data)).json["id"]}
    answer = await post(world, iid, kind, media)
    assert answer.status == 202, answer.body
    message = await queued(owner)
    file = message.file
    assert file is not None
    # What the message shows is where the file is stored, not what it came from.
    assert answer.json["content"]["media"]["id"] == file.id
    assert "base64" not in str(await world.store.redis.hgetall(owner.outbox.key("message", message.id)))
    assert file.mime_type == MADE[kind]
    found = await content(world, iid, file.id)
    assert len(found) == file.size
    assert (kind in ("video", "gif", "audio", "voice")) == (file.seconds is not None)
    assert (kind == "voice") == (file.waveform is not None)
    if kind == "document":
        assert found == data
        assert Image.open(io.BytesIO(found)).size == (64, 48)
    # What was uploaded stays beside what was made of it; else there is one file.
    assert len(await stored(world, iid)) == (2 if way == "id" and found != data else 1)
    assert leftovers(world) == []


async def test_a_file_that_is_sent_twice_is_converted_to_one(
    world: World, iid: str, owner: Owner, tmp_path: Path
) -> None:
    media = (await upload(world, iid, files.picture(tmp_path / "a.bmp").read_bytes())).json["id"]
    first, second = [(await post(world, iid, "image", {"id": media})).json for _ in range(2)]
    assert first["content"]["media"]["id"] == second["content"]["media"]["id"]
    assert len(await stored(world, iid)) == 2


async def test_an_instance_that_is_deleted_while_a_file_is_fetched_is_not_there(
    world: World, iid: str, owner: Owner, server: Server
) -> None:
    async def deleted(request: web.Request) -> web.StreamResponse:
        await world.services.registry.delete(iid)
        return web.Response(body=DATA)

    answer = await post(world, iid, "document", {"url": server.on("/a", deleted)})
    answer.problem("not-found")
    assert await stored(world, iid) == []
    assert leftovers(world) == []
    # It may be made anew under its id, once nothing of it is there, and is not paired then.
    await world.services.registry.removed(iid)
    await world.ask("POST", "/v1/instances", json={"id": iid, "name": "Again"})
    (await post(world, iid, "document", {"url": server.on("/b", serve(DATA))})).problem("not-paired")


async def test_a_repeated_request_fetches_nothing_again(
    world: World, iid: str, owner: Owner, server: Server
) -> None:
    url = server.on("/a", serve(DATA))
    key = {"Idempotency-Key": "k"}
    first = await post(world, iid, "document", {"url": url}, **key)
    again = await post(world, iid, "document", {"url": url}, **key)
    assert again.json["id"] == first.json["id"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert server.asked == ["/a"]
    other = await post(world, iid, "document", {"url": url}, caption="another", **key)
    other.problem("idempotency-key-reused")
    assert len(await stored(world, iid)) == 1


async def test_requests_at_the_same_time_store_one_file(
    world: World, iid: str, owner: Owner, server: Server
) -> None:
    url, key = server.on("/a", serve(DATA)), {"Idempotency-Key": "k"}
    answers = await asyncio.gather(*(post(world, iid, "document", {"url": url}, **key) for _ in range(3)))
    assert len({answer.json["id"] for answer in answers}) == 1
    assert await owner.outbox.depth() == 1
    assert len(await stored(world, iid)) == 1


async def test_a_full_outbox_keeps_no_file(redis_url: str, prefix: str, server: Server) -> None:
    async with running_world(redis_url, prefix) as world:
        iid = await world.instance()
        await world.owner(iid)
        outbox = world.services.settings.outbox
        world.services.settings = world.settings.model_copy(
            update={"outbox": outbox.model_copy(update={"bound": 1})}
        )
        url = server.on("/a", serve(DATA))
        assert (await post(world, iid, "document", {"url": url})).status == 202
        (await post(world, iid, "document", {"url": url})).problem("outbox-full")
        assert server.asked == ["/a"]
        assert len(await stored(world, iid)) == 1


async def test_urls_that_lead_nowhere_good(world: World, iid: str, owner: Owner, server: Server) -> None:
    inside = server.url("/inside", "127.0.0.1")

    async def redirect(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        raise aiohttp.web.HTTPFound(inside)

    async def hangs(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError

    page = serve(b"<!doctype html><html><body>log in first</body></html>", content_type="image/png")
    for url, slug, code in (
        (inside, "media-refused", "media_url_forbidden"),
        (server.on("/redirect", redirect), "media-refused", "media_url_forbidden"),
        ("http://169.254.169.254/latest", "media-refused", "media_url_forbidden"),
        (server.on("/lies", page), "media-wrong-type", "media_mismatch"),
        (server.on("/text", serve(b"just text")), "media-wrong-type", "media_wrong_type"),
    ):
        problem = (await post(world, iid, "image", {"url": url})).problem(slug)
        assert problem["code"] == code, problem
        assert problem["errors"][0]["pointer"] == "#/media"
    assert "/inside" not in server.asked
    assert await owner.outbox.depth() == 0
    assert await stored(world, iid) == []
    assert leftovers(world) == []


async def test_a_url_that_hangs_holds_up_nobody_else(redis_url: str, prefix: str, server: Server) -> None:
    held = asyncio.Event()

    async def hangs(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        await held.wait()
        return aiohttp.web.Response(body=DATA)

    bounds = {"intake_instance": 2, "convert_wait": 0.3, "fetch_window": 60, "fetch_timeout": 60}
    async with running_world(redis_url, prefix, media=bounds) as world:
        iid, other = await world.instance(), await world.instance()
        url = server.on("/hangs", hangs)
        waiting = [asyncio.create_task(post(world, iid, "document", {"url": url})) for _ in range(2)]
        await until(lambda: len(server.asked) == 2)
        busy = await post(world, iid, "document", {"url": server.on("/a", serve(DATA))})
        assert busy.problem("media-unavailable")["code"] == "media_busy"
        assert busy.headers["Retry-After"]
        assert (await post(world, other, "document", {"url": server.url("/a")})).status == 202
        assert (await world.ask("GET", f"/v1/instances/{iid}")).status == 200
        held.set()
        assert [(await task).status for task in waiting] == [202, 202]


async def test_a_url_whose_server_says_nothing(redis_url: str, prefix: str, server: Server) -> None:
    async def hangs(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError

    async with running_world(redis_url, prefix, media={"fetch_timeout": 0.5}) as world:
        iid = await world.instance()
        answer = await post(world, iid, "document", {"url": server.on("/hangs", hangs)})
        assert answer.problem("media-refused")["code"] == "media_url_slow"
