"""Background work of Batch's control plane: the end of CREATING, UPDATING and DELETING."""

from __future__ import annotations

from collections.abc import Callable

from provisioner.local.batch.jobs.lifecycle import Lifecycle
from provisioner.local.batch.records import LocalAttempt, LocalEnvironment, LocalJob

Attempted = tuple[LocalJob, LocalAttempt | None]
"""A job, and its attempt that runs."""


class Background:
    """Runs actions later, under the lifecycle's lock; afterwards waiting jobs get another look."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self._lifecycle.clock.now_ms()

    def later(self, delay_s: float, action: Callable[[], object]) -> None:
        """Run `action` in so many seconds."""

        def locked() -> None:
            with self._lifecycle.lock:
                action()
                self._lifecycle.schedule()

        self._lifecycle.clock.after(delay_s, locked)

    def running_on(self, environment: LocalEnvironment) -> list[Attempted]:
        """What runs in an environment just now."""
        running = [job for job in self._lifecycle.running.values() if job.placed_on is environment]
        return [(job, job.current) for job in running]

    def lose_hosts(self, attempts: list[Attempted]) -> None:
        """The instances under these attempts end, where they still run."""
        for job, attempt in attempts:
            if job.current is attempt:
                self._lifecycle.lose_host(job)

    def end_jobs(self, ids: list[str], reason: str) -> None:
        """Terminate the jobs of these ids."""
        for job_id in ids:
            job = self._lifecycle.find(job_id)
            if job is not None:
                self._lifecycle.terminate(job, reason)
