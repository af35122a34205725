"""Background work of Batch's control plane: the end of CREATING, UPDATING and DELETING."""

from __future__ import annotations

from collections.abc import Callable

from provisioner.local.batch.jobs.lifecycle import Lifecycle


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

    def end_jobs(self, ids: list[str], reason: str) -> None:
        """Terminate the jobs of these ids."""
        for job_id in ids:
            job = self._lifecycle.find(job_id)
            if job is not None:
                self._lifecycle.terminate(job, reason)
