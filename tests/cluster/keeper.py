"""Run one node of a test's cluster: ``python -m tests.cluster.keeper COMMAND…``.

What loses its parent comes to the keeper (as a child subreaper). It is left to die its own death, as on a
machine of its own: an actor whose raylet was killed notices that by itself, and what it does until then is
what a test wants to see. But nothing outlives the keeper's own parent, however that ended.

SIGTERM is passed on to the program. SIGINT kills everything at once. The keeper ends with the last process.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys

from deploy.processes import descendants
from deploy.warden import LEASH, PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG


def main(command: list[str]) -> int:
    """Run ``command``. Returns its exit status, 128 and the signal's number if a signal killed it."""
    parent = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((PR_SET_CHILD_SUBREAPER, 1), (PR_SET_PDEATHSIG, signal.SIGHUP)):
        if libc.prctl(option, value) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    awaited = {signal.SIGCHLD, signal.SIGHUP, signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    program = subprocess.Popen([sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *command])
    while os.getppid() == parent:
        # A SIGCHLD can stand for several children, and the orphans of others send none.
        received = signal.sigtimedwait(awaited, 0.5)
        if received is not None and received.si_signo == signal.SIGTERM:
            program.send_signal(signal.SIGTERM)
        if received is not None and received.si_signo == signal.SIGINT:
            break
        status = program.poll()
        _reap(program.pid)
        if status is not None and not descendants(os.getpid()):
            return 128 - status if status < 0 else status
    _kill_everything()
    return 128 + signal.SIGKILL


def _reap(program: int) -> None:
    me = os.getpid()
    for process in descendants(me):
        if process.parent == me and process.pid != program and process.state == "Z":
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process.pid, os.WNOHANG)


def _kill_everything() -> None:
    # Killing parents brings their children to us: again, until nobody comes any more.
    while family := descendants(os.getpid()):
        for process in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
