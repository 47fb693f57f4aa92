"""Run a program that the kernel kills when its parent ends, however the parent ends.

Started as a script, with the parent's pid and the program's command line as arguments. It must stay free of
imports from this package: it runs without site-packages, to cost a few milliseconds only.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Tie this process to its parent, then become the program."""
    parent, *command = arguments
    # A program starts with no signal blocked, whatever its parent waits for.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        # The parent may have ended before the line above; nobody would tell us any more.
        if os.getppid() != int(parent):
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - the command line is our own


if __name__ == "__main__":
    main(sys.argv[1:])
