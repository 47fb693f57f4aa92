"""Files that are made to do harm: each costs its sender a clear error, and nobody else anything."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from actors.media import convert
from actors.media.convert import Converter
from actors.media.errors import Code, MediaError
from actors.media.kinds import Kind
from actors.media.worker.job import Bounds, Job
from actors.settings import MediaSettings
from tests.media.conftest import Make
from tests.media.files import animation, bomb, film, picture, tone
from tests.wait import until


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film that takes a while to encode again."""
    return film(tmp_path_factory.mktemp("slow") / "a.mkv", "mpeg4", seconds=40, size=(640, 480))


def workers() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE and "actors.media.worker" in " ".join(child.cmdline())
    ]


async def refused(make: Make, kind: Kind, source: Path, **settings: object) -> MediaError:
    with pytest.raises(MediaError) as error:
        await make(kind, source, **settings)
    assert 400 <= error.value.status < 500
    return error.value


async def test_a_bomb_is_not_unpacked(make: Make, tmp_path: Path) -> None:
    source = bomb(tmp_path / "a.png", 60_000)
    assert source.stat().st_size < 1_000_000
    for kind in (Kind.IMAGE, Kind.STICKER, Kind.GIF):
        error = await refused(make, kind, source)
        assert error.code is Code.TOO_COMPLEX
        assert "60000 x 60000 pixels, more than 50,000,000" in error.message


async def test_the_largest_picture_that_is_taken_fits_into_the_memory(make: Make, tmp_path: Path) -> None:
    source = bomb(tmp_path / "a.png", 7_000)
    for kind in (Kind.IMAGE, Kind.STICKER):
        made = await make(kind, source)
        assert made.path.exists()


async def test_what_needs_more_memory_than_there_is_for_one_is_refused(make: Make, tmp_path: Path) -> None:
    source = picture(tmp_path / "a.webp")
    large = bomb(tmp_path / "a.png", 20_000)
    error = await refused(make, Kind.STICKER, large, pixels=10**9, convert_memory=400 * 1024**2)
    assert error.code is Code.TOO_COMPLEX
    assert "memory" in error.message
    assert (await make(Kind.IMAGE, source, convert_memory=400 * 1024**2)).mime_type == "image/jpeg"


async def test_animations_and_films_have_bounds_of_their_own(make: Make, tmp_path: Path) -> None:
    moving = animation(tmp_path / "a.gif", 6)
    for kind in (Kind.GIF, Kind.STICKER):
        error = await refused(make, kind, moving, frames=5)
        assert (error.code, "6 pictures, more than 5" in error.message) == (Code.TOO_COMPLEX, True)
    long = film(tmp_path / "a.mp4", seconds=3)
    for kind in (Kind.VIDEO, Kind.GIF, Kind.VOICE):
        error = await refused(make, kind, long, seconds=2)
        assert (error.code, "more than 2 s" in error.message) == (Code.TOO_COMPLEX, True)
    error = await refused(make, Kind.VIDEO, long, pixels=64 * 48 - 1)
    assert (error.code, "64 x 48 pixels" in error.message) == (Code.TOO_COMPLEX, True)


async def test_what_takes_too_long_is_ended(make: Make, slow: Path) -> None:
    error = await refused(make, Kind.VIDEO, slow, convert_timeout=0.4)
    assert error.code is Code.TOO_COMPLEX
    assert "within 0.4 s" in error.message
    assert workers() == []


async def test_a_playlist_reads_no_file_and_asks_no_server(make: Make, tmp_path: Path) -> None:
    asked: list[object] = []
    server = await asyncio.start_server(lambda *connection: asked.append(connection), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    other = film(tmp_path / "other.mp4")
    lists = {
        "a.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n",
        "b.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{other}\n#EXT-X-ENDLIST\n",
        "c.txt": f"ffconcat version 1.0\nfile {other}\n",
        "d.mpd": f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>http://127.0.0.1:{port}/'
        "</BaseURL></MPD>",
        "e.sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video {port} RTP/AVP 96\n",
    }
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
        for kind in (Kind.VIDEO, Kind.AUDIO, Kind.GIF):
            assert (await refused(make, kind, tmp_path / name)).code is Code.WRONG_TYPE
    assert asked == []
    server.close()
    await server.wait_closed()


async def test_a_worker_that_dies_is_said_to_have_died_of_the_file(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (root := tmp_path / "root" / "actors" / "media" / "worker").mkdir(parents=True)
    (root / "__main__.py").write_text(
        "import os, sys; print('boom', file=sys.stderr, flush=True); os.abort()"
    )
    monkeypatch.setattr(convert, "ROOT", tmp_path / "root")
    error = await refused(make, Kind.IMAGE, picture(tmp_path / "a.png"))
    assert error.code is Code.UNREADABLE
    assert "boom" in caplog.text
    assert str(tmp_path) not in error.message


async def test_a_worker_that_was_taken_over_cannot_name_a_file_of_ours(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root := tmp_path / "root" / "actors" / "media" / "worker").mkdir(parents=True)
    made = '{"made": {"path": "/etc/passwd", "mime_type": "image/png", "thumbnail": null, "waveform": null}}'
    (root / "__main__.py").write_text(f"print({made!r})")
    monkeypatch.setattr(convert, "ROOT", tmp_path / "root")
    assert (await refused(make, Kind.IMAGE, picture(tmp_path / "a.png"))).code is Code.UNREADABLE


async def test_a_worker_knows_none_of_our_secrets(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MALOTE_ADMIN_KEY", "a key of ours")
    (root := tmp_path / "root" / "actors" / "media" / "worker").mkdir(parents=True)
    (root / "__main__.py").write_text("import os, sys; print(dict(os.environ), file=sys.stderr); sys.exit(1)")
    monkeypatch.setattr(convert, "ROOT", tmp_path / "root")
    await refused(make, Kind.IMAGE, picture(tmp_path / "a.png"))
    assert "PYTHONPATH" in caplog.text
    assert "a key of ours" not in caplog.text


async def test_whoever_gives_up_leaves_no_worker_and_no_file(slow: Path, scratch: Path) -> None:
    async def wait() -> None:
        async with Converter(MediaSettings()).made(Kind.VIDEO, slow, scratch):
            pass

    task = asyncio.create_task(wait())
    await until(workers)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert workers() == []
    assert await asyncio.to_thread(lambda: list(scratch.iterdir())) == []


async def test_a_worker_ends_by_itself_when_nobody_is_left_to_end_it(tmp_path: Path, scratch: Path) -> None:
    os.mkfifo(tmp_path / "never")  # whoever opens it waits for ever
    job = Job(
        kind=Kind.IMAGE, source=tmp_path / "never", folder=scratch, bounds=Bounds(1, 1, 1), seconds=0.5,
        memory=1 << 30, output=1 << 20,
    )  # fmt: skip
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "actors.media.worker", stdin=asyncio.subprocess.PIPE
    )
    await worker.communicate(job.dump())
    assert worker.returncode == -signal.SIGALRM


async def test_files_wait_for_their_turn_and_not_for_ever(tmp_path: Path, slow: Path, scratch: Path) -> None:
    quick = picture(tmp_path / "a.png")
    converter = Converter(MediaSettings(convert_concurrency=1, convert_wait=0.2))

    async def wait() -> None:
        async with converter.made(Kind.VIDEO, slow, scratch):
            pass

    task = asyncio.create_task(wait())
    await until(workers)
    with pytest.raises(MediaError) as busy:
        async with converter.made(Kind.IMAGE, quick, scratch):
            pass
    assert (busy.value.code, busy.value.again, busy.value.status) == (Code.BUSY, True, 503)
    # A document is not decoded, and waits for nobody.
    async with converter.made(Kind.DOCUMENT, quick, scratch, claimed="image/png") as made:
        assert (made.path, made.mime_type) == (quick, "image/png")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with converter.made(Kind.IMAGE, quick, scratch) as made:
        assert made.width == 64


async def test_a_document_is_what_it_is_called_unless_it_is_not(make: Make, tmp_path: Path) -> None:
    (source := tmp_path / "a").write_bytes(b"\x07\x08\x80\x81")
    assert (await make(Kind.DOCUMENT, source)).mime_type == "application/octet-stream"
    assert (await make(Kind.DOCUMENT, source, "application/x-odd")).mime_type == "application/x-odd"
    assert (await make(Kind.DOCUMENT, tone(tmp_path / "a.mp3", "libmp3lame"))).mime_type == "audio/mpeg"
    source.write_text("<html>not there</html>")
    with pytest.raises(MediaError) as refusal:
        await make(Kind.DOCUMENT, source, "application/pdf")
    assert refusal.value.code is Code.MISMATCH


@pytest.mark.parametrize("kind", list(Kind))
async def test_every_kind_has_a_size_of_its_own(make: Make, tmp_path: Path, kind: Kind) -> None:
    source = picture(tmp_path / "a.png")
    error = await refused(make, kind, source, **{f"{kind}_bytes": 10})
    assert (error.code, error.status) == (Code.TOO_LARGE, 413)
    assert "larger than 10 bytes" in error.message
