"""A version of the code: the same for the same files, another one for others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from actors import version
from actors.settings import Settings


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(
        version.PACKAGE, tmp_path / "actors", ignore=shutil.ignore_patterns("__pycache__", "*.pyi")
    )
    return tmp_path / "actors"


def digest(package: Path) -> str:
    return version.digest.__wrapped__(package)


def test_it_is_the_same_wherever_the_files_are(copy: Path) -> None:
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "x.pyc").write_bytes(b"compiled")
    assert digest(copy) == digest(version.PACKAGE) == version.of(Settings())


@pytest.mark.parametrize("file", ["cluster.py", "supervisor/rollout.py", "lua/owner_fence.lua"])
def test_a_changed_file_makes_another_one(copy: Path, file: str) -> None:
    before = digest(copy)
    (copy / file).write_text((copy / file).read_text() + " ")
    assert digest(copy) != before


def test_so_does_one_that_comes_goes_or_is_renamed(copy: Path) -> None:
    seen = [digest(copy)]
    (copy / "new.py").touch()
    seen.append(digest(copy))
    (copy / "new.py").rename(copy / "newer.py")
    seen.append(digest(copy))
    (copy / "cluster.py").unlink()
    seen.append(digest(copy))
    assert len(set(seen)) == len(seen)


def test_a_deploy_may_name_it() -> None:
    assert version.of(Settings(version="2026-11-29.1")) == "2026-11-29.1"
