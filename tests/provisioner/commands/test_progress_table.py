"""Live table of a provisioning."""

from __future__ import annotations

import io

from rich.console import Console

from provisioner.commands.progress_table import ProgressTable
from provisioner.kinds import PlanAction, ResourceKind, StepState
from provisioner.plan.executor import Progress
from provisioner.plan.model import Change, Plan

LONG_NAME = "a-rather-long-prefix-of-a-team-compute"


def test_a_narrow_terminal_gets_a_line_a_resource() -> None:
    out = Console(file=io.StringIO(), width=80)
    plan = Plan((Change(PlanAction.CREATE, ResourceKind.COMPUTE_ENVIRONMENT, LONG_NAME),))
    table = ProgressTable(plan, out, clock=lambda: 0.0)
    table.update(Progress(plan.changes[0], StepState.RUNNING, f"wait until {LONG_NAME} is VALID, however long"))
    with out.capture() as shown:
        out.print(table._table())
    assert shown.get().startswith(f"▸  create compute environment {LONG_NAME}  0 s  wait")
    assert shown.get().count("\n") == 1
