"""Job queues: what they stand on, their order of life, and what ends with them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.local_aws.control_plane import DELAY, Plane, environment, queue, refusal

LIMIT = {
    "state": "RUNNABLE",
    "action": "CANCEL",
    "maxTimeSeconds": 600,
    "reason": "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
}


@pytest.fixture
def plane() -> Plane:
    """With an environment named compute."""
    plane = Plane()
    plane.make_environment()
    return plane


def update(plane: Plane, **changes: Any) -> None:
    plane.resources.queues.update({"jobQueue": "queue", **changes})


def test_a_queue_is_valid_after_the_delay(plane: Plane) -> None:
    plane.resources.queues.create(queue(jobStateTimeLimitActions=[LIMIT]))
    assert plane.queue["status"] == "CREATING"
    plane.clock.advance(DELAY)
    assert (plane.queue["status"], plane.queue["statusReason"]) == ("VALID", "JobQueue Healthy")
    assert plane.queue["jobStateTimeLimitActions"] == [LIMIT]


def test_an_environment_must_be_valid_before_its_queue(plane: Plane) -> None:
    plane.resources.environments.create(environment("young"))
    assert "is not VALID: CREATING" in refusal(lambda: plane.resources.queues.create(queue("compute", "young")))


def test_spot_stands_before_on_demand_in_the_order_that_was_given(plane: Plane) -> None:
    plane.make_environment(name="spot", type="SPOT", allocationStrategy="SPOT_PRICE_CAPACITY_OPTIMIZED")
    plane.make_queue(
        computeEnvironmentOrder=[
            {"order": 2, "computeEnvironment": "compute"},
            {"order": 1, "computeEnvironment": "spot"},
        ]
    )
    names = [one["computeEnvironment"].rpartition("/")[2] for one in plane.queue["computeEnvironmentOrder"]]
    assert names == ["spot", "compute"]


def test_a_queue_has_up_to_three_environments_of_one_architecture(plane: Plane) -> None:
    for name in ("two", "three", "four"):
        plane.make_environment(name=name)
    plane.make_environment(name="arm", instanceTypes=["c7g"])
    create = plane.resources.queues.create
    assert "up to 3" in refusal(lambda: create(queue("compute", "two", "three", "four")))
    assert "up to 3 different" in refusal(lambda: create(queue("two", "two")))
    assert "same architecture" in refusal(lambda: create(queue("compute", "arm")))
    assert "At least one" in refusal(lambda: create(queue(computeEnvironmentOrder=[])))


@pytest.mark.parametrize(
    "wrong",
    [
        {"maxTimeSeconds": 599},
        {"maxTimeSeconds": 86_401},
        {"action": "TERMINATE"},
        {"state": "RUNNING"},
        {"reason": "because"},
    ],
)
def test_limits_are_what_aws_allows(plane: Plane, wrong: dict[str, Any]) -> None:
    request = queue(jobStateTimeLimitActions=[{**LIMIT, **wrong}])
    assert "jobStateTimeLimitActions" in refusal(lambda: plane.resources.queues.create(request))


def test_a_limit_is_given_once_a_reason(plane: Plane) -> None:
    request = queue(jobStateTimeLimitActions=[LIMIT, LIMIT])
    assert "each reason once" in refusal(lambda: plane.resources.queues.create(request))


@pytest.mark.parametrize(("field", "value"), [("priority", 1001), ("state", "OPEN"), ("jobQueueName", "a b")])
def test_other_fields_are_looked_at(plane: Plane, field: str, value: object) -> None:
    assert field in refusal(lambda: plane.resources.queues.create(queue(**{field: value})))


def test_a_name_is_taken_once(plane: Plane) -> None:
    plane.make_queue()
    assert "already exists" in refusal(lambda: plane.resources.queues.create(queue()))


def test_what_is_being_modified_cannot_be_changed_or_deleted(plane: Plane) -> None:
    plane.make_queue()
    update(plane, state="DISABLED")
    assert plane.queue["status"] == "UPDATING"
    assert refusal(lambda: update(plane, priority=2)) == "Cannot update, resource is being modified"
    said = refusal(lambda: plane.resources.queues.delete({"jobQueue": "queue"}))
    assert said == "Cannot delete, resource is being modified"


def test_a_change_is_applied(plane: Plane) -> None:
    plane.make_environment(name="other")
    plane.make_queue()
    update(plane, priority=5, computeEnvironmentOrder=queue("other")["computeEnvironmentOrder"])
    assert plane.queue["priority"] == 5
    assert plane.queue["computeEnvironmentOrder"][0]["computeEnvironment"].endswith("/other")


def test_an_environment_is_held_until_the_queue_has_let_go(plane: Plane) -> None:
    plane.make_environment(name="other")
    plane.make_queue()
    plane.disable()
    update(plane, computeEnvironmentOrder=queue("other")["computeEnvironmentOrder"])
    assert refusal(plane.delete) == "Cannot delete, found existing JobQueue relationship"
    plane.clock.advance(DELAY)
    plane.delete()


def test_deleting_a_queue_ends_its_jobs_and_frees_its_environment(plane: Plane) -> None:
    plane.make_queue()
    delete = plane.resources.queues.delete
    assert "disabled first" in refusal(lambda: delete({"jobQueue": "queue"}))
    job = plane.world.submit(queue=plane.resources.queues.find("queue"))
    update(plane, state="DISABLED")
    plane.clock.advance(DELAY)
    delete({"jobQueue": "queue"})
    plane.world.executor.exit(0, 143)
    assert (plane.queue["status"], job.status, job.status_reason) == ("DELETING", "FAILED", "Job queue deleted")
    plane.disable()
    assert not plane.resources.queues.describe({})["jobQueues"]
    plane.delete()


def test_the_snapshot_shows_the_first_hundred_that_wait(plane: Plane) -> None:
    plane.make_environment(name="small", maxvCpus=1)
    plane.make_queue(computeEnvironmentOrder=queue("small")["computeEnvironmentOrder"])
    waits = plane.resources.queues.find("queue")
    for number in range(102):
        plane.world.submit(f"job-{number}", queue=waits)
    shown = plane.resources.queues.snapshot({"jobQueue": "queue"})["frontOfQueue"]["jobs"]
    assert len(shown) == 100
    assert shown[0]["earliestTimeAtPosition"] <= shown[-1]["earliestTimeAtPosition"]


@pytest.mark.parametrize("kind", ["environment", "queue"])
def test_tags_are_of_every_kind_and_bounded(plane: Plane, kind: str) -> None:
    plane.make_queue()
    arn = plane.environment["computeEnvironmentArn"] if kind == "environment" else plane.queue["jobQueueArn"]
    plane.resources.add_tags(arn, {"a": "1"})
    assert plane.resources.tags(arn) == {"a": "1"}
    assert "50 tags" in refusal(lambda: plane.resources.add_tags(arn, {str(number): "" for number in range(50)}))
