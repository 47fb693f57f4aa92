"""The folder: whatever is killed whenever, a file is there whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from actors.media.errors import Code, MediaError
from actors.media.folder import FolderStore
from tests.wait import until

WRITER = """
import asyncio, os, sys
from pathlib import Path
from actors.media.folder import FolderStore

async def main():
    store = FolderStore(Path(sys.argv[1]))
    while True:
        path = store.scratch / f"spool-{os.getpid()}"
        path.write_bytes(os.urandom(1 << 20))
        media = await store.put("inst_1", path, mime_type="text/plain")
        print(media.id, flush=True)

asyncio.run(main())
"""


async def test_a_killed_writer_leaves_whole_files_only(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    told: list[str] = []
    for round_ in range(6):
        log = tmp_path / f"log-{round_}"
        running = writer(tmp_path / "store", log)
        try:
            await until(lambda log=log, round_=round_: len(log.read_text().split("\n")) > 2 + round_)
        finally:
            running.kill()
            running.wait()
        told += [line for line in log.read_text().split("\n")[:-1] if line]
    found = {entry.id: entry async for entry in store.entries("inst_1")}
    assert set(told) <= set(found)
    for name in found:
        media = await store.get("inst_1", name)
        data = b"".join([piece async for piece in store.read("inst_1", name)])
        assert (len(data), hashlib.sha256(data).hexdigest()) == (media.size, media.sha256)
    await store.tidy(-60)
    assert list(store.scratch.iterdir()) == []
    assert {entry.id async for entry in store.entries("inst_1")} == set(found)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A folder of another disk."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is only one disk")
    return memory


def writer(store: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen([sys.executable, "-c", WRITER, str(store)], stdout=out, cwd=Path.cwd())


@pytest.mark.parametrize("step", ["fsync", "fchmod", "rename"])
async def test_a_step_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    store = FolderStore(tmp_path / "store")
    (path := store.scratch / "spool").write_bytes(b"some bytes")
    steps = {"fsync": (os, "fsync"), "fchmod": (Path, "chmod"), "rename": (Path, "rename")}

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(*steps[step], full)
        with pytest.raises(MediaError, match="disk that files are kept on is full") as failed:
            await store.put("inst_1", path, mime_type="text/plain")
    assert (failed.value.code, failed.value.again) == (Code.STORE, True)
    assert list(store.scratch.iterdir()) == []
    assert [entry async for entry in store.entries("inst_1")] == []


async def test_a_file_of_another_disk_is_copied(tmp_path: Path, other: Path) -> None:
    store = FolderStore(tmp_path / "store")
    (path := other / f"malote-test-{os.getpid()}").write_bytes(b"some bytes")
    media = await store.put("inst_1", path, mime_type="text/plain")
    assert not path.exists()
    assert b"".join([piece async for piece in store.read("inst_1", media.id)]) == b"some bytes"


async def test_a_reader_finishes_what_is_deleted_meanwhile(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    (path := store.scratch / "spool").write_bytes(data := os.urandom(1 << 20))
    media = await store.put("inst_1", path, mime_type="text/plain")
    pieces = store.read("inst_1", media.id)
    got = await anext(pieces)
    async with store.local("inst_1", media.id) as copy:
        assert await store.delete("inst_1", media.id)
        assert got + b"".join([piece async for piece in pieces]) == data
        assert copy.read_bytes() == data


async def test_a_folder_that_is_none_is_an_error_of_the_store(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    (path := store.scratch / "spool").write_bytes(b"some bytes")
    media = await store.put("inst_1", path, mime_type="text/plain")
    shutil.rmtree(tmp_path / "store" / "files")
    (tmp_path / "store" / "files").write_text("in the way")
    with pytest.raises(MediaError) as failed:
        await store.get("inst_1", media.id)
    assert failed.value.code is Code.STORE
    assert str(tmp_path) not in failed.value.message
