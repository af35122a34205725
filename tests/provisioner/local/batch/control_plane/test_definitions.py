"""Job definitions: what is refused, and revisions as AWS counts and shows them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.local_aws.control_plane import ROLE, Plane, definition, refusal

VCPU = {"type": "VCPU", "value": "1"}
MEMORY = {"type": "MEMORY", "value": "128"}


@pytest.fixture
def plane() -> Plane:
    return Plane()


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ({"image": ""}, "image must not be empty"),
        ({"resourceRequirements": [VCPU]}, "must include MEMORY"),
        ({"resourceRequirements": [MEMORY]}, "must include VCPU"),
        ({"resourceRequirements": [{"type": "VCPU", "value": "1.0"}, MEMORY]}, "Value 1.0 for type VCPU"),
        ({"resourceRequirements": [VCPU, {"type": "MEMORY", "value": "3"}]}, "At least 4 MiB"),
        ({"environment": [{"name": "AWS_BATCH_MINE", "value": "1"}]}, "must not start with AWS_BATCH"),
        ({"jobRoleArn": f"{ROLE}/none"}, "jobRoleArn arn:aws:iam::123456789012:role/none is not valid"),
        ({"executionRoleArn": f"{ROLE}/none"}, "cannot be assumed"),
        ({"executionRoleArn": "job"}, "executionRoleArn job is not an iam role arn"),
    ],
)
def test_containers_that_cannot_run(plane: Plane, container: dict[str, Any], said: str) -> None:
    assert said in refusal(lambda: plane.resources.definitions.register(definition(container=container)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"timeout": {"attemptDurationSeconds": 59}}, "60 seconds"),
        ({"retryStrategy": {"attempts": 11}}, "between 1 and 10"),
        ({"retryStrategy": {"evaluateOnExit": [{"action": "EXIT"}] * 6}}, "at most 5"),
        ({"retryStrategy": {"evaluateOnExit": [{"action": "WAIT"}]}}, "one of RETRY, EXIT"),
        ({"type": "multinode"}, "type container"),
        ({"containerProperties": {}}, "containerProperties must not be empty"),
        ({"jobDefinitionName": "a b"}, "jobDefinitionName"),
    ],
)
def test_definitions_that_aws_refuses(plane: Plane, changes: dict[str, Any], said: str) -> None:
    assert said in refusal(lambda: plane.resources.definitions.register(definition(**changes)))


def test_a_definition_of_24_kib(plane: Plane) -> None:
    request = definition(container={"command": ["x" * 24 * 1024]})
    said = refusal(lambda: plane.resources.definitions.register(request))
    assert said == "Job definition size must be less than 24 KiB, got 25 KiB"
    plane.resources.definitions.register(definition(container={"command": ["x" * 24_000]}))


def test_a_role_is_known_after_iams_propagation() -> None:
    plane = Plane(propagation=30)
    plane.account.roles[f"{ROLE}/job"] = plane.clock.now_ms()
    request = definition(container={"jobRoleArn": f"{ROLE}/job"})
    assert "cannot be assumed" in refusal(lambda: plane.resources.definitions.register(request))
    plane.clock.advance(30)
    plane.resources.definitions.register(request)


def test_deregistering_wants_the_revision_and_counting_goes_on(plane: Plane) -> None:
    definitions = plane.resources.definitions
    definitions.register(definition())
    assert "name:revision" in refusal(lambda: definitions.deregister({"jobDefinition": "work"}))
    definitions.deregister({"jobDefinition": "work:1"})
    assert "not found" in refusal(lambda: definitions.find("work"))
    assert definitions.register(definition())["revision"] == 2


def test_descriptions_are_filtered_by_status_and_come_in_pages(plane: Plane) -> None:
    definitions = plane.resources.definitions
    for _ in range(4):
        definitions.register(definition())
    definitions.register(definition("other"))
    definitions.deregister({"jobDefinition": "work:2"})
    query = {"jobDefinitionName": "work", "status": "ACTIVE", "maxResults": 2}
    first = definitions.describe(query)
    second = definitions.describe({**query, "nextToken": first["nextToken"]})
    revisions = [one["revision"] for page in (first, second) for one in page["jobDefinitions"]]
    assert revisions == [4, 3, 1]
    gone = definitions.describe({"status": "INACTIVE"})["jobDefinitions"]
    assert [(one["revision"], one["status"]) for one in gone] == [(2, "INACTIVE")]
    assert len(definitions.describe({"jobDefinitions": ["work:1", "other"]})["jobDefinitions"]) == 2


def test_a_description_holds_more_than_was_given(plane: Plane) -> None:
    rules = [{"action": "RETRY", "onExitCode": "75"}, {"action": "EXIT", "onReason": "*"}]
    plane.resources.definitions.register(definition(retryStrategy={"attempts": 3, "evaluateOnExit": rules}))
    shown = plane.resources.definitions.describe({})["jobDefinitions"][0]
    assert [rule["action"] for rule in shown["retryStrategy"]["evaluateOnExit"]] == ["retry", "exit"]
    assert not any(shown["containerProperties"][name] for name in ("volumes", "ulimits", "secrets"))


def on_fargate(vcpus: str = "1", memory: str = "2048", **container: Any) -> dict[str, Any]:
    resources = [{"type": "VCPU", "value": vcpus}, {"type": "MEMORY", "value": memory}]
    given = {"resourceRequirements": resources, "executionRoleArn": f"{ROLE}/job", **container}
    return definition(container=given, platformCapabilities=["FARGATE"])


@pytest.mark.parametrize(("vcpus", "memory"), [("0.25", "512"), ("0.5", "1024"), ("1", "2048")])
def test_fargate_takes_a_quarter_and_half_of_a_vcpu(plane: Plane, vcpus: str, memory: str) -> None:
    plane.resources.definitions.register(on_fargate(vcpus, memory))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (on_fargate("1", "1843"), "must be one that is supported with this number of vCPUs"),
        (on_fargate("3", "8192"), "must be one that is supported with this number of vCPUs"),
        (on_fargate(executionRoleArn=""), "executionRoleArn is required for Fargate"),
        (on_fargate(linuxParameters={"sharedMemorySize": 64}), "sharedMemorySize is not applicable for Fargate"),
        (on_fargate(ephemeralStorage={"sizeInGiB": 20}), "must be from 21 to 200"),
        (on_fargate(privileged=True), "privileged is not applicable for Fargate"),
        (definition(container={"ephemeralStorage": {"sizeInGiB": 30}}), "ephemeralStorage is not applicable for EC2"),
    ],
)
def test_what_a_platform_has_not_is_refused(plane: Plane, document: dict[str, Any], words: str) -> None:
    assert words in refusal(lambda: plane.resources.definitions.register(document))


def test_ec2_takes_no_part_of_a_vcpu(plane: Plane) -> None:
    resources = [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}]
    said = refusal(
        lambda: plane.resources.definitions.register(definition(container={"resourceRequirements": resources}))
    )
    assert "Please provide a numeric value" in said
