"""Files: encrypted and uploaded by one engine, downloaded and decrypted by another."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from actors.instance.connection import engine_pb2 as pb
from lab.attachments import KINDS, Attachment, Kind, file_in, message_with
from lab.faults import CorruptMedia, FailQuery, IgnoreQuery, LoseMedia, RefuseUpload, SlowMedia
from lab.network import Lab
from tests.engine.conftest import ANA, BIA, MakeDevice
from tests.engine.device import Device, refused
from tests.wait import until

pytestmark = pytest.mark.engine

CHAT = f"{BIA}@s.whatsapp.net"


def written(path: Path, size: int) -> Path:
    """A file of this many bytes, none like the next."""
    path.write_bytes(os.urandom(size))
    return path


def described(uploaded: pb.UploadResult, kind: Kind = "document") -> dict[str, object]:
    return file_in(message_with(Attachment(kind), uploaded))


async def messages(device: Device, count: int = 1) -> list[pb.Message]:
    def found() -> list[pb.Message]:
        return [event for event in device.raw if isinstance(event, pb.Message)]

    await until(lambda: len(found()) >= count, what=f"{count} messages")
    return found()


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", KINDS)
async def test_a_file_arrives_as_it_was(device: MakeDevice, tmp_path: Path, kind: Kind) -> None:
    ana, bia = await device(ANA), await device(BIA)
    original = written(tmp_path / "original", 70_001)
    uploaded = await ana.engine.upload(original, kind)
    assert uploaded.file_length == 70_001
    caption = "" if kind in ("audio", "sticker") else "look"
    message = message_with(Attachment(kind, caption=caption, file_name="a.bin"), uploaded)
    await ana.engine.send(CHAT, "F1", message)
    [arrived] = await messages(bia)
    assert (arrived.kind, arrived.info.type) == (f"{kind}Message", "media")
    assert arrived.message == message
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "fetched"
    result = await bia.engine.fetch_media(path, **file_in(arrived.message))
    assert result.size == 70_001
    assert path.read_bytes() == original.read_bytes()
    assert leftovers(tmp_path / "in") == ["fetched"]


@pytest.mark.parametrize("size", [0, 1, 15, 16, 32 * 1024, 5_000_000])
async def test_files_of_all_sizes(device: MakeDevice, tmp_path: Path, size: int) -> None:
    ana = await device(ANA)
    original = written(tmp_path / "original", size)
    uploaded = await ana.engine.upload(original, "document")
    path = tmp_path / "fetched"
    result = await ana.engine.fetch_media(path, **described(uploaded), max_bytes=size)
    assert result.size == size
    assert path.read_bytes() == original.read_bytes()


async def test_a_large_file_does_not_pass_through_memory(device: MakeDevice, tmp_path: Path) -> None:
    ana = await device(ANA)
    size = 200 << 20
    original = tmp_path / "original"
    with original.open("wb") as file:
        file.truncate(size)
    before = (await ana.engine.stats()).rss_bytes
    peak = 0

    async def watch() -> None:
        nonlocal peak
        while True:
            peak = max(peak, (await ana.engine.stats()).rss_bytes)
            await asyncio.sleep(0.05)

    watching = asyncio.create_task(watch())
    uploaded = await ana.engine.upload(original, "video")
    await ana.engine.fetch_media(tmp_path / "fetched", **described(uploaded, "video"))
    watching.cancel()
    assert (tmp_path / "fetched").stat().st_size == size
    assert peak - before < 40 << 20


async def test_the_same_file_again(device: MakeDevice, tmp_path: Path, lab: Lab) -> None:
    ana = await device(ANA)
    original = written(tmp_path / "original", 1000)
    first, again = await ana.engine.upload(original, "image"), await ana.engine.upload(original, "image")
    assert first.file_sha256 == again.file_sha256
    assert first.media_key != again.media_key
    for uploaded in (first, again):
        await ana.engine.fetch_media(tmp_path / "fetched", **described(uploaded, "image"))
        assert (tmp_path / "fetched").read_bytes() == original.read_bytes()
    assert len(lab.board.media.all()) == 2
    assert original.read_bytes()[:3] not in [
        lab.board.media.path(blob).read_bytes()[:3] for blob in lab.board.media.all()
    ]


@pytest.mark.parametrize("code", [403, 404, 410])
async def test_a_file_that_is_gone(device: MakeDevice, lab: Lab, tmp_path: Path, code: int) -> None:
    ana = await device(ANA)
    uploaded = await ana.engine.upload(written(tmp_path / "original", 1000), "document")
    lab.faults.add(LoseMedia(code=code))
    (tmp_path / "in").mkdir()
    error = await refused(ana.engine.fetch_media(tmp_path / "in" / "fetched", **described(uploaded)))
    assert (error.code, error.server_code) == ("media_gone", code)
    assert leftovers(tmp_path / "in") == []


async def test_a_file_that_was_deleted(device: MakeDevice, lab: Lab, tmp_path: Path) -> None:
    ana = await device(ANA)
    uploaded = await ana.engine.upload(written(tmp_path / "original", 1000), "document")
    [blob] = lab.board.media.all()
    lab.board.media.delete(blob.name)
    error = await refused(ana.engine.fetch_media(tmp_path / "fetched", **described(uploaded)))
    assert error.code == "media_gone"


async def test_a_file_that_is_not_what_the_message_said(device: MakeDevice, lab: Lab, tmp_path: Path) -> None:
    ana = await device(ANA)
    uploaded = await ana.engine.upload(written(tmp_path / "original", 1000), "document")
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "fetched"
    path.write_bytes(b"an older one")
    lab.faults.add(CorruptMedia(times=1))
    assert (await refused(ana.engine.fetch_media(path, **described(uploaded)))).code == "media_corrupt"
    for name in ("media_key", "file_sha256", "file_enc_sha256"):
        parts = described(uploaded) | {name: bytes(32)}
        assert (await refused(ana.engine.fetch_media(path, **parts))).code == "media_corrupt", name
    parts = described(uploaded) | {"kind": "image"}
    assert (await refused(ana.engine.fetch_media(path, **parts))).code == "media_corrupt"
    assert leftovers(tmp_path / "in") == ["fetched"]
    assert path.read_bytes() == b"an older one"
    await ana.engine.fetch_media(path, **described(uploaded))
    assert path.read_bytes() == (tmp_path / "original").read_bytes()


async def test_a_file_that_is_larger_than_allowed(device: MakeDevice, tmp_path: Path) -> None:
    ana = await device(ANA)
    (tmp_path / "in").mkdir()
    for size, most in ((1_000_000, 10_000), (10_001, 10_000)):
        uploaded = await ana.engine.upload(written(tmp_path / "original", size), "document")
        parts = described(uploaded)
        error = await refused(ana.engine.fetch_media(tmp_path / "in" / "fetched", **parts, max_bytes=most))
        assert error.code == "media_too_large"
        assert leftovers(tmp_path / "in") == []


async def test_what_cannot_be_uploaded(device: MakeDevice, tmp_path: Path) -> None:
    ana = await device(ANA)
    for path in (tmp_path / "missing", tmp_path, Path("relative"), Path("/dev/zero")):
        assert (await refused(ana.engine.upload(path, "image"))).code == "bad_request"
    original = written(tmp_path / "original", 10)
    for kind in ("", "media_unknown", "painting"):
        assert (await refused(ana.engine.upload(original, kind))).code == "bad_request"
    uploaded = await ana.engine.upload(original, "image")
    for path in (Path("relative"), tmp_path / "no such folder" / "fetched"):
        error = await refused(ana.engine.fetch_media(path, **described(uploaded, "image")))
        assert error.code == "bad_request"


async def test_an_upload_that_is_refused(device: MakeDevice, lab: Lab, tmp_path: Path) -> None:
    ana = await device(ANA)
    (tmp_path / "out").mkdir()
    original = written(tmp_path / "out" / "original", 300_000)
    for code, named in ((500, "rejected"), (413, "rejected"), (429, "rate_limited")):
        lab.faults.add(RefuseUpload(phone=ANA, code=code, times=1))
        error = await refused(ana.engine.upload(original, "image"))
        assert (error.code, error.server_code) == (named, code)
    await ana.engine.upload(original, "image")
    assert leftovers(tmp_path / "out") == ["original"]


async def test_a_permission_that_was_taken_back_is_asked_for_anew(
    device: MakeDevice, lab: Lab, tmp_path: Path
) -> None:
    ana = await device(ANA)
    original = written(tmp_path / "original", 300_000)
    lab.faults.add(RefuseUpload(code=401, times=1))
    await ana.engine.upload(original, "image")
    lab.faults.add(RefuseUpload(code=401))
    error = await refused(ana.engine.upload(original, "image"))
    assert (error.code, error.server_code) == ("rejected", 401)


async def test_no_permission_to_be_had(device: MakeDevice, lab: Lab, tmp_path: Path) -> None:
    ana = await device(ANA)
    original = written(tmp_path / "original", 10)
    lab.faults.add(FailQuery(query="w:m", code=429, times=1))
    assert (await refused(ana.engine.upload(original, "image"))).code == "rate_limited"
    await ana.engine.disconnect()
    assert (await refused(ana.engine.upload(original, "image"))).code == "not_connected"
    await ana.connect()
    await ana.engine.upload(original, "image")


async def test_a_file_that_comes_slowly_holds_nothing_up(
    device: MakeDevice, lab: Lab, tmp_path: Path
) -> None:
    ana, bia = await device(ANA), await device(BIA)
    uploaded = await ana.engine.upload(written(tmp_path / "original", 200_000), "document")
    lab.faults.add(SlowMedia(bytes_per_second=1000))
    fetching = asyncio.create_task(bia.engine.fetch_media(tmp_path / "fetched", **described(uploaded)))
    await until(lambda: [part for part in tmp_path.glob(".fetched.*.part") if part.stat().st_size])
    await ana.send(BIA, "meanwhile", "M1")
    assert await bia.received(1) == ["meanwhile"]
    assert not fetching.done()
    fetching.cancel()


async def test_an_engine_that_is_killed_amid_a_download(device: MakeDevice, lab: Lab, tmp_path: Path) -> None:
    ana = await device(ANA)
    uploaded = await ana.engine.upload(written(tmp_path / "original", 500_000), "document")
    lab.faults.add(SlowMedia(bytes_per_second=50_000, times=1))
    path = tmp_path / "fetched"
    fetching = asyncio.create_task(refused(ana.engine.fetch_media(path, **described(uploaded))))
    await until(lambda: [part for part in tmp_path.glob(".fetched.*.part") if part.stat().st_size])
    ana.kill()
    assert (await fetching).code == "engine_gone"
    assert not path.exists()
    await ana.restart()
    await ana.engine.fetch_media(path, **described(uploaded))
    assert path.read_bytes() == (tmp_path / "original").read_bytes()


async def test_an_engine_that_is_killed_amid_an_upload_leaves_nothing(
    device: MakeDevice, lab: Lab, tmp_path: Path
) -> None:
    ana = await device(ANA)
    (tmp_path / "out").mkdir()
    original = written(tmp_path / "out" / "original", 500_000)
    lab.faults.add(SlowMedia(bytes_per_second=50_000, times=1))
    uploading = asyncio.create_task(refused(ana.engine.upload(original, "image")))
    await until(lambda: list((lab.state_dir / "media").glob("*.draft")))
    ana.kill()
    assert (await uploading).code == "engine_gone"
    assert leftovers(tmp_path / "out") == ["original"]
    await until(lambda: not list((lab.state_dir / "media").iterdir()), what="the lab to drop the half file")


async def test_a_connection_that_breaks_amid_a_download_is_tried_again(
    device: MakeDevice, lab: Lab, tmp_path: Path
) -> None:
    ana = await device(ANA)
    uploaded = await ana.engine.upload(written(tmp_path / "original", 1000), "document")
    lab.faults.add(LoseMedia(code=503, times=1))
    await ana.engine.fetch_media(tmp_path / "fetched", **described(uploaded))
    assert (tmp_path / "fetched").read_bytes() == (tmp_path / "original").read_bytes()
    lab.faults.add(LoseMedia(code=418))
    error = await refused(ana.engine.fetch_media(tmp_path / "other", **described(uploaded)))
    assert (error.code, error.server_code) == ("rejected", 418)


async def test_permissions_outlive_the_network(device: MakeDevice, lab: Lab, tmp_path: Path) -> None:
    """A client asks for a permission once in hours: the network knows it again after a restart."""
    ana = await device(ANA)
    original = written(tmp_path / "original", 1000)
    uploaded = await ana.engine.upload(original, "document")
    await lab.stop()
    again = await Lab.start(lab.state_dir)
    try:
        assert again.target.address == lab.target.address
        await ana.connect()
        again.faults.add(IgnoreQuery(query="w:m"))
        await ana.engine.upload(original, "document")
        await ana.engine.fetch_media(tmp_path / "fetched", **described(uploaded))
        assert (tmp_path / "fetched").read_bytes() == original.read_bytes()
    finally:
        await ana.engine.close()
        await again.stop()
