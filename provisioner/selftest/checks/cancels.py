"""Check of a cancel: one child of an array job ends, by the statement of the policy that is about children."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from engine.aws.batch_states import BatchState
from provisioner.clients import Document
from provisioner.selftest.bench import Bench, size_of
from provisioner.selftest.checks.routes import ROUNDS, TASKS
from provisioner.selftest.model import CheckFailed


def cancel_of_child(bench: Bench) -> str:
    """Cancel one of several tasks that run as children: its child ends, the others go on."""
    for _ in range(ROUNDS):
        with _napping(bench) as tasks:
            _await_running(bench, TASKS, bench.patience.start_s)
            arrays = [job for job in bench.new_jobs() if size_of(job) > 1]
            if arrays:
                return _cancel_child(bench, tasks, arrays)
        bench.begin_check()
    raise CheckFailed(f"{ROUNDS} times {TASKS} tasks came apart, never as an array job.")


@contextmanager
def _napping(bench: Bench) -> Iterator[str]:
    """Tasks that nap until they are cancelled at the end; those that were already count as such."""
    tasks = bench.client.submit("nap", [[bench.patience.start_s]] * TASKS)
    try:
        yield tasks
    finally:
        for index in range(TASKS):
            bench.client.cancel(tasks, index, bench.patience.job_s)


def _cancel_child(bench: Bench, tasks: str, arrays: list[Document]) -> str:
    """Cancel tasks, the last one first, until one of them was a child: some may have come alone."""
    for cancelled in range(1, TASKS):
        if not bench.client.cancel(tasks, TASKS - cancelled, bench.patience.job_s):
            raise CheckFailed("The cancel was not confirmed.")
        left = TASKS - cancelled
        _await_running(bench, left, bench.patience.job_s)
        ended = [child for array in arrays for child in bench.children(array["jobId"], BatchState.FAILED)]
        if ended:
            return f"child {ended[0]['jobId']} ended ({ended[0].get('statusReason', '')}), {left} others go on"
    raise CheckFailed("No child of an array job ended, whichever task was cancelled.")


def _await_running(bench: Bench, wanted: int, seconds: float) -> None:
    bench.wait_for(f"{wanted} jobs that run", lambda: _running(bench) == wanted, seconds)


def _running(bench: Bench) -> int:
    """Number of the check's jobs that run, each child for itself."""
    jobs = bench.new_jobs()
    alone = len([job for job in jobs if size_of(job) == 1 and job["status"] == BatchState.RUNNING])
    return alone + sum(len(bench.children(job["jobId"], BatchState.RUNNING)) for job in jobs if size_of(job) > 1)
