"""Compute environments: what is refused at once, what goes INVALID later, and what a change does."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from provisioner.local.batch.account import LocalInstanceProfile
from provisioner.plan.field_changes import differences
from tests.support.local_aws.control_plane import LINKED_ROLE, FakeAccount, Plane, environment, refusal
from tests.support.recorded_answers import answer_of

COMPUTE = environment()["computeResources"]


@pytest.fixture
def plane() -> Plane:
    return Plane()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"instanceTypes": ["z9.large"]}, "Instance type can only be one of"),
        ({"instanceTypes": []}, "instanceTypes must not be empty"),
        ({"instanceTypes": ["c7i", "c7g"]}, "share one architecture"),
        ({"instanceTypes": ["optimal", "default_arm64"]}, "share one architecture"),
        ({"allocationStrategy": "SPOT_CAPACITY_OPTIMIZED"}, "strategy SPOT_CAPACITY_OPTIMIZED for type EC2"),
        ({"allocationStrategy": "CHEAPEST"}, "strategy CHEAPEST for type EC2"),
        ({"type": "SPOT", "allocationStrategy": "BEST_FIT"}, "spotIamFleetRole"),
        ({"type": "MAINFRAME"}, "type can only be one of"),
        ({"minvCpus": 17}, "at most maxvCpus"),
        ({"maxvCpus": 0}, "at least 1"),
        ({"desiredvCpus": 17}, "desiredvCpus"),
        ({"subnets": []}, "subnets must not be empty"),
        ({"subnets": ["subnet-gone"]}, "The subnet ID 'subnet-gone' does not exist"),
        ({"securityGroupIds": ["sg-gone"]}, "The security group 'sg-gone' does not exist"),
        ({"securityGroupIds": ["sg-other"]}, "must belong to one VPC"),
        ({"securityGroupIds": []}, "without a launch template"),
        ({"instanceRole": ""}, "instanceRole must not be empty"),
        ({"instanceRole": "arn:aws:iam::123456789012:role/x"}, "should be an ECS Instance Profile ARN"),
        ({"launchTemplate": {"launchTemplateId": "lt-gone"}}, "Launch template lt-gone not found"),
        ({"launchTemplate": {"launchTemplateId": "lt-1", "launchTemplateName": "x"}}, "not both"),
        ({"ec2Configuration": [{"imageType": "ECS_AL2"}]}, "imageType ECS_AL2"),
        ({"ec2Configuration": [{"imageType": "ECS_AL2023"}] * 3}, "at most 2"),
    ],
)
def test_what_cannot_work_is_not_made(plane: Plane, changes: dict[str, Any], said: str) -> None:
    assert said in refusal(lambda: plane.resources.environments.create(environment(**changes)))


@pytest.mark.parametrize(
    "changes",
    [
        {"instanceTypes": ["default_x86_64"]},
        {"instanceTypes": ["default_arm64", "c7g"]},
        {"type": "SPOT", "allocationStrategy": "SPOT_PRICE_CAPACITY_OPTIMIZED"},
        {"launchTemplate": {"launchTemplateId": "lt-1", "version": "$Latest"}, "securityGroupIds": []},
        {"ec2Configuration": [{"imageType": "ECS_AL2023_NVIDIA"}]},
    ],
)
def test_what_can_work_is_valid_after_the_delay(plane: Plane, changes: dict[str, Any]) -> None:
    plane.resources.environments.create(environment(**changes))
    assert plane.environment["status"] == "CREATING"
    plane.clock.advance(10)
    assert (plane.environment["status"], plane.environment["statusReason"]) == ("VALID", "ComputeEnvironment Healthy")


def test_a_name_is_taken_once(plane: Plane) -> None:
    plane.make_environment()
    assert "already exists" in refusal(lambda: plane.resources.environments.create(environment()))


def test_without_a_service_role_it_gets_batchs_own(plane: Plane) -> None:
    plane.make_environment()
    assert plane.environment["serviceRole"] == LINKED_ROLE


@pytest.mark.parametrize("status", ["CREATING", "UPDATING", "DELETING"])
def test_what_is_being_modified_cannot_be_changed_or_deleted(plane: Plane, status: str) -> None:
    environments = plane.resources.environments
    environments.create(environment(state="DISABLED"))
    if status != "CREATING":
        plane.clock.advance(10)
        plane.change(maxvCpus=8) if status == "UPDATING" else plane.delete()
    assert plane.environment["status"] == status
    assert refusal(lambda: plane.change(maxvCpus=4)) == "Cannot update, resource is being modified"
    assert refusal(plane.delete) == "Cannot delete, resource is being modified"


def test_a_change_is_applied(plane: Plane) -> None:
    plane.make_environment()
    changes = {
        "maxvCpus": 64,
        "instanceTypes": ["c7i"],
        "subnets": ["subnet-2"],
        "securityGroupIds": ["sg-2"],
        "launchTemplate": {"launchTemplateId": "lt-1"},
        "tags": {"a": "b"},
        "type": "SPOT",
        "allocationStrategy": "SPOT_CAPACITY_OPTIMIZED",
        "ec2Configuration": [{"imageType": "ECS_AL2023"}],
    }
    plane.change(**changes)
    plane.clock.advance(10)
    assert plane.environment["status"] == "VALID"
    assert differences(plane.environment["computeResources"], {**COMPUTE, **changes, "desiredvCpus": 0}) == ()


def test_an_empty_launch_template_takes_it_away(plane: Plane) -> None:
    plane.make_environment(launchTemplate={"launchTemplateId": "lt-1"})
    plane.change(launchTemplate={"launchTemplateId": ""})
    assert "launchTemplate" not in plane.environment["computeResources"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"allocationStrategy": "BEST_FIT"}, "BEST_FIT isn't supported when updating"),
        ({"allocationStrategy": "SPOT_CAPACITY_OPTIMIZED"}, "for type EC2"),
        ({"minvCpus": 17}, "at most maxvCpus"),
        ({"subnets": ["subnet-gone"]}, "does not exist"),
    ],
)
def test_a_change_that_cannot_work_changes_nothing(plane: Plane, changes: dict[str, Any], said: str) -> None:
    plane.make_environment()
    before = copy.deepcopy(plane.environment)
    assert said in refusal(lambda: plane.change(**changes))
    assert plane.environment == before


def test_most_fields_need_the_service_linked_role_to_be_changed(plane: Plane) -> None:
    plane.account.roles["arn:aws:iam::123456789012:role/own"] = 0
    plane.make_environment(role="arn:aws:iam::123456789012:role/own")
    said = refusal(lambda: plane.change(subnets=["subnet-2"], maxvCpus=8))
    assert "Following fields [subnets] can be updated only for" in said
    plane.change(maxvCpus=8)


def test_most_fields_of_a_best_fit_environment_stay(plane: Plane) -> None:
    plane.make_environment(allocationStrategy="BEST_FIT")
    assert "BEST_FIT" in refusal(lambda: plane.change(instanceTypes=["c7i"]))
    plane.change(maxvCpus=8)


def test_the_service_linked_role_is_not_exchanged(plane: Plane) -> None:
    plane.make_environment()
    request = {"computeEnvironment": "compute", "serviceRole": "arn:aws:iam::123456789012:role/own"}
    assert "service-linked role" in refusal(lambda: plane.resources.environments.update(request))


def test_only_what_is_disabled_and_in_no_queue_is_deleted(plane: Plane) -> None:
    plane.make_environment()
    plane.make_queue()
    assert "disabled first" in refusal(plane.delete)
    plane.disable()
    assert refusal(plane.delete) == "Cannot delete, found existing JobQueue relationship"


@pytest.mark.parametrize(
    "profile", [None, LocalInstanceProfile(has_role=False, since_ms=0)], ids=["no profile", "a profile without a role"]
)
def test_without_its_instance_profile_it_is_invalid_and_can_be_deleted(
    plane: Plane, profile: LocalInstanceProfile | None
) -> None:
    plane.account.profiles["instances"] = profile
    plane.make_environment()
    assert plane.environment["status"] == "INVALID"
    assert plane.environment["statusReason"] == "CLIENT_ERROR - Invalid IamInstanceProfile: instances"
    plane.disable()
    plane.delete()
    plane.clock.advance(10)
    assert not plane.environments


def test_an_instance_profile_is_known_after_iams_propagation() -> None:
    plane = Plane(propagation=30)
    plane.account.profiles["instances"] = LocalInstanceProfile(has_role=True, since_ms=plane.clock.now_ms())
    plane.make_environment()
    assert "Invalid IamInstanceProfile" in plane.environment["statusReason"]
    plane.clock.advance(30)
    plane.change(maxvCpus=8)
    plane.clock.advance(10)
    assert plane.environment["status"] == "VALID"


def test_a_service_role_that_is_not_there_makes_it_invalid(plane: Plane) -> None:
    plane.make_environment(role="arn:aws:iam::123456789012:role/none")
    assert plane.environment["status"] == "INVALID"
    assert "is not authorized to perform: sts:AssumeRole" in plane.environment["statusReason"]


def lose_profile(account: FakeAccount) -> None:
    account.profiles.clear()


def lose_service_role(account: FakeAccount) -> None:
    account.roles.clear()


@pytest.mark.parametrize(
    ("lose", "reason"), [(lose_profile, "Invalid IamInstanceProfile"), (lose_service_role, "sts:AssumeRole")]
)
def test_what_loses_its_roles_while_it_lives_cannot_be_deleted(
    plane: Plane, lose: Callable[[FakeAccount], None], reason: str
) -> None:
    plane.make_environment()
    plane.disable()
    lose(plane.account)
    plane.delete()
    assert plane.environment["status"] == "DELETING"
    plane.clock.advance(10)
    assert plane.environment["status"] == "INVALID"
    assert reason in plane.environment["statusReason"]
    plane.account.restore()
    plane.delete()
    plane.clock.advance(10)
    assert not plane.environments


def test_a_launch_template_that_goes_makes_the_next_change_invalid(plane: Plane) -> None:
    plane.make_environment(launchTemplate={"launchTemplateId": "lt-1"})
    plane.account.templates.clear()
    plane.disable()
    assert "You must use a valid fully-formed launch template" in plane.environment["statusReason"]


def test_descriptions_come_in_pages(plane: Plane) -> None:
    for number in range(3):
        plane.resources.environments.create(environment(name=f"compute-{number}"))
    describe = plane.resources.environments.describe
    first = describe({"maxResults": 2})
    rest = describe({"maxResults": 2, "nextToken": first["nextToken"]})
    names = [one["computeEnvironmentName"] for page in (first, rest) for one in page["computeEnvironments"]]
    assert names == ["compute-0", "compute-1", "compute-2"]
    assert "nextToken" not in rest
    assert refusal(lambda: describe({"nextToken": "x"})) == "Invalid nextToken."


def test_a_page_has_a_hundred_at_most(plane: Plane) -> None:
    for number in range(101):
        plane.resources.environments.create(environment(name=f"compute-{number}"))
    assert len(plane.resources.environments.describe({"maxResults": 500})["computeEnvironments"]) == 100


def test_a_job_whose_environments_are_all_invalid_says_so(plane: Plane) -> None:
    plane.make_environment()
    plane.make_queue()
    plane.account.profiles.clear()
    plane.change(maxvCpus=8)
    plane.clock.advance(10)
    job = plane.world.submit(queue=plane.resources.queues.find("queue"))
    assert job.status_reason == "ACTION_REQUIRED - CE(s) associated with the job queue are invalid."


# ---- what AWS adds to what it was sent


def test_an_environment_has_the_members_that_a_recorded_one_has(plane: Plane) -> None:
    template = {"launchTemplateId": "lt-1", "version": "1"}
    images = [{"imageType": "ECS_AL2023"}]
    sizes = {"allocationStrategy": "BEST_FIT_PROGRESSIVE"}
    plane.make_environment(launchTemplate=template, ec2Configuration=images, **sizes)
    (recorded,) = answer_of("batch", "DescribeComputeEnvironments", computeEnvironments=["team-compute"])[
        "computeEnvironments"
    ]
    assert members_of(plane.environment) == members_of(recorded) - {"launchTemplateName"} | {"launchTemplateId"}


def test_the_status_of_its_image_is_there_once_it_has_scaled(plane: Plane) -> None:
    plane.make_environment(ec2Configuration=[{"imageType": "ECS_AL2023"}])
    assert plane.environment["computeResources"]["ec2Configuration"] == [{"imageType": "ECS_AL2023"}]
    plane.resources.environments.find("compute").has_scaled = True
    assert plane.environment["computeResources"]["ec2Configuration"] == [
        {"imageType": "ECS_AL2023", "batchImageStatus": "LATEST"}
    ]


def members_of(value: object) -> set[str]:
    """Names of all members, at any depth, but for those that people choose."""
    if isinstance(value, list):
        return {name for one in value for name in members_of(one)}
    if not isinstance(value, dict):
        return set()
    deeper = {name for key, one in value.items() if key != "tags" for name in members_of(one)}
    return deeper | value.keys()
