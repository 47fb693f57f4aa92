"""What the command line says when it cannot do what was asked."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses of ``malote``."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_RUNNING = 3
    ALREADY_RUNNING = 4


class CommandError(Exception):
    """A command cannot go on.

    Args:
        problem: what is wrong, in one line.
        remedy: what the user can do about it.
        status: exit status of the command.
    """

    def __init__(self, problem: str, remedy: str = "", *, status: Exit = Exit.FAILED) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.status = status
