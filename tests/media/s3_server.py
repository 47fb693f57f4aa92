"""A real S3 server (versitygw) of one's own: started on a free loopback port, killed and started again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.valkey import end_with_parent, free_port

BUILD = Path(__file__).resolve().parents[2] / "engine" / "build.sh"
KEY_ID, SECRET = "tests", "a secret of tests"
BUCKET = "media"


def binary() -> str:
    """Builds it the first time, which takes a minute or two."""
    done = subprocess.run(
        [str(BUILD), "versitygw"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "PYTHON": sys.executable},
    )
    return done.stdout.strip().splitlines()[-1]


class S3Server:
    """One versitygw process, with its objects in a folder."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self._binary = binary()
        self._process: subprocess.Popen[bytes] | None = None
        for name in (f"objects/{BUCKET}", "metadata"):
            (directory / name).mkdir(parents=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [
            self._binary, "--port", f"127.0.0.1:{self.port}", "--access", KEY_ID, "--secret", SECRET,
            "--quiet", "posix", "--sidecar", str(self.directory / "metadata"),
            str(self.directory / "objects"),
        ]  # fmt: skip
        log = self.directory / "log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=out, preexec_fn=end_with_parent)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self._process.poll() is None:
            if self._serves():
                return
            time.sleep(0.05)
        self.kill()
        raise RuntimeError(f"versitygw did not start: {log.read_text(errors='replace')[-2000:]}")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _serves(self) -> bool:
        try:
            with urllib.request.urlopen(self.url, timeout=2):
                return True
        except urllib.error.HTTPError:
            return True  # it wants a signature
        except OSError:
            return False
