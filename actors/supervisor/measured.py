"""What is measured of handoffs."""

from __future__ import annotations

from actors import metrics
from actors.supervisor.handoff_record import Handoff, Step

_STEPS = {step: metrics.STEP_SECONDS.labels(step) for step in metrics.STEPS}


def moved_on(before: Handoff, after: Handoff, entered: float, now: float) -> float:
    """A handoff's record has changed.

    Args:
        entered: when its step began, seconds of any clock.
        now: of the same clock.

    Returns:
        When the step that it is in now began.
    """
    if (before.step, before.attempt) == (after.step, after.attempt):
        return entered
    if before.step in _STEPS:
        _STEPS[before.step].observe(now - entered)
    return now


def ended(handoff: Handoff) -> None:
    """A handoff has its outcome."""
    assert handoff.outcome is not None
    metrics.HANDOFFS.labels(handoff.outcome.value).inc()
    if handoff.log:
        metrics.HANDOFF_SECONDS.observe(max(0.0, handoff.log[-1].at - handoff.log[0].at))
    if handoff.blackout is not None:
        metrics.BLACKOUT.observe(max(0.0, handoff.blackout))


def late(handoff: Handoff) -> None:
    """A step's deadline has passed."""
    if handoff.step not in (Step.DONE, Step.ABORTED):
        metrics.TIMEOUTS.labels("handoff_step").inc()
