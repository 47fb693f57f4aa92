"""A time within which things have to end, of which many are open at once: one timer for all of them."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType


class Deadline:
    """Lets nothing take longer than a time. Belongs to the running event loop.

    `asyncio.timeout` sets a timer for each, and takes it back. That costs an attempt more than its signature
    does, and hardly any ever goes off. Since all of these may take equally long, they are due in the order
    that they began in, and only the first needs a timer.

    Args:
        seconds: that each may take.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._open: dict[Span, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def within(self) -> Span:
        """A context, for the task that enters it: in time, or ended by a TimeoutError."""
        return Span(self)

    def begin(self, span: Span) -> None:
        """It is to end in time."""
        self._open[span] = None
        if self._timer is None:
            self._wait_for(span)

    def end(self, span: Span) -> None:
        """It has ended."""
        self._open.pop(span, None)

    def _wait_for(self, span: Span) -> None:
        # Set for the first one that is open, and left alone if that one ends: then it finds less to do.
        left = span.begun + self.seconds - time.monotonic()
        self._timer = asyncio.get_running_loop().call_later(left, self._ring)

    def _ring(self) -> None:
        self._timer = None
        over = time.monotonic() - self.seconds
        for span in list(self._open):
            if span.begun > over:
                self._wait_for(span)
                return
            del self._open[span]
            span.expire()


class Span:
    """One thing that is to end in time, as `asyncio.Timeout`: who else cancels the task is not mistaken."""

    __slots__ = ("_cancelling", "_deadline", "_expired", "_task", "begun")

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._expired = False

    def __enter__(self) -> Span:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline is for a task")
        self._task = task
        self._cancelling = task.cancelling()
        self.begun = time.monotonic()
        self._deadline.begin(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._expired:
            self._deadline.end(self)
        elif self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        """The time is over."""
        self._expired = True
        self._task.cancel()
