"""What every store does, each tried for real: a folder, and a bucket of a real S3 server."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from actors.media.errors import Code, MediaError
from actors.media.folder import FolderStore
from actors.media.media import media_id_of, new_media_id
from actors.media.s3 import PART, S3Store
from actors.media.store import CHUNK, MediaStore, open_store
from actors.settings import MediaSettings, Settings
from tests.media.s3_server import BUCKET, KEY_ID, SECRET, S3Server

# The server is built the first time.
pytestmark = pytest.mark.timeout(900)
NOBODY = "med_" + "0" * 32


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.kill()


def bucket(server: S3Server, scratch: Path, **others: object) -> S3Store:
    settings = MediaSettings(
        s3_bucket=BUCKET,
        s3_endpoint=server.url,
        s3_access_key_id=SecretStr(KEY_ID),
        s3_secret_access_key=SecretStr(SECRET),
        s3_prefix=scratch.name,
        s3_timeout=5,
    )
    return S3Store(settings.model_copy(update=others), scratch)


@pytest.fixture(params=["folder", "s3"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MediaStore]:
    if request.param == "folder":
        yield FolderStore(tmp_path / "store")
    else:
        yield bucket(request.getfixturevalue("s3"), tmp_path)


def file(store: MediaStore, data: bytes = b"some bytes") -> Path:
    path = store.scratch / new_media_id()
    path.write_bytes(data)
    return path


async def content(store: MediaStore, instance_id: str, media_id: str, **part: int) -> bytes:
    return b"".join([piece async for piece in store.read(instance_id, media_id, **part)])


async def test_a_file_comes_back_as_it_was_put(store: MediaStore) -> None:
    data = os.urandom(CHUNK * 2 + 7)
    path = file(store, data)
    media = await store.put("inst_1", path, mime_type="image/png", file_name="Ação 📎 100%.png")
    assert not path.exists()
    assert media.size == len(data)
    assert media.sha256 == hashlib.sha256(data).hexdigest()
    assert abs((datetime.now(UTC) - media.created_at).total_seconds()) < 3600
    assert await store.get("inst_1", media.id) == media
    assert await content(store, "inst_1", media.id) == data
    async with store.local("inst_1", media.id) as copy:
        assert copy.read_bytes() == data
    assert not copy.exists()


async def test_a_part_of_a_file_is_read(store: MediaStore) -> None:
    data = os.urandom(CHUNK + 100)
    media = await store.put("inst_1", file(store, data), mime_type="video/mp4")
    for start, end in ((0, 1), (5, 10), (CHUNK - 1, CHUNK + 1), (7, 10**9), (len(data), 10**9), (9, 9)):
        assert await content(store, "inst_1", media.id, start=start, end=end) == data[start:end]
    assert await content(store, "inst_1", media.id, start=CHUNK) == data[CHUNK:]


async def test_a_file_of_several_parts_is_kept_whole(store: MediaStore) -> None:
    data = os.urandom(PART * 2 + 12_345)
    media = await store.put("inst_1", file(store, data), mime_type="video/mp4")
    assert media.size == len(data)
    assert hashlib.sha256(await content(store, "inst_1", media.id)).hexdigest() == media.sha256


async def test_a_message_that_comes_again_leaves_its_file_as_it_was(store: MediaStore) -> None:
    name = media_id_of("inst_1", "3EB0AA")
    first = await store.put("inst_1", file(store, b"one"), mime_type="text/plain", media_id=name)
    again = await store.put("inst_1", path := file(store, b"two"), mime_type="text/plain", media_id=name)
    assert again == first
    assert not path.exists()
    assert await content(store, "inst_1", name) == b"one"


async def test_a_file_belongs_to_its_instance(store: MediaStore) -> None:
    media = await store.put("inst_1", file(store), mime_type="text/plain")
    for wrong in ("inst_2", "..", "inst_1/..", "", "inst_1/../inst_1"):
        with pytest.raises(MediaError) as refused:
            await store.get(wrong, media.id)
        assert refused.value.code is Code.NOT_FOUND


@pytest.mark.parametrize(
    "name", ["../secret", "med_../../secret", "", ".", "med_", NOBODY + "/x", NOBODY.upper(), NOBODY + "\n"]
)
async def test_what_is_no_id_leads_nowhere(store: MediaStore, name: str) -> None:
    for call in (store.get, store.delete):
        with pytest.raises(MediaError) as refused:
            await call("inst_1", name)
        assert refused.value.code is Code.NOT_FOUND
    with pytest.raises(MediaError):
        await content(store, "inst_1", name)
    with pytest.raises(MediaError):
        await store.put("inst_1", file(store), mime_type="text/plain", media_id=name or "x")


async def test_what_is_not_there_is_not_found(store: MediaStore) -> None:
    with pytest.raises(MediaError, match="med_000") as missing:
        await store.get("inst_1", NOBODY)
    assert missing.value.status == 404
    with pytest.raises(MediaError):
        await content(store, "inst_1", NOBODY)
    with pytest.raises(MediaError):
        async with store.local("inst_1", NOBODY):
            pass
    assert not await store.delete("inst_1", NOBODY)


async def test_a_deleted_file_is_gone(store: MediaStore) -> None:
    media = await store.put("inst_1", file(store), mime_type="text/plain")
    assert await store.delete("inst_1", media.id)
    assert not await store.delete("inst_1", media.id)
    with pytest.raises(MediaError):
        await store.get("inst_1", media.id)
    assert [entry async for entry in store.entries("inst_1")] == []


async def test_all_files_of_an_instance_are_listed(store: MediaStore) -> None:
    kept = [await store.put("inst_1", file(store, b"x" * n), mime_type="text/plain") for n in range(1, 6)]
    await store.put("inst_10", file(store), mime_type="text/plain")
    found = {entry.id: entry async for entry in store.entries("inst_1")}
    assert {name: entry.size for name, entry in found.items()} == {media.id: media.size for media in kept}
    for media in kept:
        assert abs(found[media.id].created_at - media.created_at.timestamp()) < 5
    assert {name async for name in store.instances()} == {"inst_1", "inst_10"}


async def test_what_was_never_finished_is_removed_when_it_is_old(store: MediaStore) -> None:
    media = await store.put("inst_1", file(store), mime_type="text/plain")
    left, new = file(store), file(store)
    (folder := store.scratch / "put-left").mkdir()
    (folder / "content").write_bytes(b"half of")
    for path in (left, folder):
        os.utime(path, (0, 0))
    assert await store.tidy(3600) == 2
    assert not left.exists()
    assert not folder.exists()
    assert new.exists()
    assert await store.get("inst_1", media.id) == media


async def test_the_settings_choose_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALOTE_DATA_DIR", str(tmp_path))
    assert isinstance(open_store(Settings()), FolderStore)
    assert open_store(Settings()).scratch.is_relative_to(tmp_path / "media")
    monkeypatch.setenv("MALOTE_MEDIA_S3_BUCKET", "some-bucket")
    assert isinstance(open_store(Settings()), S3Store)


async def test_a_server_that_is_gone_is_an_error_and_all_is_well_when_it_is_back(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = S3Server(tmp_path_factory.mktemp("own-s3"))
    server.start()
    try:
        store = bucket(server, tmp_path)
        data = os.urandom(1000)
        media = await store.put("inst_1", file(store, data), mime_type="text/plain")
        server.kill()
        path = file(store)
        calls = [
            store.get("inst_1", media.id),
            content(store, "inst_1", media.id),
            store.delete("inst_1", media.id),
            store.put("inst_1", path, mime_type="text/plain"),
            anext(store.entries("inst_1")),
        ]
        for error in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(error, MediaError)
            assert (error.code, error.again, error.status) == (Code.STORE, True, 503)
            assert "127.0.0.1" not in error.message
        assert not path.exists()
        server.start()
        assert await content(store, "inst_1", media.id) == data
    finally:
        server.kill()


async def test_wrong_keys_and_a_wrong_bucket_are_named(s3: S3Server, tmp_path: Path) -> None:
    for others, said in (
        ({"s3_secret_access_key": SecretStr("another")}, "refuses our keys"),
        ({"s3_bucket": "missing-bucket"}, "no such bucket"),
    ):
        store = bucket(s3, tmp_path, **others)
        with pytest.raises(MediaError, match=said) as failed:
            await store.put("inst_1", file(store), mime_type="text/plain")
        assert failed.value.code is Code.STORE


async def test_keys_come_from_the_environment_if_the_settings_have_none(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    store = bucket(s3, tmp_path, s3_access_key_id=None, s3_secret_access_key=None)
    media = await store.put("inst_1", file(store), mime_type="text/plain")
    assert await store.get("inst_1", media.id) == media
