"""What an examination finds."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel


class Grade(StrEnum):
    """How bad it is."""

    OK = "ok"
    SKIPPED = "skipped"
    """It could not be looked at, or is not used."""
    WARNING = "warning"
    """It works, with less than it should be, or not for long."""
    PROBLEM = "problem"
    """Something does not work, or loses what it should keep."""


class Finding(BaseModel):
    """One thing that was looked at.

    Args:
        area: of what it is a part.
        subject: what was looked at.
        said: what was seen.
        remedy: what to do, unless all is well.
    """

    area: str
    subject: str
    grade: Grade
    said: str
    remedy: str = ""


class Area:
    """Makes the findings of one area."""

    def __init__(self, name: str) -> None:
        self.name = name

    def ok(self, subject: str, said: str) -> Finding:
        """All is well."""
        return Finding(area=self.name, subject=subject, grade=Grade.OK, said=said)

    def skipped(self, subject: str, said: str, remedy: str = "") -> Finding:
        """Not looked at."""
        return Finding(area=self.name, subject=subject, grade=Grade.SKIPPED, said=said, remedy=remedy)

    def warning(self, subject: str, said: str, remedy: str) -> Finding:
        """It works, for now."""
        return Finding(area=self.name, subject=subject, grade=Grade.WARNING, said=said, remedy=remedy)

    def problem(self, subject: str, said: str, remedy: str) -> Finding:
        """It does not work."""
        return Finding(area=self.name, subject=subject, grade=Grade.PROBLEM, said=said, remedy=remedy)


def clock(area: Area, subject: str, ahead: float) -> Finding:
    """Two clocks compared.

    Args:
        ahead: seconds that this machine's is ahead of the other.
    """
    off = abs(ahead)
    said = f"this machine's clock is {off:.1f} s {'ahead' if ahead > 0 else 'behind'}"
    remedy = "Let chrony or systemd-timesyncd set the clocks of all machines."
    if off > 60:
        return area.problem(subject, said, f"Webhooks will find signatures too old or too new. {remedy}")
    if off > 2:
        return area.warning(subject, said, remedy)
    return area.ok(subject, "in step")
