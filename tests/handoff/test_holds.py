"""Where a test finds a handoff that it wants to stop in a step."""

from __future__ import annotations

import pytest

from actors.supervisor import handoff_messages as msg
from actors.supervisor.handoff_record import Step
from tests.handoff.fleet import STEPS, where
from tests.unit.test_handoff import P, Run


@pytest.mark.parametrize("recorded", [True, False], ids=["written down", "done"])
@pytest.mark.parametrize("step", STEPS, ids=str)
def test_every_step_is_come_to_also_if_the_predecessor_ends_once_it_is_fenced(
    step: Step, recorded: bool
) -> None:
    calm, early = Run().to(Step.RETIRE), Run().to(Step.ACTIVATE)
    calm.hear(msg.Retired(attempt=1))
    early.died(P)
    early.connected()
    for run in (calm, early):
        assert where(step, recorded=recorded) & {entry.step for entry in run.handoff.log}
