"""Which waiting job gets a place: queues by priority, first come first served, vCPUs of the environments."""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.local.batch.records import Environment, Job, Queue

TOO_LARGE = (
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue cannot "
    "provide the vCPUs that the job asks for; raise maxvCpus or ask for less."
)


class Placement:
    """Owns the queues' waiting lines and the environments' used vCPUs."""

    def __init__(self) -> None:
        self.queues: dict[str, Queue] = {}

    def wait(self, job: Job) -> None:
        job.spec.queue.waiting.append(job)

    def take(self) -> Iterator[Job]:
        """Every job that can start now, placed. The head of a line that doesn't fit holds it up."""
        for queue in sorted(self.queues.values(), key=lambda queue: -queue.priority):
            while queue.waiting:
                job = queue.waiting[0]
                if job.status == "RUNNABLE" and not self._place(job):
                    break
                queue.waiting.popleft()
                if job.placed_on is not None:
                    yield job

    def release(self, job: Job) -> None:
        if job.placed_on is not None:
            job.placed_on.used_vcpus -= job.spec.vcpus
            job.placed_on = None

    def _place(self, job: Job) -> bool:
        environments = [one for one in job.spec.queue.environments if one.takes_jobs]
        for environment in environments:
            if environment.used_vcpus + job.spec.vcpus <= environment.max_vcpus:
                environment.used_vcpus += job.spec.vcpus
                job.placed_on = environment
                return True
        job.status_reason = TOO_LARGE if too_large(job, environments) else None
        return False


def too_large(job: Job, environments: list[Environment]) -> bool:
    return bool(environments) and all(job.spec.vcpus > one.max_vcpus for one in environments)
