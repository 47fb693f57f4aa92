"""What a file is, against what it was called."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.media.check import examine
from actors.media.errors import Code, MediaError
from actors.media.sniff import HEAD, check_claim, sniff
from tests.media.files import animation, film, picture, tone

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"
PAGE = b"\n <!-- made by hand -->\n<!DOCTYPE HTML>\n<html><body>404 Not Found</body></html>"


@pytest.mark.parametrize(
    ("ending", "mime_type"),
    [
        ("jpg", "image/jpeg"), ("png", "image/png"), ("webp", "image/webp"), ("bmp", "image/bmp"),
        ("tiff", "image/tiff"), ("avif", "image/avif"),
    ],
)  # fmt: skip
def test_pictures_are_known(tmp_path: Path, ending: str, mime_type: str) -> None:
    assert sniff(picture(tmp_path / f"a.{ending}").read_bytes()) == mime_type


def test_what_moves_or_sounds_is_known(tmp_path: Path) -> None:
    assert sniff(animation(tmp_path / "a.gif").read_bytes()) == "image/gif"
    assert sniff(film(tmp_path / "a.mp4").read_bytes()) == "video/mp4"
    assert sniff(film(tmp_path / "a.webm", "libvpx", "libopus").read_bytes()) == "video/webm"
    assert sniff(tone(tmp_path / "a.m4a", "aac").read_bytes()) == "audio/mp4"
    assert sniff(tone(tmp_path / "a.mp3", "libmp3lame").read_bytes()) == "audio/mpeg"
    assert sniff(tone(tmp_path / "a.ogg", "libopus").read_bytes()) == "audio/ogg"
    assert sniff(tone(tmp_path / "a.wav", "pcm_s16le").read_bytes()) == "audio/wav"
    assert sniff(tone(tmp_path / "a.flac", "flac").read_bytes()) == "audio/flac"
    assert sniff(tone(tmp_path / "a.amr", "libopencore_amrnb", rate=8000).read_bytes()) == "audio/amr"


def test_documents_are_known(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", "hello")
    assert sniff((tmp_path / "a.zip").read_bytes()) == "application/zip"
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    assert str(sniff((tmp_path / "a.xlsx").read_bytes())).endswith("spreadsheetml.sheet")
    with zipfile.ZipFile(tmp_path / "a.odt", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
    assert sniff((tmp_path / "a.odt").read_bytes()) == "application/vnd.oasis.opendocument.text"
    assert sniff(PDF) == "application/pdf"
    assert sniff(PAGE) == "text/html"
    assert sniff("só texto".encode()) == "text/plain"
    assert sniff(b"MZ\x90\0") == "application/vnd.microsoft.portable-executable"
    assert sniff(b"\x07\x08\x80\x81") is None
    assert sniff(b"") is None


def test_a_letter_that_is_cut_by_the_end_of_the_head_is_still_text() -> None:
    assert sniff(b"a" * (HEAD - 1) + "é".encode()) == "text/plain"


@given(st.binary(max_size=200))
def test_anything_is_something_or_nothing(head: bytes) -> None:
    sniff(head)


@pytest.mark.parametrize(
    ("claimed", "found"),
    [
        ("image/png", "text/html"),
        ("application/pdf", "text/html"),
        ("application/zip", "text/html"),
        ("application/pdf", "application/zip"),
        ("application/pdf", "text/plain"),
        ("image/png", "video/mp4"),
        ("video/mp4", "image/jpeg"),
        ("video/mp4", "application/pdf"),
        ("application/json", "image/png"),
        ("audio/mpeg", "text/plain"),
    ],
)
def test_a_file_that_is_called_what_it_is_not_is_refused(claimed: str, found: str) -> None:
    with pytest.raises(MediaError, match=f"called {claimed} but is {found}; ") as refused:
        check_claim(claimed, found)
    assert (refused.value.code, refused.value.status) == (Code.MISMATCH, 415)


@pytest.mark.parametrize(
    ("claimed", "found"),
    [
        (None, "image/png"),
        ("image/png", None),
        ("image/png", "image/png"),
        ("image/jpg", "image/jpeg"),
        ("image/png", "image/jpeg"),
        ("video/mp4", "audio/mp4"),
        ("audio/ogg", "video/webm"),
        ("audio/x-wav", "audio/wave"),
        ("image/svg+xml", "text/plain"),
        ("text/html", "text/html"),
        ("text/csv", "text/plain"),
        ("application/json", "text/plain"),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "application/zip"),
    ],
)
def test_names_that_are_near_enough_pass(claimed: str | None, found: str | None) -> None:
    check_claim(claimed, found)


def test_a_file_is_examined_before_anything_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(PAGE)
    with pytest.raises(MediaError, match="web page"):
        examine(path, cap=1000, claimed="application/pdf")
    assert examine(path, cap=1000, claimed=None) == "text/html"
    with pytest.raises(MediaError) as large:
        examine(path, cap=10, claimed=None)
    assert large.value.code is Code.TOO_LARGE
    path.write_bytes(b"")
    with pytest.raises(MediaError) as empty:
        examine(path, cap=10, claimed=None)
    assert empty.value.code is Code.EMPTY
