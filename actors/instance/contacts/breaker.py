"""Stops asking who does not answer, and tries again from time to time. Pure."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Whether questions pass."""

    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"
    """One question is out to see; nothing passes beside it."""


class Breaker:
    """Opens after a run of time-outs. Then one question at a time passes, until one is answered.

    Args:
        failures: time-outs in a row that open it.
        first: seconds until the first probe, doubled after each that failed.
        longest: seconds between two probes at most.
    """

    def __init__(self, failures: int, first: float, longest: float) -> None:
        self._failures = failures
        self._first = first
        self._longest = longest
        self._run = 0
        self._pause = first
        self._until: float | None = None
        self._probing = False
        self.opened = 0
        """How often it opened, since the beginning."""

    @property
    def state(self) -> State:
        """Where it stands."""
        if self._until is None:
            return State.CLOSED
        return State.PROBING if self._probing else State.OPEN

    def wait(self, now: float) -> float | None:
        """Seconds until a question may pass, 0.0 for now; None: not before the probe's end."""
        if self._until is None:
            return 0.0
        return None if self._probing else max(0.0, self._until - now)

    def started(self) -> bool:
        """A question passes. Says whether it is the probe."""
        self._probing = self._until is not None
        return self._probing

    def answered(self) -> None:
        """WhatsApp answered a question, whatever it said."""
        self._run, self._pause, self._until, self._probing = 0, self._first, None, False

    def timed_out(self, now: float, *, probe: bool) -> None:
        """A question was not answered in time. What was under way before it opened tells nothing new."""
        if self._until is not None:
            if probe:
                self._probing = False
                self._pause = min(self._pause * 2, self._longest)
                self._until = now + self._pause
            return
        self._run += 1
        if self._run >= self._failures:
            self.trip(now)

    def trip(self, now: float) -> None:
        """Open, whatever came before: WhatsApp said that it is asked too often."""
        self.opened += self._until is None
        self._probing = False
        self._until = now + self._pause

    def abandoned(self, *, probe: bool) -> None:
        """A question ended without a word on whether WhatsApp answers: the connection broke, say."""
        if probe:
            self._probing = False
