"""The exported policies allow every call that our programs make, and nothing that none of them needs.

The calls are recorded at the local AWS. A policy less any one of its actions must refuse one of them; actions that no
call here can need are listed with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from provisioner.policies import job_policy, manager_policy, provisioner_policy
from provisioner.stack.naming import Stack
from tests.support.provisioner.account import ACCOUNT, REGION
from tests.support.provisioner.permissions.manager_scenario import managers_day
from tests.support.provisioner.permissions.matching import Need, Policy, allows, without
from tests.support.provisioner.permissions.recording import RecordingAWS
from tests.support.provisioner.permissions.reference import missing, unfit
from tests.support.provisioner.permissions.stack_lifecycle import OTHERS, StackLife

pytestmark = pytest.mark.long

STACK = Stack(REGION, "scaler-batch", ACCOUNT, "aws")

NO_INSTANCES = "the local AWS starts no instances that could join a cluster"
ON_DEMAND = "the manager's stack here is on demand"
PUSHED = "docker, podman and the like push with the user's permissions, past us"
NOT_NEEDED_HERE = {
    "ChangeOwn ec2:CreateTags": "a --tag that comes later, for what is there: no command of this life has one",
    "DiagnosePlaces ecs:DescribeContainerInstances": NO_INSTANCES,
    "Repository ecr:BatchCheckLayerAvailability": PUSHED,
    "Repository ecr:CompleteLayerUpload": PUSHED,
    "Repository ecr:InitiateLayerUpload": PUSHED,
    "Repository ecr:PutImage": PUSHED,
    "Repository ecr:UploadLayerPart": PUSHED,
}
NOT_NEEDED_BY_THE_MANAGER = {**NOT_NEEDED_HERE, "ReadPrices ec2:DescribeSpotPriceHistory": ON_DEMAND}


@pytest.fixture(scope="module")
def provisioners_needs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[set[Need]]:
    with pytest.MonkeyPatch.context() as patch, RecordingAWS() as aws:
        at_home(patch, tmp_path_factory.mktemp("home"), aws)
        life = StackLife(aws)
        life.make_boundary()
        life.make()
        life.spoil()
        life.change()
        life.untag()
        life.change("--adopt")
        life.examine()
        life.remove()
        yield aws.needs()["provisioner"]


@pytest.fixture(scope="module")
def bounded_needs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[set[Need]]:
    """Of a stack whose roles have a boundary."""
    with pytest.MonkeyPatch.context() as patch, RecordingAWS() as aws:
        at_home(patch, tmp_path_factory.mktemp("bounded"), aws)
        life = StackLife(aws)
        boundary = ("--permissions-boundary", life.make_boundary())
        life.make(*boundary)
        life.unbind()
        life.change(*boundary)
        life.remove()
        yield aws.needs()["provisioner"]


@pytest.fixture(scope="module")
def running_needs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[Need]]:
    """Of a worker manager and of its jobs, over a day in which about everything happens to them."""
    with pytest.MonkeyPatch.context() as patch:
        return managers_day(tmp_path_factory.mktemp("day"), patch)


def at_home(patch: pytest.MonkeyPatch, folder: Path, aws: RecordingAWS) -> None:
    """The commands keep their files in the folder that they are run in."""
    patch.chdir(folder)
    for name, value in aws.environment().items():
        patch.setenv(name, value)


def denied(policy: Policy, needs: set[Need]) -> list[str]:
    return sorted(f"{need.action} on {need.resource} {need.context}" for need in needs if not allows(policy, need))


def unneeded(policy: Policy, needs: set[Need]) -> set[str]:
    """Statement and action of what could be left out."""
    return {name for name, less in without(policy) if all(allows(less, need) for need in needs)}


def test_a_provisioner_may_make_all_of_its_calls(provisioners_needs: set[Need]) -> None:
    assert denied(provisioner_policy(STACK, adopt=True), provisioners_needs) == []


def test_without_adoption_nothing_but_foreign_tags_is_refused(provisioners_needs: set[Need]) -> None:
    policy = provisioner_policy(STACK)
    assert {need.action for need in provisioners_needs if not allows(policy, need)} == {"ec2:CreateTags"}


def test_a_provisioner_needs_every_action(provisioners_needs: set[Need]) -> None:
    policy = provisioner_policy(STACK)
    allowed = {need for need in provisioners_needs if allows(policy, need)}
    assert unneeded(policy, allowed) == set(NOT_NEEDED_HERE)


def test_a_provisioner_of_bounded_roles_may_make_all_of_its_calls(bounded_needs: set[Need]) -> None:
    assert denied(provisioner_policy(STACK, OTHERS), bounded_needs) == []


def test_a_provisioner_of_bounded_roles_needs_every_action_on_them(bounded_needs: set[Need]) -> None:
    found = unneeded(provisioner_policy(STACK, OTHERS), bounded_needs)
    assert not [name for name in found if name.startswith("BoundedRoles")]


def test_roles_without_the_boundary_are_refused(provisioners_needs: set[Need]) -> None:
    refused = {need.action for need in provisioners_needs if not allows(provisioner_policy(STACK, OTHERS), need)}
    assert {"iam:CreateRole", "iam:PutRolePolicy"} <= refused


def test_a_provisioner_of_another_stack_may_change_nothing_of_this_one(provisioners_needs: set[Need]) -> None:
    """But for what has neither a name nor a tag of ours to go by; reading is another matter."""
    others = provisioner_policy(Stack(REGION, "scaler", ACCOUNT, "aws"))
    reads = ("Describe", "Get", "List", "Simulate")
    changes = [need for need in provisioners_needs if not need.action.partition(":")[2].startswith(reads)]
    allowed = {need.action for need in changes if allows(others, need)}
    shared = {"iam:CreateServiceLinkedRole", "iam:PassRole"}  # of Batch's own role, which all stacks have in common
    assert allowed <= {"batch:TerminateJob", "ec2:CreateSecurityGroup", "ec2:CreateTags", *shared}


def test_a_manager_may_make_all_of_its_calls(running_needs: Mapping[str, set[Need]]) -> None:
    assert denied(manager_policy(STACK), running_needs["manager"]) == []


def test_a_manager_needs_every_action(running_needs: Mapping[str, set[Need]]) -> None:
    endpoints = {"Diagnose ec2:DescribeSecurityGroups"}  # the local AWS has no VPC endpoints
    assert unneeded(manager_policy(STACK), running_needs["manager"]) <= set(NOT_NEEDED_BY_THE_MANAGER) | endpoints


def test_a_job_may_make_all_of_its_calls(running_needs: Mapping[str, set[Need]]) -> None:
    assert denied(job_policy(STACK), running_needs["job"]) == []


def test_a_job_needs_every_action(running_needs: Mapping[str, set[Need]]) -> None:
    assert unneeded(job_policy(STACK), running_needs["job"]) == set()


def test_what_is_held_against_the_policies_is_what_aws_asks_for(
    provisioners_needs: set[Need], bounded_needs: set[Need], running_needs: Mapping[str, set[Need]]
) -> None:
    """Actions exist, resources are of a type that they take, and no type that they can't do without was forgotten."""
    needs = provisioners_needs.union(bounded_needs, *running_needs.values())
    assert [need for need in needs if unfit(need)] == []
    assert {action: lacks for action in {need.action for need in needs} if (lacks := missing(action, needs))} == {}
