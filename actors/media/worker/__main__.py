"""``python -m actors.media.worker``: one job, from standard input; what it made to standard output."""

from __future__ import annotations

import json
import math
import resource
import signal
import sys

from actors.media.errors import Code, MediaError
from actors.media.kinds import Kind
from actors.media.worker.job import Job, Made

FILES = 64


def main() -> None:
    """Do the job on standard input, within its bounds."""
    job = Job.load(sys.stdin.buffer.read())
    _bind(job)
    try:
        answer = b'{"made": ' + _work(job).dump() + b"}"
    except MemoryError:
        answer = _refusal(
            MediaError(
                Code.TOO_COMPLEX, "it takes more memory to read than there is for one file: make it smaller"
            )
        )
    except MediaError as error:
        answer = _refusal(error)
    sys.stdout.buffer.write(answer)


def _work(job: Job) -> Made:
    # Only what the kind needs is loaded: a process lives for one file.
    if job.kind is Kind.IMAGE:
        from actors.media.worker.pictures import image

        return image(job)
    if job.kind is Kind.STICKER:
        from actors.media.worker.stickers import sticker

        return sticker(job)
    if job.kind in (Kind.AUDIO, Kind.VOICE):
        from actors.media.worker.sound import audio, voice

        return voice(job) if job.kind is Kind.VOICE else audio(job)
    from actors.media.worker.film import gif, video

    return gif(job) if job.kind is Kind.GIF else video(job)


def _bind(job: Job) -> None:
    seconds = math.ceil(job.seconds)
    for what, limit in (
        (resource.RLIMIT_AS, job.memory),
        (resource.RLIMIT_CPU, seconds * 2),  # two threads
        (resource.RLIMIT_FSIZE, job.output),
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))
    signal.alarm(seconds + 1)  # in case nobody is there any more to end it


def _refusal(error: MediaError) -> bytes:
    return json.dumps({"refused": {"code": error.code, "message": error.message}}).encode()


if __name__ == "__main__":
    main()
