"""Run a program and see to it that nothing which it started outlives it, or outlives us.

For programs like Ray, whose processes start others and end long after the one that started them: started as
``python -m deploy.warden COMMAND…``. SIGTERM and SIGINT are passed on to the program. Whatever loses its
parent comes to the warden (as a child subreaper) and is killed at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

from deploy.processes import descendants

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LEASH = Path(__file__).with_name("leash.py")
ORDERS = (signal.SIGTERM, signal.SIGINT)


def main(command: list[str]) -> int:
    """Run ``command``. Returns its exit status, 128 and the signal's number if a signal killed it."""
    parent = os.getppid()
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        for option, value in ((PR_SET_CHILD_SUBREAPER, 1), (PR_SET_PDEATHSIG, signal.SIGHUP)):
            if libc.prctl(option, value) != 0:
                raise OSError(ctypes.get_errno(), "prctl")
    awaited = {signal.SIGCHLD, signal.SIGHUP, *ORDERS}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    program = subprocess.Popen([sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *command])
    status: int | None = None
    while status is None and os.getppid() == parent:
        # A SIGCHLD can stand for several children: look at least this often.
        received = signal.sigtimedwait(awaited, 0.5)
        if received is not None and received.si_signo in ORDERS:
            program.send_signal(received.si_signo)
        status = program.poll()
        _kill_orphans(program.pid)
    _kill_everything()
    if status is None:
        return 128 + signal.SIGHUP
    return 128 - status if status < 0 else status


def _kill_orphans(program: int) -> None:
    me = os.getpid()
    for process in descendants(me):
        if process.parent == me and process.pid != program:
            _kill(process.pid)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process.pid, 0)


def _kill_everything() -> None:
    # Killing parents brings their children to us: again, until nobody comes any more.
    while family := descendants(os.getpid()):
        for process in family:
            _kill(process.pid)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
