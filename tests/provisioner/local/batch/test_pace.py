"""The pace of AWS, on a clock that only the tests move: what takes how long, and what comes late."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.aws.batch_states import BatchState
from provisioner.local.batch.records import LocalJob, LocalView
from provisioner.local.options import DELAYS, LocalPace
from tests.support.local_aws.control_plane import Plane, environment
from tests.support.local_aws.manual_batch import ManualBatch

AWS = DELAYS[LocalPace.AWS]
MINUTE_S = 60.0
SAMPLES = 30


def seconds_until(advance: Callable[[float], None], is_there: Callable[[], bool], most: float) -> float:
    """Seconds of the clock until something is so, to the second."""
    for second in range(int(most) + 2):
        if is_there():
            return float(second)
        advance(1.0)
    raise AssertionError(f"not within {most} s")


def making_times() -> list[float]:
    """Seconds for which each of some environments is CREATING."""
    plane = Plane(delays=AWS)
    times = []
    for number in range(SAMPLES):
        plane.resources.environments.create(environment(name=f"environment-{number}"))
        times.append(seconds_until(plane.clock.advance, lambda: plane.environments[-1]["status"] == "VALID", 90))
    return times


def test_an_environment_is_creating_for_30_to_90_seconds() -> None:
    times = making_times()
    assert 30 <= min(times) < 50
    assert 70 < max(times) <= 91


@pytest.mark.parametrize(
    ("compute", "least", "most"),
    [
        ({"instanceTypes": ["c7i"]}, 10 * MINUTE_S, 30 * MINUTE_S),  # replaces instances
        ({"maxvCpus": 8}, 0, 10),  # scales
    ],
)
def test_an_update_takes_minutes_when_it_replaces_instances(
    compute: dict[str, object], least: float, most: float
) -> None:
    plane = Plane(delays=AWS)
    plane.resources.environments.create(environment())
    plane.clock.advance(91)
    plane.change(**compute)
    assert plane.environment["status"] == "UPDATING"
    assert least <= seconds_until(plane.clock.advance, lambda: plane.environment["status"] == "VALID", most) <= most + 1


@pytest.fixture
def world() -> ManualBatch:
    return ManualBatch(vcpus=4, delays=AWS, random_seed=1)


def seconds_in(world: ManualBatch, job: LocalJob, most: float) -> float:
    """Seconds until the job runs."""
    return seconds_until(world.clock.advance, lambda: job.status is BatchState.RUNNING, most)


def test_the_first_job_waits_runnable_for_an_instance(world: ManualBatch) -> None:
    job = world.submit()
    world.clock.advance(59)
    assert (job.status, world.environment.has_scaled) == (BatchState.RUNNABLE, False)
    assert world.environment.wanted_vcpus == 1.0
    assert 60 <= 59 + seconds_in(world, job, 180) <= 186
    assert world.environment.has_scaled


def test_a_job_that_finds_an_instance_starts_within_seconds(world: ManualBatch) -> None:
    first = world.submit("first")
    seconds_in(world, first, 186)
    world.executor.exit(0)
    assert 1 <= seconds_in(world, world.submit("second"), 5) <= 6


def test_jobs_that_wait_together_get_their_instances_together(world: ManualBatch) -> None:
    jobs = [world.submit(f"job-{number}") for number in range(4)]
    for job in jobs:
        seconds_in(world, job, 186)
    assert all(job.status is BatchState.RUNNING for job in jobs)
    assert world.clock.now_ms() - jobs[0].created_at < 190_000


def test_an_instance_too_few_is_started_for_a_later_job(world: ManualBatch) -> None:
    seconds_in(world, world.submit("first"), 186)
    assert seconds_in(world, world.submit("second"), 186) >= 60


def test_instances_that_start_and_that_are_there_are_desired() -> None:
    plane = Plane(delays=AWS)
    plane.make_environment()
    [found] = plane.resources.environments.by_name.values()
    for found.wanted_vcpus, found.warm_vcpus in ((2.0, 0.0), (0.0, 3.0)):
        assert plane.environment["computeResources"]["desiredvCpus"] == found.wanted_vcpus + found.warm_vcpus


def test_instances_that_an_update_replaces_have_to_start_again() -> None:
    plane = Plane(delays=AWS)
    plane.resources.environments.create(environment())
    plane.clock.advance(91)
    [found] = plane.resources.environments.by_name.values()
    found.warm_vcpus = 4.0
    plane.change(maxvCpus=8)
    assert found.warm_vcpus == 4.0
    plane.clock.advance(6)
    plane.change(instanceTypes=["c7i"])
    assert found.warm_vcpus == 0.0


def test_no_instances_beyond_the_environment(world: ManualBatch) -> None:
    jobs = [world.submit(f"job-{number}") for number in range(5)]
    world.clock.advance(3600)
    assert [job.status for job in jobs] == [BatchState.RUNNING] * 4 + [BatchState.RUNNABLE]


@pytest.mark.parametrize("view", [LocalView.LISTING, LocalView.CHILDREN])
def test_listings_are_one_to_five_seconds_late(world: ManualBatch, view: LocalView) -> None:
    world.clock.advance(60)
    jobs = [world.submit(f"job-{number}") for number in range(SAMPLES)]
    first = seconds_until(world.clock.advance, lambda: world.lifecycle.seen(jobs[0], view) is not None, 6)
    assert first >= 1
    world.clock.advance(6 - first)
    assert all(world.lifecycle.seen(job, view) is not None for job in jobs)


def running_job(plane: Plane) -> LocalJob:
    plane.make_environment()
    plane.clock.advance(91)
    plane.make_queue()
    job = plane.world.submit(queue=plane.resources.queues.by_name["queue"])
    assert job.status is BatchState.RUNNING
    return job


def replace_instances(plane: Plane, policy: dict[str, object] | None) -> None:
    change = {"computeEnvironment": "compute", "computeResources": {"instanceTypes": ["c7i"]}}
    plane.resources.environments.update({**change, **({"updatePolicy": policy} if policy else {})})


@pytest.mark.parametrize(
    ("policy", "minutes"),
    [(None, 30), ({"jobExecutionTimeoutMinutes": 60}, 60), ({"terminateJobsOnUpdate": True}, 0)],
)
def test_a_job_on_instances_that_are_replaced_ends_when_the_update_policy_says(
    policy: dict[str, object] | None, minutes: int
) -> None:
    plane = Plane(delays=AWS)
    job = running_job(plane)
    replace_instances(plane, policy)
    plane.clock.advance(minutes * MINUTE_S - 1 if minutes else 0)
    assert bool(plane.world.executor.signals) is (minutes == 0)
    assert plane.environment["status"] == "UPDATING"
    plane.clock.advance(2)
    assert len(plane.world.executor.signals) == 1
    plane.world.executor.exit(0, code=137)
    assert job.status is BatchState.FAILED
    assert (job.status_reason or "").startswith("Host EC2 (instance i-")


def test_a_job_within_the_update_policys_time_goes_on_to_its_end_and_the_update_with_it() -> None:
    plane = Plane(delays=AWS)
    job = running_job(plane)
    replace_instances(plane, {"jobExecutionTimeoutMinutes": 60})
    plane.clock.advance(40 * MINUTE_S)
    assert plane.environment["status"] == "UPDATING"
    plane.world.executor.exit(0)
    plane.clock.advance(30 * MINUTE_S)
    assert (job.status, plane.environment["status"]) == (BatchState.SUCCEEDED, "VALID")
    assert plane.world.executor.signals == []


def test_without_it_nothing_takes_time() -> None:
    world = ManualBatch(delays=DELAYS[LocalPace.FAST])
    job = world.submit()
    assert job.status is BatchState.RUNNING
    assert world.lifecycle.seen(job, LocalView.LISTING) is BatchState.RUNNING
