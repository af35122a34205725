"""Scheduler of waiting jobs: queues by priority, first come first served, vCPUs of the environments.

By vCPUs alone: memory, GPUs and the sizes of instances don't bound what runs, and no instance has to start first.
https://docs.aws.amazon.com/batch/latest/userguide/job_scheduling.html"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from engine.aws.batch_states import BatchState
from provisioner.local.batch.records import LocalEnvironment, LocalJob, LocalQueue

TOO_LARGE: Final = (
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue cannot "
    "provide the vCPUs that the job asks for; raise maxvCpus or ask for less."
)
NO_CAPACITY: Final = (
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - "
    "Service cannot fulfill the capacity requested for instance type [optimal]"
)
ALL_INVALID: Final = "ACTION_REQUIRED - CE(s) associated with the job queue are invalid."


class JobPlacement:
    """Scheduler over the queues' waiting lines and the environments' used vCPUs.

    `is_starved` says that no instance can be had for this job now. With `starts_instances` a job waits for one to start
    where there are too few; `cold` are the environments that it was missed in.
    """

    def __init__(self, is_starved: Callable[[LocalJob], bool], *, starts_instances: bool = False) -> None:
        self.queues: dict[str, LocalQueue] = {}
        self.starved = False
        """Some line was held up for lack of capacity when it was looked at last."""
        self.cold: list[LocalEnvironment] = []
        self._is_starved = is_starved
        self._starts_instances = starts_instances

    def wait(self, job: LocalJob) -> None:
        """Put the job at the end of its queue's line."""
        job.spec.queue.waiting.append(job)

    def take(self) -> Iterator[LocalJob]:
        """Every job that can start now, placed. The head of a line that doesn't fit holds it up."""
        self.starved, self.cold = False, []
        for queue in sorted(self.queues.values(), key=lambda queue: -queue.priority):
            while queue.waiting:
                job = queue.waiting[0]
                if job.status is BatchState.RUNNABLE and not self._place(job):
                    break
                queue.waiting.popleft()
                if job.placed_on is not None:
                    yield job

    def release(self, job: LocalJob) -> None:
        """Give back the vCPUs of a job that was placed."""
        if job.placed_on is not None:
            job.placed_on.used_vcpus -= job.spec.vcpus
            job.placed_on = None

    def warm_up(self, environment: LocalEnvironment) -> None:
        """Instances have come for what waits for the environment."""
        environment.warm_vcpus = max(environment.warm_vcpus, self.demand(environment))
        environment.has_scaled = True

    def demand(self, environment: LocalEnvironment) -> float:
        """vCPUs of what runs in the environment and of what waits for it, as far as it may have them."""
        queues = [queue for queue in self.queues.values() if environment in queue.environments]
        waiting = sum(job.spec.vcpus for queue in queues for job in queue.waiting if job.status is BatchState.RUNNABLE)
        return min(environment.max_vcpus, environment.used_vcpus + waiting)

    def _is_cold(self, environment: LocalEnvironment, job: LocalJob) -> bool:
        needed = environment.used_vcpus + job.spec.vcpus
        return self._starts_instances and environment.warm_vcpus < needed

    def _place(self, job: LocalJob) -> bool:
        if self._is_starved(job):
            self.starved, job.status_reason = True, NO_CAPACITY
            return False
        environments = [one for one in job.spec.queue.environments if one.takes_jobs]
        for environment in environments:
            if environment.used_vcpus + job.spec.vcpus <= environment.max_vcpus:
                if self._is_cold(environment, job):
                    self.cold.append(environment)
                    return False
                environment.used_vcpus += job.spec.vcpus
                environment.has_scaled = True
                job.placed_on = environment
                return True
        job.status_reason = self._waits_for(job, environments)
        return False

    def _waits_for(self, job: LocalJob, environments: list[LocalEnvironment]) -> str | None:
        if all(one.status == "INVALID" for one in job.spec.queue.environments):
            return ALL_INVALID
        return TOO_LARGE if too_large(job, environments) else None


def too_large(job: LocalJob, environments: list[LocalEnvironment]) -> bool:
    """Whether the job fits no environment, however empty that is."""
    return bool(environments) and all(job.spec.vcpus > one.max_vcpus for one in environments)
