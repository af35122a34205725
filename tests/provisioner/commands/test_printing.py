"""What people read at the end of a plan."""

from __future__ import annotations

import pytest

from provisioner.commands.printing import print_remains, summary
from provisioner.kinds import PlanAction, ResourceKind
from provisioner.plan.model import Change, Plan

LONG_NAME = "a-rather-long-prefix-of-a-team-compute"


def plan_of(*actions: PlanAction) -> Plan:
    return Plan(tuple(Change(action, ResourceKind.COMPUTE_ENVIRONMENT, LONG_NAME) for action in actions))


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (plan_of(), "Nothing to delete: there is nothing of this stack."),
        (plan_of(PlanAction.KEEP), "Nothing to change: everything is as it was asked for."),
        (plan_of(PlanAction.CREATE, PlanAction.UPDATE, PlanAction.KEEP), "1 to create, 1 to update; 1 unchanged."),
        (plan_of(PlanAction.DELETE, PlanAction.DELETE), "2 to delete."),
    ],
)
def test_the_summary_counts_what_there_is(plan: Plan, says: str) -> None:
    assert summary(plan) == says


def test_data_that_is_kept_is_not_denied(capsys: pytest.CaptureFixture[str]) -> None:
    print_remains([], keep_data=True)
    assert capsys.readouterr().out == "Nothing of this stack remains but what --keep-data keeps.\n"
