"""Plans of a provisioning: everything made, nothing twice, changed in place, and nothing of others."""

from __future__ import annotations

import dataclasses

import pytest

from provisioner.clients import Clients
from provisioner.errors import ProvisionError
from provisioner.kinds import PlanAction, ResourceKind
from provisioner.plan.executor import PlanExecutor
from provisioner.plan.model import Change, Plan
from provisioner.plan.planner import Claims
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.account import ACCOUNT, REGION
from tests.support.provisioner.stacks import account, apply, change_of, changes, clean, plan_for

SPEC = ProvisionSpec(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:1", memory=4000)
BUCKET = f"scaler-batch-{ACCOUNT}-{REGION}"


def test_a_second_provision_finds_nothing_to_do(clients: Clients) -> None:
    apply(SPEC, clients)
    assert changes(plan_for(SPEC, clients)) == []


def test_planning_changes_nothing(clients: Clients) -> None:
    before = account(clients)
    plan_for(SPEC, clients)
    assert account(clients) == before


def test_a_container_that_gets_less_than_was_asked_for_is_told(clients: Clients) -> None:
    assert any("3686 MiB of 4096 MiB" in note for note in plan_for(SPEC, clients).notes)


@pytest.mark.long
def test_a_run_that_is_cut_short_after_any_step_is_finished_by_the_next(clients: Clients) -> None:
    bucket_is_ours = Claims(begun=frozenset({f"S3 bucket {BUCKET}"}))
    for _ in list(plan_for(SPEC, clients).instructions):
        plan = plan_for(SPEC, clients, bucket_is_ours)
        if not plan:
            break
        first = next(change for change in plan.changes if change.steps)
        cut = Change(first.action, first.kind, first.name, steps=first.steps[:1])
        PlanExecutor(clients, lambda progress: None).run(Plan((cut,)))
    assert changes(plan_for(SPEC, clients)) == []


# ---- what is refused


def test_a_resource_that_somebody_else_made_is_refused_and_named(clients: Clients) -> None:
    clients.call("s3", "create_bucket", {"Bucket": BUCKET})
    with pytest.raises(ProvisionError, match=f"S3 bucket {BUCKET}.*--adopt"):
        plan_for(SPEC, clients)


def test_adopting_takes_it_over(clients: Clients) -> None:
    clients.call("s3", "create_bucket", {"Bucket": BUCKET})
    adopt = Claims(adopt=True)
    change = change_of(plan_for(SPEC, clients, adopt), ResourceKind.BUCKET)
    assert change.action is PlanAction.UPDATE
    assert "taken over" in change.note
    apply(SPEC, clients, adopt)
    assert changes(plan_for(SPEC, clients)) == []


@pytest.mark.long
def test_after_a_whole_life_the_account_is_as_it_was(clients: Clients) -> None:
    before = account(clients)
    apply(SPEC, clients)
    apply(dataclasses.replace(SPEC, max_vcpus=8, spot=True, instance_types=("c7i", "m7i")), clients)
    clean(SPEC, clients)
    assert account(clients) == before
