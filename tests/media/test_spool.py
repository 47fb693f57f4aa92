"""Uploads and base64 on their way in: bounded, and said what is wrong with them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.media.errors import Code, MediaError
from actors.media.media import NAME_BYTES, file_name_of, mime_type_of
from actors.media.spool import BASE64_CHUNK, scratch_file, spool, spool_base64


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece


async def test_an_upload_is_written_as_it_comes(tmp_path: Path) -> None:
    async with scratch_file(tmp_path) as path:
        assert await spool(pieces(b"ab", b"c"), path, cap=3) == 3
        assert path.read_bytes() == b"abc"
    assert not path.exists()


async def test_an_upload_that_is_too_large_ends_before_it_is_written(tmp_path: Path) -> None:
    async with scratch_file(tmp_path) as path:
        with pytest.raises(MediaError, match="larger than 4 bytes, the most") as refused:
            await spool(pieces(b"ab", b"c", b"de"), path, cap=4)
        assert refused.value.status == 413
        assert path.read_bytes() == b"abc"


async def test_an_empty_upload_is_refused(tmp_path: Path) -> None:
    async with scratch_file(tmp_path) as path:
        with pytest.raises(MediaError, match="empty") as refused:
            await spool(pieces(), path, cap=4)
        assert refused.value.code is Code.EMPTY


@pytest.mark.parametrize("size", [1, 2, 3, BASE64_CHUNK * 3 // 4, BASE64_CHUNK * 3 // 4 + 1, 1_000_000])
async def test_base64_becomes_the_file(tmp_path: Path, size: int) -> None:
    data = bytes(n % 251 for n in range(size))
    text = base64.b64encode(data).decode()
    broken = "\r\n".join(text[n : n + 76] for n in range(0, len(text), 76))
    for form, named in ((text, None), (broken, None), (f"data:image/PNG;base64,{text}", "image/png")):
        async with scratch_file(tmp_path) as path:
            assert await spool_base64(form, path, cap=size) == named
            assert path.read_bytes() == data
    async with scratch_file(tmp_path) as path:
        with pytest.raises(MediaError) as refused:
            await spool_base64(text, path, cap=size - 1)
        assert refused.value.code in (Code.TOO_LARGE, Code.EMPTY)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("YWJj*A==", "not base64"),
        ("YWJ", "not base64"),
        ("YQ==YQ==", "not base64"),
        ("_-8=", "not base64"),
        ("ação", "not ASCII"),
        ("data:image/png,abc", "data URL is not base64"),
        ("https://host.example/a.png", "not base64"),
        ("", "empty"),
    ],
)
async def test_what_is_not_base64_is_refused(tmp_path: Path, text: str, said: str) -> None:
    async with scratch_file(tmp_path) as path:
        with pytest.raises(MediaError, match=said) as refused:
            await spool_base64(text, path, cap=1000)
        assert refused.value.status == 422


async def test_padding_ends_a_file_also_between_two_pieces(tmp_path: Path) -> None:
    text = "A" * (BASE64_CHUNK - 4) + "YQ==" + "AAAA"
    async with scratch_file(tmp_path) as path:
        with pytest.raises(MediaError, match="follows its end"):
            await spool_base64(text, path, cap=10**7)


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("photo.png", "photo.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\nota fiscal.pdf", "nota fiscal.pdf"),
        ("a\r\nb\0.pdf", "ab.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("ação.pdf", "ação.pdf"),
        ("..", None),
        ("  ", None),
        (None, None),
    ],
)
def test_a_file_name_is_a_name_and_nothing_else(given_: str | None, kept: str | None) -> None:
    assert file_name_of(given_) == kept


@given(st.text(max_size=400))
def test_no_file_name_is_too_long_or_leads_elsewhere(text: str) -> None:
    name = file_name_of(text)
    if name is not None:
        assert len(name.encode()) <= NAME_BYTES
        assert not set("/\\\0\r\n") & set(name)
        assert name not in (".", "..")


def test_a_long_name_keeps_its_ending() -> None:
    name = file_name_of("é" * 300 + ".pdf")
    assert name is not None
    assert name.endswith("é.pdf")


def test_a_mime_type_has_one_form() -> None:
    assert mime_type_of("Image/PNG; charset=binary") == "image/png"
    assert mime_type_of("application/octet-stream") is None
    assert mime_type_of("nonsense") is None
    assert mime_type_of(None) is None
