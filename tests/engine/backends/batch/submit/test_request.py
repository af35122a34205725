"""SubmitJob requests, and the room that AWS's limits leave for a payload."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, cast

import pytest

from container.batch_job_wire.protocol import COMMAND
from engine.aws import limits
from engine.aws.fargate import FargateSize
from engine.backends.batch.ledger import BatchTask, Submission
from engine.backends.batch.submit.request import (
    PACK_EXTRA_S,
    FairShare,
    JobTemplate,
    prioritized,
    read_pack,
    read_retries,
    retry_options,
    runner_options,
)
from engine.model import ResourceShape
from tests.support.engine.batch_harness import work


def template(**changes: Any) -> JobTemplate:
    values: dict[str, Any] = {
        "queue": "queue",
        "definition": "definition",
        "command": COMMAND,
        "store_uri": "s3://bucket/scaler-tasks/wm",
        "options": "region=us-east-1",
        "timeout_s": 3600,
        "tags": {},
        "inline_limit": 28 * 1024,
        "overrides_limit": limits.ECS_OVERRIDES_LIMIT,
        **changes,
    }
    return JobTemplate(**values)


def submission(count: int, shape: ResourceShape | None = None) -> Submission:
    shape = shape or ResourceShape()
    tasks = tuple(BatchTask(bytes([number]) * 16, shape, None) for number in range(count))
    return Submission("5" * 32, "wm_t" + "0" * 32, tasks, shape)


def test_a_single_job_has_no_array_properties() -> None:
    assert "arrayProperties" not in template().arguments(submission(1), "s3")


def test_code_travels_as_an_option_behind_a_mark_that_older_images_refuse() -> None:
    one = submission(1, ResourceShape(code="a" * 64))
    parameters = template().arguments(one, "b:frame")["parameters"]
    assert parameters["options"] == f"region=us-east-1;code={'a' * 64}"
    assert parameters["payload"] == "code+b:frame"
    assert template().room(submission(1)).text - template().room(one).text in (0, len(f"code+;code={'a' * 64}"))


def test_an_array_tells_its_size() -> None:
    assert template().arguments(submission(3), "s3")["arrayProperties"] == {"size": 3}


def test_a_pack_tells_its_size_and_the_time_of_each_task_and_has_time_for_all_of_them() -> None:
    packed = submission(7)
    packed.pack = 3
    arguments = template(timeout_s=600).arguments(packed, "s3")
    assert arguments["arrayProperties"] == {"size": 3}
    assert arguments["parameters"]["options"] == "region=us-east-1;pack=3;timeout=600;segments=1;template=1"
    assert arguments["timeout"] == {"attemptDurationSeconds": 3 * 600 + 60}


def test_without_a_template_each_task_of_a_pack_loads_its_function() -> None:
    packed = submission(3)
    packed.pack = 3
    parameters = template(has_template=False).arguments(packed, "s3")["parameters"]
    assert parameters["options"] == "region=us-east-1;pack=3;timeout=3600;segments=1"


def test_a_pack_of_all_tasks_is_no_array() -> None:
    packed = submission(3)
    packed.pack = 3
    assert "arrayProperties" not in template().arguments(packed, "s3")


@pytest.mark.parametrize(
    ("options", "read"),
    [
        ("region=us-east-1;pack=3;timeout=600;segments=1", (3, 600)),
        ("region=us-east-1", (1, None)),
        ("pack=1", (1, None)),
        ("pack=many;timeout=600", (1, None)),
        ("pack=3;timeout=soon", (3, None)),
        ("", (1, None)),
    ],
    ids=str,
)
def test_a_successor_reads_how_its_predecessor_packed(options: str, read: tuple[int, int | None]) -> None:
    assert read_pack(options) == read


def test_the_shape_becomes_resource_requirements() -> None:
    asked = template().arguments(submission(1, ResourceShape(vcpus=4, memory_mib=2048, gpus=1)), "s3")
    assert asked["containerOverrides"]["resourceRequirements"] == [
        {"type": "VCPU", "value": "4"},
        {"type": "MEMORY", "value": "2048"},
        {"type": "GPU", "value": "1"},
    ]


def test_retry_rules_and_timeout_travel_with_the_job() -> None:
    arguments = template(timeout_s=60).arguments(submission(1), "s3")
    assert arguments["timeout"] == {"attemptDurationSeconds": 60}
    assert arguments["retryStrategy"]["attempts"] == 3
    assert arguments["retryStrategy"]["evaluateOnExit"][-1] == {"action": "EXIT", "onReason": "*"}


def test_outside_of_a_share_nothing_is_said_of_one() -> None:
    arguments = template().arguments(submission(1, ResourceShape(priority=7)), "s3")
    assert not {"shareIdentifier", "schedulingPriorityOverride"} & arguments.keys()


@pytest.mark.parametrize(
    ("given", "of_the_task", "expected"), [(5, None, 5), (0, 7, 7), (None, None, None), (None, 7, 7)]
)
def test_a_share_travels_with_the_job_and_its_priority_if_one_is_known(
    given: int | None, of_the_task: int | None, expected: int | None
) -> None:
    made = template(share=FairShare("team", given))
    arguments = made.arguments(submission(1, ResourceShape(priority=of_the_task)), "s3")
    assert (arguments["shareIdentifier"], arguments.get("schedulingPriorityOverride")) == ("team", expected)


@pytest.mark.parametrize(("in_scaler", "expected"), [(-3, 0), (0, 0), (17, 17), (20_000, 9_999)])
def test_a_tasks_priority_stays_within_what_batch_takes(in_scaler: int, expected: int) -> None:
    task = replace(work(test_a_single_job_has_no_array_properties), priority=in_scaler)
    assert prioritized(task).shape.priority == expected


def test_on_ecs_the_substituted_command_stays_within_the_overrides() -> None:
    made = template()
    room = made.room(submission(1)).text
    parameters = made.arguments(submission(1), "x" * room)["parameters"]
    command = [parameters.get(word.removeprefix("Ref::"), word) for word in COMMAND]
    assert room > 6_000
    assert len(json.dumps({"command": command})) < limits.ECS_OVERRIDES_LIMIT - 800


def test_a_limit_given_by_hand_still_fits_the_request() -> None:
    made = template(overrides_limit=None)
    room = made.room(submission(1)).text
    assert len(json.dumps(made.arguments(submission(1), "x" * room))) < limits.SUBMIT_JOB_REQUEST_LIMIT


def test_a_refused_length_lowers_the_limit() -> None:
    made = template(overrides_limit=None)
    made.lower_limit()
    assert made.room(submission(1)).text < limits.ECS_OVERRIDES_LIMIT
    lower = made.room(submission(1)).text
    made.lower_limit()
    assert made.room(submission(1)).text < lower


def test_the_runners_options_hold_region_and_the_clients_python() -> None:
    assert runner_options("eu-west-1", "3.11") == "region=eu-west-1;python=3.11"
    assert runner_options("eu-west-1", None) == "region=eu-west-1"


@pytest.mark.parametrize(
    ("shape", "sent"),
    [
        (ResourceShape(), None),
        (ResourceShape(vcpus=2), {"VCPU": "2", "MEMORY": "4096"}),
        (ResourceShape(memory_mib=3000), {"VCPU": "1", "MEMORY": "3072"}),
        (ResourceShape(vcpus=3, memory_mib=9000), {"VCPU": "4", "MEMORY": "9216"}),
        (ResourceShape(vcpus=32), {"VCPU": "32", "MEMORY": "2048"}),
    ],
)
def test_on_fargate_a_task_gets_the_next_size_that_there_is(shape: ResourceShape, sent: dict[str, str] | None) -> None:
    """What is larger than all of them is sent as it is: AWS says why it refuses."""
    arguments = template(fargate=FargateSize(1, 2048)).arguments(submission(1, shape), "")
    overrides = arguments.get("containerOverrides", {"resourceRequirements": []})
    assert {one["type"]: one["value"] for one in overrides["resourceRequirements"]} == (sent or {})


@pytest.mark.parametrize(("wished_s", "sent_s"), [(60, 60), (7200, 3600)])
def test_a_tasks_own_timeout_counts_up_to_the_tables(wished_s: int, sent_s: int) -> None:
    one = submission(1, ResourceShape(timeout_s=wished_s))
    assert template(timeout_s=3600).arguments(one, "s3")["timeout"] == {"attemptDurationSeconds": sent_s}


@pytest.mark.parametrize("shape", [ResourceShape(), ResourceShape(memory_retries=0), ResourceShape(host_retries=12)])
def test_the_retries_that_are_left_are_read_back_from_the_options_of_a_job(shape: ResourceShape) -> None:
    assert ResourceShape(**cast(Any, read_retries("region=us-east-1;python=3.11" + retry_options(shape)))) == shape


def test_a_number_of_retries_that_nobody_wrote_is_passed_over() -> None:
    assert read_retries("memory-retries=-1;host-retries=many;memory-retries=99999") == {}


def test_a_pack_that_runs_several_at_once_says_so_and_takes_less_time_in_all() -> None:
    packed = submission(7)
    packed.pack, packed.parallel = 5, 2
    arguments = template(timeout_s=600).arguments(packed, "s3")
    assert arguments["timeout"] == {"attemptDurationSeconds": 3 * 600 + PACK_EXTRA_S}
    assert arguments["parameters"]["options"] == "region=us-east-1;pack=5;timeout=600;parallel=2;template=1"
