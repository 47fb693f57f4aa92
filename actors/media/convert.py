"""Making files ready for WhatsApp, each in a process of its own that may fail, hang or grow as it likes."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGALRM, SIGKILL, SIGXCPU

from actors.media.check import cap_of, examine
from actors.media.errors import Code, MediaError
from actors.media.kinds import Kind
from actors.media.worker.job import Bounds, Job, Made
from actors.settings import MediaSettings

ROOT = Path(__file__).resolve().parents[2]
ANSWER, COMPLAINTS = "answer.json", "complaints.txt"
ANSWER_BYTES = 1024 * 1024
OVERTIME = (-SIGXCPU, -SIGALRM, -SIGKILL)

log = logging.getLogger(__name__)


class Converter:
    """Checks and converts files, a few at a time.

    Args:
        settings: how many, and how much of everything each may take.
    """

    def __init__(self, settings: MediaSettings) -> None:
        self._settings = settings
        self._turn = asyncio.Semaphore(settings.convert_concurrency)

    @asynccontextmanager
    async def made(
        self, kind: Kind, source: Path, scratch: Path, *, claimed: str | None = None
    ) -> AsyncIterator[Made]:
        """A file as WhatsApp wants it. What was made is gone after the context, unless it was moved away.

        Args:
            source: the file; it is only read.
            scratch: an existing folder for what is made.
            claimed: the MIME type it was called by, None if by none.

        Raises:
            MediaError: what is wrong with the file, or BUSY.
        """
        cap = cap_of(self._settings, kind)
        found = await asyncio.to_thread(examine, source, cap=cap, claimed=claimed)
        if kind is Kind.DOCUMENT:
            yield Made(source, claimed or found or "application/octet-stream")
            return
        source, folder = await asyncio.to_thread(_places, source, scratch)
        try:
            yield await self._in_turn(
                Job(
                    kind=kind,
                    source=source,
                    folder=folder,
                    bounds=Bounds(self._settings.pixels, self._settings.frames, self._settings.seconds),
                    seconds=self._settings.convert_timeout,
                    memory=self._settings.convert_memory,
                    output=max(cap, ANSWER_BYTES) * 2,
                )
            )
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, True)

    async def _in_turn(self, job: Job) -> Made:
        try:
            async with asyncio.timeout(self._settings.convert_wait):
                await self._turn.acquire()
        except TimeoutError as error:
            raise MediaError(
                Code.BUSY, "too many files are being converted: try again in a moment", again=True
            ) from error
        try:
            return await _run(job)
        finally:
            self._turn.release()


def _places(source: Path, scratch: Path) -> tuple[Path, Path]:
    return source.resolve(), Path(tempfile.mkdtemp(prefix="make-", dir=scratch)).resolve()


async def _run(job: Job) -> Made:
    with (job.folder / ANSWER).open("w+b") as answer, (job.folder / COMPLAINTS).open("w+b") as complaints:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "actors.media.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=answer,
            stderr=complaints,
            cwd=job.folder,
            env=_environment(),
        )
        try:
            async with asyncio.timeout(job.seconds):
                await process.communicate(job.dump())
        except TimeoutError:
            pass
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        answer.seek(0)
        complaints.seek(0)
        return _judged(job, process.returncode, answer.read(ANSWER_BYTES), complaints.read(4096))


def _judged(job: Job, status: int | None, answer: bytes, complaints: bytes) -> Made:
    if status in OVERTIME:
        raise MediaError(
            Code.TOO_COMPLEX,
            f"it was not converted within {job.seconds:g} s: send it smaller or shorter, in the form that "
            "WhatsApp plays (MP4 with H.264 and AAC, Ogg with Opus), or as a document",
        )
    if status == 0:
        given = json.loads(answer)
        if "refused" in given:
            raise MediaError(Code(given["refused"]["code"]), given["refused"]["message"])
        made = Made.load(given["made"])
        # A decoder that was taken over could name any file of ours.
        if made.path == job.source or made.path.resolve().parent == job.folder:
            return made
    log.error(
        "a worker failed: kind=%s status=%s: %s", job.kind, status, complaints.decode("utf-8", "replace")
    )
    raise MediaError(
        Code.UNREADABLE,
        f"it cannot be made ready as the kind {job.kind.value!r}: it is damaged, or of a form that is not "
        "understood; save it anew with another program, or send it as a document",
    )


def _environment() -> dict[str, str]:
    # None of our settings: there are passwords in them.
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
