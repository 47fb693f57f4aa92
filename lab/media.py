"""What the network keeps of media: encrypted files by the hash that clients give, and who may upload."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from lab.accounts import LabError

if TYPE_CHECKING:
    from lab.accounts import Device
    from lab.state import State

MAX_FILE = 512 << 20
"""Bytes of one file."""
MAX_TOTAL = 4 << 30
"""Bytes of all files. Beyond that the oldest are gone."""
PERMISSION_S = 6 * 3600
"""How long a client may upload before it has to ask again, in seconds."""
PATH = "/v/t62"
"""Where files are served over HTTPS: PATH/<name>."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One encrypted file."""

    name: str
    """SHA-256 of it, in hex."""
    kind: str
    phone: str
    device: int
    size: int

    @property
    def direct_path(self) -> str:
        """Where it is served. Clients put their own parameters behind it with ``&``."""
        return f"{PATH}/{self.name}?ccb=11-4"


class Draft:
    """A file that is being uploaded. Gone when it is left, unless it was kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._hash = hashlib.sha256()

    def __enter__(self) -> Draft:
        self._file = self.path.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)

    def write(self, block: bytes) -> None:
        """Append a block."""
        self._file.write(block)
        self._hash.update(block)
        self.size += len(block)

    def digest(self) -> bytes:
        """SHA-256 of what was written, all of which is in the file by then."""
        self._file.flush()
        return self._hash.digest()


class Media:
    """All files, in a folder.

    Args:
        state: remembers whose they are.
        folder: holds them, and is made if there is none.
        max_total: bytes of all files.
    """

    def __init__(self, state: State, folder: Path, max_total: int = MAX_TOTAL) -> None:
        self._state = state
        self._folder = folder
        self._max_total = max_total
        folder.mkdir(parents=True, exist_ok=True)
        self._secret = state.get("media_secret") or secrets.token_bytes(32)
        state.put("media_secret", self._secret)
        known = {blob.name for blob in self.all()}
        for path in folder.iterdir():
            if path.name not in known:
                path.unlink()

    # ---- who may upload -----------------------------------------------------------------------------

    def permit(self, device: Device) -> str:
        """A permission to upload, good for `PERMISSION_S` and after a restart, too."""
        text = f"{device.account.phone}.{device.number}.{int(time.time()) + PERMISSION_S}"
        return f"{text}.{self._seal(text)}"

    def permitted(self, permission: str) -> tuple[str, int] | None:
        """The account and device that it was given to, None if it is not (any more) good."""
        text, _, seal = permission.rpartition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(text).encode()):
            return None
        phone, number, until = text.split(".")
        return (phone, int(number)) if time.time() < int(until) else None

    def _seal(self, text: str) -> str:
        return hmac.digest(self._secret, text.encode(), hashlib.sha256).hex()

    # ---- files --------------------------------------------------------------------------------------

    def draft(self) -> Draft:
        """A file to write an upload into."""
        return Draft(self._folder / f"{secrets.token_hex(8)}.draft")

    def keep(self, draft: Draft, kind: str, phone: str, device: int) -> Blob:
        """Keep an upload; where there is no room the oldest files go."""
        blob = Blob(draft.digest().hex(), kind, phone, device, draft.size)
        os.replace(draft.path, self.path(blob))  # noqa: PTH105 (whole or not at all)
        self._state.run("DELETE FROM media WHERE name = ?", blob.name)
        self._state.run(
            "INSERT INTO media (name, kind, phone, device, size) VALUES (?, ?, ?, ?, ?)",
            blob.name,
            kind,
            phone,
            device,
            blob.size,
        )
        excess = sum(one.size for one in self.all()) - self._max_total
        for oldest in self.all():
            if excess <= 0:
                break
            self.delete(oldest.name)
            excess -= oldest.size
        return blob

    def path(self, blob: Blob) -> Path:
        """The file."""
        return self._folder / blob.name

    def find(self, name: str) -> Blob | None:
        """A file by its name, None if there is none."""
        rows = self._state.rows("SELECT name, kind, phone, device, size FROM media WHERE name = ?", name)
        return Blob(*rows[0]) if rows else None

    def all(self) -> list[Blob]:
        """Every file, oldest first."""
        rows = self._state.rows("SELECT name, kind, phone, device, size FROM media ORDER BY seq")
        return [Blob(*row) for row in rows]

    def delete(self, name: str) -> None:
        """Let a file be gone. Raises LabError."""
        blob = self.find(name)
        if blob is None:
            raise LabError("no_such_media", f"there is no file {name!r}", 404)
        self._state.run("DELETE FROM media WHERE name = ?", name)
        self.path(blob).unlink(missing_ok=True)
